import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openStore } from "../../store/store.ts";
import { defaultStoreRoot } from "../../store/store-paths.ts";
import { command, mustRun } from "../support/command.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";

describe("openStore", () => {
  it("makes a private image layout, parents included, and opens it again", async () => {
    const root = join(temporaryDirectory("store"), "a", "b", "store");
    for (const _ of [1, 2]) {
      await using store = await openStore(root);
      expect(store.root).toBe(root);
      expect(statSync(root).mode & 0o777).toBe(0o700);
      expect(readFileSync(join(root, "oci-layout"), "utf8")).toBe('{"imageLayoutVersion":"1.0.0"}');
      expect(JSON.parse(readFileSync(join(root, "index.json"), "utf8"))).toEqual({
        schemaVersion: 2,
        mediaType: "application/vnd.oci.image.index.v1+json",
        manifests: [],
      });
      expect(readFileSync(join(root, "v1/version"), "utf8")).toBe("1\n");
      expect(readdirSync(join(root, "v1/tmp"))).toEqual([]);
      expect(await store.images.list()).toEqual([]);
    }
  });

  it("opens an existing store without writing to it", async () => {
    const root = join(temporaryDirectory("store"), "store");
    await (await openStore(root)).close();
    const before = readdirSync(root, { recursive: true }).map((name) => [name, statSync(join(root, String(name))).ctimeMs]);
    await (await openStore(root)).close();
    expect(readdirSync(root, { recursive: true }).map((name) => [name, statSync(join(root, String(name))).ctimeMs])).toEqual(before);
  });

  it("survives that many make the same store at once", async () => {
    const root = join(temporaryDirectory("store"), "store");
    const stores = await Promise.all(Array.from({ length: 10 }, () => openStore(root)));
    for (const store of stores) await store.close();
    expect(readFileSync(join(root, "v1/version"), "utf8")).toBe("1\n");
  });

  it("takes over an empty directory, and closes it to others", async () => {
    const root = temporaryDirectory("store");
    await (await openStore(root)).close();
    expect(statSync(root).mode & 0o777).toBe(0o700);
  });

  it("does not lose the images of a layout of another tool", async () => {
    const root = temporaryDirectory("store");
    mkdirSync(join(root, "blobs/sha256"), { recursive: true });
    writeFileSync(join(root, "oci-layout"), '{"imageLayoutVersion": "1.0.0"}');
    const index = '{"schemaVersion":2,"manifests":[],"annotations":{"mine":"kept"}}';
    writeFileSync(join(root, "index.json"), index);
    await (await openStore(root)).close();
    expect(readFileSync(join(root, "index.json"), "utf8")).toBe(index);
  });

  it.each<[name: string, make: (root: string) => void, code: string, message: (root: string) => string]>([
    [
      "a directory with other things",
      (root) => writeFileSync(join(root, "letter.txt"), "dear"),
      "NOT_A_STORE",
      (root) => `opening the store ${root}: the directory is not empty and no store`,
    ],
    [
      "a file",
      (root) => writeFileSync(join(root, "f"), ""),
      "STORE_INACCESSIBLE",
      (root) => `opening the store ${root}/f: ENOTDIR: not a directory, scandir '${root}/f'`,
    ],
    [
      "a store of a newer format",
      (root) => mkdirSync(join(root, "v2")),
      "STORE_TOO_NEW",
      (root) => `opening the store ${root}: it was written by a newer tsbuild (format v2; this one knows v1 revision 1)`,
    ],
    [
      "a newer revision of our format",
      (root) => writeStoreVersion(root, "2\n"),
      "STORE_TOO_NEW",
      (root) => `opening the store ${root}: it was written by a newer tsbuild (format v1 revision 2; this one knows v1 revision 1)`,
    ],
    [
      "a torn version",
      (root) => writeStoreVersion(root, ""),
      "STORE_DAMAGED",
      (root) => `opening the store ${root}: v1/version holds no number`,
    ],
    [
      "a layout of the future",
      (root) => writeFileSync(join(root, "oci-layout"), '{"imageLayoutVersion":"2.0.0"}'),
      "STORE_DAMAGED",
      (root) => `reading ${root}/oci-layout: image layout version "2.0.0" is not 1.0.0`,
    ],
  ])("refuses %s, and changes nothing", async (name, make, code, message) => {
    const root = temporaryDirectory("store");
    make(root);
    const target = name === "a file" ? join(root, "f") : root;
    const before = readdirSync(root, { recursive: true });
    const refusal = openStore(target);
    await expect(refusal).rejects.toMatchObject({ code, message: message(root) });
    expect(readdirSync(root, { recursive: true })).toEqual(before);
  });

  it("says what to do about a newer store", async () => {
    const root = temporaryDirectory("store");
    mkdirSync(join(root, "v3"));
    await expect(openStore(root)).rejects.toMatchObject({
      hint: "use that newer tsbuild, or another store with --store DIR or $TSBUILD_ROOT",
    });
  });

  it("tells of a missing index.json", async () => {
    const root = join(temporaryDirectory("store"), "store");
    const store = await openStore(root);
    await mustRun(["rm", join(root, "index.json")]);
    await expect(store.images.list()).rejects.toMatchObject({
      code: "STORE_DAMAGED",
      message: `reading ${root}/index.json: it is missing`,
    });
  });

  it("follows a link that stands for the root, once", async () => {
    const directory = temporaryDirectory("store");
    mkdirSync(join(directory, "real"));
    symlinkSync("real", join(directory, "link"));
    await (await openStore(join(directory, "link"))).close();
    expect(existsSync(join(directory, "real/v1/version"))).toBe(true);
  });

  it("is an empty layout to skopeo and umoci", needs("skopeo", "umoci"), async () => {
    const root = join(temporaryDirectory("store"), "store");
    await (await openStore(root)).close();
    expect((await command(["umoci", "list", "--layout", root])).stdout).toBe("");
    expect((await command(["skopeo", "inspect", `oci:${root}:none`])).stderr).toMatch(/no descriptor found for reference|no image/i);
  });
});

function writeStoreVersion(root: string, text: string): void {
  mkdirSync(join(root, "v1"));
  writeFileSync(join(root, "v1/version"), text);
}

describe("defaultStoreRoot", () => {
  it.each<[env: Record<string, string>, uid: number, root: string | undefined]>([
    [{ TSBUILD_ROOT: "/x", HOME: "/home/u" }, 1000, "/x"],
    [{ TSBUILD_ROOT: "/x" }, 0, "/x"],
    [{ TSBUILD_ROOT: "", HOME: "/root" }, 0, "/var/lib/tsbuild"],
    [{ XDG_DATA_HOME: "/data", HOME: "/home/u" }, 1000, "/data/tsbuild"],
    [{ XDG_DATA_HOME: "relative", HOME: "/home/u" }, 1000, "/home/u/.local/share/tsbuild"],
    [{ HOME: "/home/u" }, 1000, "/home/u/.local/share/tsbuild"],
    [{}, 1000, undefined],
  ])("with %j as uid %d is %s", (env, uid, root) => {
    expect(defaultStoreRoot(env, uid)).toBe(root);
  });
});
