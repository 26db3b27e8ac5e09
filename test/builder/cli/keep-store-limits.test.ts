import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { dispatch } from "../../../builder/cli/dispatch.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { fakeIo } from "./fake-io.ts";

let place: string;
let root: string;
beforeEach(() => {
  place = temporaryDirectory("limits");
  root = join(place, "store");
  mkdirSync(join(place, "config/tsbuild"), { recursive: true });
  mkdirSync(join(place, "context"));
});

const limit = (text: string) => writeFileSync(join(place, "config/tsbuild/tsbuild.toml"), `[store]\n${text}\n`);

async function build(content: string): Promise<{ code: number; stderr: string }> {
  writeFileSync(join(place, "context/file"), content);
  writeFileSync(join(place, "context/Dockerfile"), "FROM scratch\nCOPY file /\n");
  const io = fakeIo({ env: { TSBUILD_ROOT: root, XDG_CONFIG_HOME: join(place, "config") } });
  const code = await dispatch(["-t", "app", "--progress", "plain", join(place, "context")], io);
  return { code, stderr: io.printed.stderr };
}
const layers = () => readdirSync(join(root, "v1/layers")).length;

describe("a build", () => {
  it("brings the store within its limits when it ends", async () => {
    limit('max_size = "500k"');
    for (let i = 0; i < 6; i++) {
      const { code, stderr } = await build(String(i).repeat(120_000));
      expect(code, stderr).toBe(0);
      expect(stderr).not.toMatch(/store\.max_size|limits/);
    }
    // The image's own, and of the older ones what has room.
    expect(layers()).toBeLessThanOrEqual(3);
    expect(layers()).toBeGreaterThanOrEqual(2);
  });

  it("says so where its image alone is more", async () => {
    limit('max_size = "10k"');
    const { code, stderr } = await build("x".repeat(100_000));
    expect(code).toBe(0);
    expect(stderr).toMatch(/^note: the store takes \d+ kB, and store\.max_size is 10\.2 kB: images and what is in use take \d+ kB$/m);
  });

  it("succeeds although the limits cannot be kept", async () => {
    await build("a");
    limit('max_size = "10k"');
    rmSync(join(root, "v1/trash"), { recursive: true });
    writeFileSync(join(root, "v1/trash"), "no directory");
    const { code, stderr } = await build("b");
    expect(code).toBe(0);
    expect(stderr).toMatch(/^note: the store is not kept within its limits: ENOTDIR/m);
  });

  it("goes on where a document is damaged: says it once, and takes nothing that could be needed", async () => {
    for (const content of ["a", "b"]) await build(content.repeat(50_000));
    const { digest } = JSON.parse(readFileSync(join(root, "index.json"), "utf8")).manifests[0];
    writeFileSync(join(root, "blobs/sha256", digest.slice(7)), "{");
    // What can be judged without it.
    const repository = join(root, "v1/git", "0".repeat(32));
    mkdirSync(repository, { recursive: true });
    writeFileSync(join(repository, "pack"), "x".repeat(10_000));
    limit('max_size = "10k"');
    const before = [layers(), readdirSync(join(root, "v1/steps")).length];
    writeFileSync(join(place, "context/Dockerfile"), "FROM scratch\nCOPY missing /\n");
    const failing = async () => {
      const io = fakeIo({ env: { TSBUILD_ROOT: root, XDG_CONFIG_HOME: join(place, "config") } });
      expect(await dispatch([join(place, "context")], io)).toBe(1);
      return io.printed.stderr;
    };
    expect(await failing()).toMatch(
      new RegExp(
        `^note: the limits of the store are kept without touching any layer: collecting garbage: reading blob ${digest}: .*; tsbuild verify names what is damaged$`,
        "m",
      ),
    );
    expect([layers(), readdirSync(join(root, "v1/steps")).length]).toEqual(before);
    expect(existsSync(repository)).toBe(false);
    expect(await failing()).not.toContain("the limits of the store");
  });

  it("collects nothing without limits", async () => {
    for (const content of ["a", "b"]) expect((await build(content)).code).toBe(0);
    expect([layers(), existsSync(join(root, "v1/collected"))]).toEqual([2, false]);
  });

  it("does not look again when all of it was cached", async () => {
    limit('max_size = "1g"');
    const collected = () => readFileSync(join(root, "v1/collected"), "utf8");
    await build("a");
    const first = collected();
    await build("a");
    expect(collected()).toBe(first);
    await build("b");
    expect(collected()).not.toBe(first);
  });
});

async function tsbuild(stdin: Uint8Array | undefined, ...argv: string[]): Promise<number> {
  const io = fakeIo({ env: { TSBUILD_ROOT: root, XDG_CONFIG_HOME: join(place, "config") }, ...(stdin && { stdin }) });
  return await dispatch(argv, io);
}

describe("every command that adds to the store", () => {
  const looked = () => existsSync(join(root, "v1/collected"));
  const emptyTar = Buffer.alloc(10_240);

  it("build that fails keeps the limits too", async () => {
    await build("old".repeat(40_000));
    await build("new");
    limit('max_size = "100k"');
    writeFileSync(join(place, "context/Dockerfile"), "FROM scratch\nCOPY missing /\n");
    expect(await tsbuild(undefined, "build", "-t", "app", join(place, "context"))).toBe(1);
    // The layer of the image that lost its name: only a step's record had it.
    expect(layers()).toBe(1);
  });

  it.each([
    ["import", 0, emptyTar, ["-", "other"]],
    ["load", 1, emptyTar, ["-"]],
    ["copy", 0, undefined, ["store:app", "oci:PLACE/layout"]],
    ["commit", 1, undefined, ["missing", "app"]],
    ["pull", 1, undefined, ["127.0.0.1:1/none"]],
    ["run", 127, undefined, ["--pull=never", "app", "/missing"]],
  ] as const)("%s keeps them, exit code %i", async (name, code, stdin, operands) => {
    await build("a");
    limit('max_size = "1g"\n[registry]\nattempts = 1');
    expect(await tsbuild(stdin, name, ...operands.map((word) => word.replace("PLACE", place)))).toBe(code);
    expect(looked()).toBe(true);
  });

  it("but not a dry run", async () => {
    await build("a");
    limit('max_size = "1g"');
    expect(await tsbuild(undefined, "build", "--dry-run", join(place, "context"))).toBe(0);
    expect(looked()).toBe(false);
  });
});

describe("settings", () => {
  it.each([
    ["max_size", '"big"'],
    ["min_free", "10"],
    ["keep", '"0d"'],
    ["keep", '"forever"'],
  ])("refuse store.%s = %s", async (key, value) => {
    limit(`${key} = ${value}`);
    const { code, stderr } = await build("a");
    expect([code, stderr]).toEqual([2, expect.stringContaining("CONFIG_INVALID_VALUE")]);
  });
});
