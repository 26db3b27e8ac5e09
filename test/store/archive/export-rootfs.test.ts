import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { beforeEach, describe, expect, it } from "vitest";
import { bytesOf } from "../../../runtime-addon/index.ts";
import { exportRootfs } from "../../../store/archive/export-rootfs.ts";
import { exportToDirectory } from "../../../store/archive/rootfs-directory.ts";
import { IntegrityError } from "../../../store/errors.ts";
import type { SourceEntry } from "../../../store/layer/entry.ts";
import { mergeLayers } from "../../../store/layer/merge.ts";
import { writeLayer } from "../../../store/layer/tar-write.ts";
import type { LayerInfo } from "../../../store/layers.ts";
import { openLayers } from "../../../store/open-rootfs.ts";
import { openStore, type Store } from "../../../store/store.ts";
import { needs } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { addLayer, output } from "../sample-image.ts";

let directory: string;
let store: Store;
let layers: readonly LayerInfo[];
const at = (name: string) => join(directory, name);
beforeEach(async () => {
  directory = temporaryDirectory("export");
  store = await openStore(at("store"));
  layers = [
    await addLayer(store, { "etc/": "", "etc/a": "one", big: "x".repeat(700_000), gone: "1" }),
    await addLayer(store, { gone: null, "etc/b": "two" }),
  ];
  return () => store.close();
});

const attributes = { mode: 0o644, uid: 12, gid: 34, mtime: 1_000_000_000, mtimeNsec: 500 };
const named = (path: string) => ({ path: bytesOf(path), ...attributes });
const text = (path: string, content: string): SourceEntry => {
  const bytes = Buffer.from(content);
  return { kind: "file", ...named(path), size: bytes.length, content: { at: "bytes", bytes } };
};
const special: readonly SourceEntry[] = [
  { kind: "directory", ...named("shut"), mode: 0o500 },
  { ...text("shut/inside", "in"), mode: 0o4755 } as SourceEntry,
  { kind: "hardlink", ...named("shut/other"), target: bytesOf("shut/inside") },
  { kind: "symlink", ...named("link"), mode: 0o777, target: bytesOf("/etc/passwd") },
  { kind: "fifo", ...named("fifo") },
  { kind: "char", ...named("null"), major: 1, minor: 3 },
];

async function addEntries(entries: readonly SourceEntry[]): Promise<LayerInfo> {
  const tempTar = await store.tempFile("test");
  return store.layers.add(await writeLayer(entries, tempTar, { sync: true, ignoreMtime: () => false }), { tempTar });
}

const entriesOfLayers = async (infos: readonly LayerInfo[]) => mergeLayers([], await openLayers(store.layers, infos));

describe("a root file system as a tar", () => {
  it("is flat, in order, and the same every time, in a file and in a stream", async () => {
    await exportRootfs(store, [{ layers }], { file: at("one.tar") });
    const stream = new PassThrough();
    const saving = exportRootfs(store, [{ layers }], { stream });
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    await saving;
    expect(Buffer.concat(chunks).equals(readFileSync(at("one.tar")))).toBe(true);
    expect(output(["tar", "-tf", at("one.tar")]).toString()).toBe("big\netc/\netc/a\netc/b\n");
    expect(output(["tar", "-xOf", at("one.tar"), "etc/b"]).toString()).toBe("two");
  });

  it("has a folder for each of several", async () => {
    const roots = [
      { layers, folder: "one" },
      { layers: layers.slice(0, 1), folder: "two" },
    ];
    await exportRootfs(store, roots, { file: at("both.tar") });
    const listing = output(["tar", "-tf", at("both.tar")])
      .toString()
      .trim()
      .split("\n");
    expect(listing).toEqual([
      "one/",
      "one/big",
      "one/etc/",
      "one/etc/a",
      "one/etc/b",
      "two/",
      "two/big",
      "two/etc/",
      "two/etc/a",
      "two/gone",
    ]);
  });

  it("of a layer whose tar was changed on the disk is refused, and leaves no file", async () => {
    const [first = expect.fail("no layer")] = layers;
    const tar = readFileSync(store.blobs.path(first.diffId));
    tar[tar.indexOf("one")] = 0x4f;
    writeFileSync(store.blobs.path(first.diffId), tar);
    await expect(exportRootfs(store, [{ layers }], { file: at("bad.tar") })).rejects.toThrow(IntegrityError);
    expect(readdirSync(directory)).toEqual(["store"]);
  });
});

describe("a root file system in a directory", () => {
  const exported =
    (exact: boolean, onNote: (note: string) => void = () => undefined) =>
    async (infos: readonly LayerInfo[], to = at("out")) =>
      exportToDirectory(await entriesOfLayers(infos), to, { exact, onNote });

  it("is made with what is above it, and merged with what is there", async () => {
    mkdirSync(at("out/etc"), { recursive: true });
    for (const name of ["etc/a", "etc/kept", "kept"]) writeFileSync(at(`out/${name}`), "mine");
    await exported(false)(layers);
    await exported(false)(layers, at("deep/down"));
    expect(readdirSync(at("out"), { recursive: true }).sort()).toEqual(["big", "etc", "etc/a", "etc/b", "etc/kept", "kept"]);
    expect([readFileSync(at("out/etc/a"), "utf8"), readFileSync(at("out/kept"), "utf8")]).toEqual(["one", "mine"]);
    expect(readdirSync(at("deep/down")).sort()).toEqual(["big", "etc"]);
    expect(lstatSync(at("out/etc")).mtimeMs).toBe(1_000_000_000_000);
  });

  it("is for anyone without owners, setuid bits and devices, and says so", async () => {
    const notes: string[] = [];
    await exported(false, (note) => void notes.push(note))([await addEntries(special)]);
    const inside = lstatSync(at("out/shut/inside"));
    expect([inside.uid, inside.mode & 0o7777, inside.nlink]).toEqual([process.getuid?.(), 0o755, 2]);
    expect([lstatSync(at("out/shut")).mode & 0o7777, lstatSync(at("out/fifo")).isFIFO()]).toEqual([0o500, true]);
    expect(notes).toEqual([`${at("out")}: 1 device was left out, which only root can make`]);
    expect(existsSync(at("out/null"))).toBe(false);
  });

  it("is for root as it is in the image", needs("root"), async () => {
    await exported(true)([await addEntries(special)]);
    const inside = lstatSync(at("out/shut/inside"), { bigint: true });
    expect([inside.uid, inside.gid, inside.mode & 0o7777n, inside.mtimeNs]).toEqual([12n, 34n, 0o4755n, 1_000_000_000_000_000_500n]);
    expect(lstatSync(at("out/shut/other"), { bigint: true }).ino).toBe(inside.ino);
    expect(execFileSync("stat", ["-c", "%F %t,%T", at("out/null")], { encoding: "utf8" })).toBe("character special file 1,3\n");
  });

  it.each([
    ["a directory that is a symlink out of it", () => symlinkSync(at("elsewhere"), at("out/etc"))],
    ["a file that is a symlink out of it", () => symlinkSync(at("elsewhere/file"), at("out/etc/a"))],
    ["a dangling symlink", () => symlinkSync("/nowhere/at/all", at("out/etc"))],
    ["a file where a directory goes", () => writeFileSync(at("out/etc"), "mine")],
    ["an empty directory where a file goes", () => mkdirSync(at("out/big"))],
  ])("replaces %s and follows nothing", async (name, prepare) => {
    const inEtc = name.startsWith("a file that");
    mkdirSync(at("elsewhere"));
    writeFileSync(at("elsewhere/file"), "canary");
    mkdirSync(at("out"));
    if (inEtc) mkdirSync(at("out/etc"));
    prepare();
    await exported(false)(layers);
    expect([readdirSync(at("elsewhere")), readFileSync(at("elsewhere/file"), "utf8")]).toEqual([["file"], "canary"]);
    expect(lstatSync(at("out/etc")).isDirectory()).toBe(true);
    expect(lstatSync(at("out/etc/a")).isFile()).toBe(true);
    expect(lstatSync(at("out/big")).size).toBe(700_000);
  });

  it("takes the image's own symlinks for what they are, in the next export too", async () => {
    mkdirSync(at("elsewhere"));
    const leaving = await addEntries([{ kind: "symlink", ...named("etc"), target: bytesOf(at("elsewhere")) }]);
    await exported(false)([leaving]);
    await exported(false)(layers);
    expect(readdirSync(at("elsewhere"))).toEqual([]);
    expect(readdirSync(at("out/etc")).sort()).toEqual(["a", "b"]);
  });

  it("removes no directory that has something in it, and moves nothing then", async () => {
    mkdirSync(at("out/big"), { recursive: true });
    writeFileSync(at("out/big/mine"), "mine");
    await expect(exportRootfs(store, [{ layers }], { directory: at("out") })).rejects.toMatchObject({
      code: "DESTINATION_EXISTS",
      message: `exporting files: "${at("out")}/big" is a directory that is not empty, and no directory in the image`,
    });
    expect(readdirSync(at("out"), { recursive: true }).sort()).toEqual(["big", "big/mine"]);
  });

  it("can be cancelled, and leaves nothing of its own", async () => {
    const reason = new Error("enough");
    await expect(exportRootfs(store, [{ layers }], { directory: at("out") }, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(readdirSync(at("out"))).toEqual([]);
  });
});
