import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type ByteString, bytesOf, textOf } from "../../../runtime-addon/index.ts";
import { digestOf } from "../../../store/digest.ts";
import type { SourceEntry, TreeEntry } from "../../../store/layer/entry.ts";
import { type Rootfs, type RootfsLayer, stackRootfs } from "../../../store/layer/rootfs.ts";
import { writeLayer } from "../../../store/layer/tar-write.ts";
import type { Tree } from "../../../store/layer/tree.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { attributes, directoryEntry, fileEntry, hardlinkEntry, opaque, symlinkEntry, whiteout } from "./samples.ts";

const temp = temporaryDirectory("rootfs");
let count = 0;

async function layer(entries: readonly SourceEntry[]): Promise<RootfsLayer> {
  const tar = join(temp, `${count++}.tar`);
  const tree = await writeLayer(entries, tar, { sync: false, ignoreMtime: () => false });
  return { tree, tar: async () => tar };
}

/** A layer that writeLayer would not write, as pulled ones are. */
function foreign(entries: readonly TreeEntry[]): RootfsLayer {
  const tree: Tree = { diffId: digestOf("foreign"), contentId: digestOf("foreign"), size: 0, entries };
  return { tree, tar: () => Promise.reject(new Error("the tar is not needed")) };
}

const stack = async (...layers: readonly (readonly SourceEntry[])[]): Promise<Rootfs> => stackRootfs(await Promise.all(layers.map(layer)));
const names = (entries: Iterable<{ readonly path: ByteString }>): string[] => [...entries].map((entry) => textOf(entry.path));
const at = (path: string): ByteString => bytesOf(path);

describe("lookup", () => {
  it.each<[string, SourceEntry[][], string, string | undefined]>([
    ["the top layer wins", [[fileEntry("a", "1")], [fileEntry("a", "22")]], "a", "file 2"],
    ["lower layers show through", [[fileEntry("a", "1")], [fileEntry("b")]], "a", "file 1"],
    ["a whiteout hides", [[fileEntry("a")], [whiteout("a")]], "a", undefined],
    ["and all below it", [[fileEntry("d/a/b")], [whiteout("d")]], "d/a/b", undefined],
    ["and is itself hidden", [[fileEntry("a", "1")], [whiteout("a")], [fileEntry("a", "22")]], "a", "file 2"],
    ["an opaque directory hides what is in lower ones", [[fileEntry("d/a")], [directoryEntry("d"), opaque("d")]], "d/a", undefined],
    ["at any depth", [[fileEntry("d/e/a")], [directoryEntry("d"), opaque("d"), directoryEntry("d/e")]], "d/e/a", undefined],
    ["but not what is in its own layer", [[fileEntry("d/a")], [directoryEntry("d"), opaque("d"), fileEntry("d/b", "1")]], "d/b", "file 1"],
    ["nor above", [[], [directoryEntry("d"), opaque("d")], [fileEntry("d/a", "1")]], "d/a", "file 1"],
    ["an opaque root hides everything", [[fileEntry("d/a")], [opaque("")]], "d/a", undefined],
    ["a file hides a directory's children", [[fileEntry("d/a")], [fileEntry("d")]], "d/a", undefined],
    ["a symlink hides them too, and is not followed", [[fileEntry("d/a"), fileEntry("t/a")], [symlinkEntry("d", "t")]], "d/a", undefined],
    ["a file that became a directory", [[fileEntry("d")], [directoryEntry("d", { mode: 0o700 })]], "d", "directory 700"],
    [
      "the upper directory's attributes",
      [[directoryEntry("d", { mode: 0o700 })], [directoryEntry("d", { mode: 0o711 })]],
      "d",
      "directory 711",
    ],
    [
      "an implied directory has the lower one's attributes",
      [[directoryEntry("d", { mode: 0o700 })], [fileEntry("d/x")], [fileEntry("d/y")]],
      "d",
      "directory 700",
    ],
    ["but not those of what it replaced", [[fileEntry("d")], [whiteout("d")], [fileEntry("d/x")]], "d", "directory 755"],
    [
      "an implied directory over a hidden one is new",
      [[directoryEntry("a/d", { mode: 0o700 })], [whiteout("a")], [fileEntry("a/d/x")]],
      "a/d",
      "directory 755",
    ],
    [
      "an implied directory in a hidden one is new",
      [[directoryEntry("a/d", { mode: 0o700 })], [directoryEntry("a"), opaque("a"), fileEntry("a/d/x")]],
      "a/d",
      "directory 755",
    ],
    ["a hard link is the file", [[fileEntry("a", "123"), hardlinkEntry("b", "a")]], "b", "file 3"],
    [
      "a hard link keeps its file when the target is removed above",
      [[fileEntry("a", "123"), hardlinkEntry("b", "a")], [whiteout("a")]],
      "b",
      "file 3",
    ],
    ["nothing", [[fileEntry("a")]], "b", undefined],
    ["below a file", [[fileEntry("a")]], "a/b", undefined],
    ["the root of no layers", [], "", "directory 755"],
    ["the root that a layer has", [[directoryEntry("", { mode: 0o700 })], [fileEntry("x")]], "", "directory 700"],
    ["the root behind an opaque one", [[directoryEntry("", { mode: 0o700 })], [opaque("")]], "", "directory 700"],
  ])("%s", async (_name, layers, path, expected) => {
    const entry = (await stack(...layers)).lookup(at(path));
    const told = entry === undefined ? undefined : `${entry.kind} ${entry.kind === "file" ? entry.size : entry.mode.toString(8)}`;
    expect(told).toBe(expected);
    if (entry !== undefined) expect(entry.path).toBe(path);
  });

  it("gives the digest, which needs no tar", async () => {
    const rootfs = await stack([fileEntry("a", "x"), hardlinkEntry("b", "a")]);
    const b = rootfs.lookup(at("b"));
    if (b?.kind !== "file") throw new Error("b is no file");
    expect(b.digest).toBe(digestOf("x"));
    expect(rootfs.digest({ kind: "file", path: at("b"), ...attributes, size: 1 })).toBe(digestOf("x"));
  });

  it("finds hard links' files in lower layers, under the name asked for", async () => {
    const lower = await layer([fileEntry("d/a", "abc")]);
    const link: TreeEntry = { kind: "hardlink", path: at("b"), target: at("d/a"), ...attributes };
    const rootfs = stackRootfs([lower, foreign([link])]);
    expect(rootfs.lookup(at("b"))).toMatchObject({ kind: "file", path: "b", size: 3 });
    expect((await rootfs.read(at("b"), { limit: 10 })).toString()).toBe("abc");
    expect(() => stackRootfs([foreign([link])]).lookup(at("b"))).toThrowError(
      expect.objectContaining({
        code: "UNSUPPORTED_HARDLINK",
        message: 'reading "b": it is a hard link to "d/a", which no layer has as a file',
      }),
    );
  });
});

describe("list and walk", () => {
  let rootfs: Rootfs;
  beforeAll(async () => {
    rootfs = await stack(
      [
        directoryEntry("d"),
        fileEntry("d/b"),
        fileEntry("d/a"),
        fileEntry("d/sub/x"),
        fileEntry("d-e"),
        fileEntry("gone/x"),
        symlinkEntry("l", "d"),
      ],
      [whiteout("d/b"), fileEntry("d/c"), whiteout("gone"), directoryEntry("d/sub"), opaque("d/sub"), fileEntry("d/sub/y")],
      [fileEntry("d/A")],
    );
  });
  it.each([
    ["", ["d", "d-e", "l"]],
    ["d", ["d/A", "d/a", "d/c", "d/sub"]],
    ["d/sub", ["d/sub/y"]],
    ["d/a", []],
    ["l", []],
    ["gone", []],
    ["nowhere", []],
  ])("of %j", (directory, expected) => {
    expect(names(rootfs.list(at(directory)))).toEqual(expected);
  });
  it("walks parents first, by name inside each directory, without the directory itself", () => {
    expect(names(rootfs.walk(at("")))).toEqual(["d", "d/A", "d/a", "d/c", "d/sub", "d/sub/y", "d-e", "l"]);
    expect(names(rootfs.walk(at("d/sub")))).toEqual(["d/sub/y"]);
  });
});

describe("resolve", () => {
  let rootfs: Rootfs;
  beforeAll(async () => {
    rootfs = await stack([
      fileEntry("usr/bin/sh"),
      symlinkEntry("bin", "usr/bin"),
      symlinkEntry("abs", "/usr"),
      symlinkEntry("out", "../../../../usr"),
      symlinkEntry("chain", "abs/../bin/."),
      symlinkEntry("usr/up", ".."),
      symlinkEntry("dangling", "usr/none/x"),
      symlinkEntry("loop", "loop"),
      symlinkEntry("ping", "pong"),
      symlinkEntry("pong", "ping"),
      symlinkEntry("grow", "./grow/x"),
      symlinkEntry("root", "/"),
    ]);
  });
  it.each([
    ["/bin/sh", true, "usr/bin/sh", "file"],
    ["bin", true, "usr/bin", "directory"],
    ["bin", false, "bin", "symlink"],
    ["bin/.", true, "usr/bin", "directory"],
    ["bin/sh", false, "usr/bin/sh", "file"],
    ["out/bin", true, "usr/bin", "directory"],
    ["chain/sh", true, "usr/bin/sh", "file"],
    ["usr/up/bin/sh", true, "usr/bin/sh", "file"],
    ["../../..", true, "", "directory"],
    ["root", true, "", "directory"],
    ["root/../../usr", true, "usr", "directory"],
    ["dangling", true, "usr/none/x", undefined],
    ["dangling", false, "dangling", "symlink"],
    ["bin/new/deep", true, "usr/bin/new/deep", undefined],
    ["new/../usr", true, "usr", "directory"],
    ["usr/bin/sh/x", true, "usr/bin/sh/x", undefined],
    ["", true, "", "directory"],
    ["loop", false, "loop", "symlink"],
  ] as const)("%s (last followed: %s) is %s", (path, followLast, expected, kind) => {
    const found = rootfs.resolve(at(path), { followLast });
    expect([found.path, found.entry?.kind]).toEqual([expected, kind]);
  });
  it.each(["loop", "ping", "grow", "loop/x"])("%s never ends: SYMLINK_LOOP", (path) => {
    expect(() => rootfs.resolve(at(path), { followLast: true })).toThrowError(
      expect.objectContaining({ code: "SYMLINK_LOOP", message: `resolving "${path}": too many symlinks` }),
    );
  });
  it("follows 255 symlinks, and not 256", async () => {
    const chain = Array.from({ length: 256 }, (_, i) => symlinkEntry(`l${i}`, i === 0 ? "end" : `l${i - 1}`));
    const long = await stack([fileEntry("end"), ...chain]);
    expect(long.resolve(at("l254"), { followLast: true }).entry?.kind).toBe("file");
    expect(() => long.resolve(at("l255"), { followLast: true })).toThrowError(expect.objectContaining({ code: "SYMLINK_LOOP" }));
  });
});

describe("contents", () => {
  it("are ranges of the tar of the layer that has them", async () => {
    const rootfs = await stack([fileEntry("etc/passwd", "root:x:0:0\n"), symlinkEntry("p", "etc/passwd")], [fileEntry("other", "o")]);
    const entry = rootfs.lookup(at("etc/passwd"));
    if (entry?.kind !== "file") throw new Error("no file");
    const content = await rootfs.content(entry);
    if (content.at !== "tar") throw new Error("no tar");
    expect(readFileSync(content.tar).toString("latin1", content.offset, content.offset + content.size)).toBe("root:x:0:0\n");
    expect((await rootfs.read(at("/p"), { limit: 11 })).toString()).toBe("root:x:0:0\n");
  });
  it.each([
    ["none", "NOT_FOUND", 'reading "none": it is not in these layers'],
    ["d", "NOT_A_FILE", 'reading "d": it is a directory'],
    ["f", "TOO_LARGE", 'reading "f": its 5 bytes are more than 4'],
  ])("reading %s: %s", async (path, code, message) => {
    const rootfs = await stack([directoryEntry("d"), fileEntry("f", "12345")]);
    await expect(rootfs.read(at(path), { limit: 4 })).rejects.toMatchObject({ code, message });
  });
});
