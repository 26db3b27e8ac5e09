import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { removePaths, removeTree, setAttributes, textOf } from "../../../runtime-addon/index.ts";
import { applyLayer } from "../../../store/layer/apply.ts";
import { type DiffUpperOptions, diffUpper, type UpperDiff } from "../../../store/layer/diff.ts";
import type { SourceEntry } from "../../../store/layer/entry.ts";
import { stackRootfs } from "../../../store/layer/rootfs.ts";
import { writeLayer } from "../../../store/layer/tar-write.ts";
import { needs } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { char, dir, fifo, file, link, listing, makeTree, path, socket, symlink, type Wanted } from "../../support/tree.ts";
import { aclOf } from "./samples.ts";

type Tree = Record<string, Wanted>;

const temp = temporaryDirectory("diff");
const writing = { sync: false, ignoreMtime: () => false };
let count = 0;

async function directory(tree: Tree): Promise<string> {
  const root = join(temp, `dir-${count++}`);
  mkdirSync(root);
  await makeTree(root, tree);
  execFileSync("touch", ["-d", "@1000000000", root]);
  return root;
}

async function diff(lower: Tree, upper: Tree, options: Partial<DiffUpperOptions> = {}): Promise<UpperDiff & { readonly upper: string }> {
  const base = await directory(lower);
  const { entries } = await diffUpper(base, stackRootfs([]), { owners: "exact" });
  const tar = `${base}.tar`;
  const tree = await writeLayer(entries, tar, writing);
  const top = await directory(upper);
  return { ...(await diffUpper(top, stackRootfs([{ tree, tar: async () => tar }]), { owners: "exact", ...options })), upper: top };
}

/** "kind path", with a link's target. */
function summary(entries: readonly SourceEntry[]): string[] {
  return entries.map((entry) => `${entry.kind} ${textOf(entry.path)}${"target" in entry ? ` -> ${textOf(entry.target)}` : ""}`);
}

const gone = char(0, 0);
const opaque = (prefix: string) => dir({ xattrs: { [`${prefix}.overlay.opaque`]: "y" } });

describe("the changes in an upper directory", needs("root", "attr"), () => {
  it.each<[string, Tree, Tree, string[], string[]]>([
    ["nothing", { a: file("1") }, {}, [], []],
    ["a new file and its directory", {}, { "d/a": file("1") }, ["directory d", "file d/a"], []],
    [
      "a changed file, in a directory that is as it was",
      { "d/a": file("1"), "d/b": file("2") },
      { "d/a": file("22") },
      ["directory d", "file d/a"],
      [],
    ],
    ["another content of the same size and time", { a: file("1") }, { a: file("2") }, ["file a"], []],
    ["another time", { a: file("1") }, { a: file("1", { mtime: 5 }) }, ["file a"], []],
    ["a time that differs below the second", { a: file("1") }, { a: file("1", { mtime: 1_000_000_000.5 }) }, ["file a"], []],
    ["another mode", { a: file("1") }, { a: file("1", { mode: 0o600 }) }, ["file a"], []],
    ["another owner", { a: file("1") }, { a: file("1", { gid: 7 }) }, ["file a"], []],
    ["another attribute", { a: file("1", { xattrs: { "user.a": "1" } }) }, { a: file("1", { xattrs: { "user.a": "2" } }) }, ["file a"], []],
    ["an attribute less", { a: file("1", { xattrs: { "user.a": "1" } }) }, { a: file("1") }, ["file a"], []],
    ["another link target", { a: symlink("x") }, { a: symlink("y") }, ["symlink a -> y"], []],
    ["another device", { a: char(1, 3) }, { a: char(1, 5) }, ["char a"], []],
    [
      "copies of what was there",
      { "d/e/a": file("1", { xattrs: { "user.a": "1" } }), l: symlink("x"), n: char(1, 3), p: fifo() },
      { "d/e/a": file("1", { xattrs: { "user.a": "1" } }), l: symlink("x"), n: char(1, 3), p: fifo() },
      [],
      ["p", "n", "l", "d/e/a", "d/e", "d"],
    ],
    [
      "a copied directory beside a change",
      { "d/a": file("1"), "e/b": file("1") },
      { d: dir(), "e/b": file("2") },
      ["directory e", "file e/b"],
      ["d"],
    ],
    ["a directory of which only the time changed", { "d/a": file("1") }, { d: dir({ mtime: 7 }) }, ["directory d"], []],
    [
      "overlay's own marks, which are no change",
      { d: dir(), a: file("1") },
      { d: dir({ xattrs: { "user.overlay.impure": "y" } }), a: file("1", { xattrs: { "user.overlay.origin": "\0x" } }) },
      [],
      ["d", "a"],
    ],
    ["a removed file", { a: file("1"), b: file("1") }, { a: gone }, ["whiteout a"], []],
    ["a removed directory", { "d/a": file("1") }, { d: gone }, ["whiteout d"], []],
    ["a removal of what was not there", {}, { a: gone, "d/b": gone }, ["directory d"], ["d/b", "a"]],
    [
      "an emptied and refilled directory",
      { "d/a": file("1") },
      { d: opaque("user"), "d/b": file("2") },
      ["directory d", "opaque d", "file d/b"],
      [],
    ],
    [
      "the same, of a mount with trusted marks",
      { "d/a": file("1") },
      { d: opaque("trusted"), "d/b": file("2") },
      ["directory d", "opaque d", "file d/b"],
      [],
    ],
    [
      "an equal file in an emptied directory is new",
      { "d/a": file("1") },
      { d: opaque("user"), "d/a": file("1") },
      ["directory d", "opaque d", "file d/a"],
      [],
    ],
    [
      "a removal in an emptied directory says nothing",
      { "d/a": file("1") },
      { d: opaque("user"), "d/a": gone },
      ["directory d", "opaque d"],
      ["d/a"],
    ],
    ["a new directory, which overlay marks although nothing is hidden", {}, { d: opaque("user") }, ["directory d"], []],
    ["a directory in the place of a file", { a: file("1") }, { a: opaque("user"), "a/b": file("2") }, ["directory a", "file a/b"], []],
    ["a file in the place of a directory", { "a/b": file("1") }, { a: file("2") }, ["file a"], []],
    ["a symlink in the place of a directory", { "a/b": file("1") }, { a: symlink("b") }, ["symlink a -> b"], []],
    [
      "hard links",
      {},
      { "z/m": file("1"), a: link("z/m"), z9: link("z/m") },
      ["file a", "directory z", "hardlink z/m -> a", "hardlink z9 -> a"],
      [],
    ],
    ["a new name of a file that was there", { a: file("1") }, { a: file("1"), b: link("a") }, ["file a", "hardlink b -> a"], []],
    ["sockets, which are in no layer", { "d/s": file("1") }, { "d/s": socket(), s: socket() }, ["directory d", "whiteout d/s"], ["s"]],
  ])("%s", async (_name, lower, upper, entries, unchanged) => {
    const result = await diff(lower, upper);
    expect(summary(result.entries)).toEqual(entries);
    expect(result.unchanged.map(textOf)).toEqual(unchanged);
  });

  it.each(["user.overlay.redirect", "trusted.overlay.metacopy", "user.overlay.whiteout"])("refuses the mark %s", async (mark) => {
    await expect(diff({}, { a: dir({ xattrs: { [mark]: "x" } }) })).rejects.toMatchObject({
      code: "UNSUPPORTED_OVERLAY",
      message: `reading changes: "a" has the attribute "${mark}"`,
    });
  });

  it("leaves out labels of the host and what only root could read", async () => {
    const result = await diff({}, { a: file("1", { xattrs: { "trusted.x": "1", "security.selinux": "label", "user.a": "2" } }) });
    expect(result.entries[0]).toMatchObject({ xattrs: { "user.a": "2" } });
  });

  it("refuses directories too deep for any path to name", async () => {
    const upper = temporaryDirectory("upper");
    try {
      const deeper = "import os, sys; os.chdir(sys.argv[1]); [(os.mkdir('d' * 200), os.chdir('d' * 200)) for _ in range(25)]";
      execFileSync("python3", ["-c", deeper, upper]);
      await expect(diffUpper(upper, stackRootfs([]), { owners: "exact" })).rejects.toMatchObject({
        code: "PATH_TOO_LONG",
        message: "reading what was changed: a path is longer than the 4095 bytes that a layer can name",
      });
    } finally {
      await removeTree(upper);
    }
  });

  it("has the root only when a process changed it, not for its time", async () => {
    const result = await diff({ a: file("1") }, { b: file("2") });
    execFileSync("chmod", ["711", result.upper]);
    const changed = await diffUpper(result.upper, stackRootfs([]), { owners: "exact" });
    expect(summary(result.entries)).toEqual(["file b"]);
    expect(changed.entries[0]).toMatchObject({ kind: "directory", path: "", mode: 0o711, mtime: 1_000_000_000 });
    expect(summary(changed.entries)).toEqual(["directory ", "file b"]);
  });

  it("owners of a single-id map are the parent's where the parent has the path, else root", async () => {
    const lower = {
      "d/a": file("1", { uid: 5, gid: 6 }),
      d: dir({ uid: 7, gid: 8 }),
      c: file("1", { uid: 5 }),
      same: file("1", { uid: 9 }),
    };
    const result = await diff(lower, { "d/a": file("2"), "d/b": file("3"), c: dir(), same: file("1") }, { owners: "flat" });
    expect(result.entries.map((entry) => "uid" in entry && `${textOf(entry.path)} ${entry.uid}:${entry.gid}`)).toEqual([
      "c 0:0",
      "d 7:8",
      "d/a 5:6",
      "d/b 0:0",
    ]);
    expect(result.unchanged.map(textOf)).toEqual(["same"]);
  });

  it("ACLs that a single-id map has no ids for are the parent's where the parent has the path", async () => {
    const xattrs = { "system.posix_acl_access": aclOf([1, 6], [2, 6, 1000], [4, 4], [0x10, 6], [0x20, 4]) };
    const lower = {
      changed: file("1", { mode: 0o664, xattrs }),
      same: file("1", { mode: 0o664, xattrs }),
      replaced: file("1", { xattrs }),
    };
    const upper = { changed: file("2", { mode: 0o664 }), same: file("1", { mode: 0o664 }), replaced: dir() };
    const result = await diff(lower, upper, { owners: "flat" });
    expect(result.entries.map((entry) => [textOf(entry.path), "xattrs" in entry ? entry.xattrs : undefined])).toEqual([
      ["changed", xattrs],
      ["replaced", undefined],
    ]);
    expect(result.unchanged.map(textOf)).toEqual(["same"]);
  });

  it("later times become the epoch, in the entries and in what is to be set", async () => {
    const upper = {
      early: file("1", { mtime: 50.5 }),
      at: file("2", { mtime: 100 }),
      past: file("3", { mtime: 100.25 }),
      "d/late": file("4", { mtime: 200 }),
    };
    const result = await diff({}, upper, { epoch: 100 });
    const times = result.entries.map((entry) => "mtime" in entry && [textOf(entry.path), entry.mtime, entry.mtimeNsec]);
    expect(times).toEqual([
      ["at", 100, 0],
      ["d", 100, 0],
      ["d/late", 100, 0],
      ["early", 50, 500_000_000],
      ["past", 100, 0],
    ]);
    await setAttributes(result.upper, result.clamped);
    expect(lstatSync(join(result.upper, "past")).mtimeMs).toBe(100_000);
    expect(lstatSync(join(result.upper, "d")).mtimeMs).toBe(100_000);
    expect(lstatSync(join(result.upper, "early")).mtimeMs).toBe(50_500);
  });
});

describe("mount points made for a run", needs("root", "attr"), () => {
  const stubs = ["etc/resolv.conf", "proc", "run/secrets/x", "run/secrets", "run"].map(path);
  it("leave no trace while they are empty, nor do the directories that they were made in", async () => {
    const lower = { "etc/passwd": file("1") };
    const upper = {
      etc: dir({ mtime: 9 }),
      "etc/resolv.conf": file(""),
      proc: dir(),
      run: dir({ mtime: 9 }),
      "run/secrets": dir({ mtime: 9 }),
      "run/secrets/x": file(""),
    };
    const result = await diff(lower, upper, { stubs });
    expect(summary(result.entries)).toEqual([]);
    expect(result.unchanged.map(textOf)).toEqual(["run/secrets/x", "run/secrets", "run", "proc", "etc/resolv.conf", "etc"]);
  });
  it("stay when something was written to them, or was there before", async () => {
    const lower = { "etc/resolv.conf": file("old"), etc: dir() };
    const upper = { "etc/resolv.conf": file(""), "proc/x": file("1"), "run/secrets/x": file("content") };
    const result = await diff(lower, upper, { stubs });
    expect(summary(result.entries)).toEqual([
      "directory etc",
      "file etc/resolv.conf",
      "directory proc",
      "file proc/x",
      "directory run",
      "directory run/secrets",
      "file run/secrets/x",
    ]);
  });
  it("give their directory its time back, but not when the run made or removed something in it", async () => {
    const lower = { "a/x": file("1"), "b/x": file("1"), "b/y": file("1") };
    const upper = {
      a: dir({ mtime: 9 }),
      "a/stub": file(""),
      "a/sub/new": file("1"),
      "a/sub": dir(),
      b: dir({ mtime: 9 }),
      "b/stub": file(""),
      "b/y": gone,
    };
    const options = { stubs: ["a/stub", "b/stub"].map(path) };
    const changed = await diff(lower, upper, options);
    expect(summary(changed.entries)).toEqual(["directory a", "directory a/sub", "file a/sub/new", "directory b", "whiteout b/y"]);
    expect(changed.entries[0]).toMatchObject({ mtime: 9 });
    const merged = await diff(
      { ...lower, "a/sub": dir() },
      { a: dir({ mtime: 9 }), "a/stub": file(""), "a/sub/new": file("1"), "a/sub": dir() },
      options,
    );
    expect(merged.entries[0]).toMatchObject({ path: "a", mtime: 1_000_000_000 });
  });
});

describe("an upper without what changes nothing", needs("root", "attr"), () => {
  it("is the directory that its layer unpacks to", async () => {
    const lower = { "d/same": file("1"), "d/old": file("1"), "e/x": file("1"), "k/y": file("1") };
    const upper = {
      "d/same": file("1"),
      "d/new": file("2", { mtime: 300 }),
      "d/old": gone,
      d: dir({ mtime: 300 }),
      e: dir(),
      k: opaque("user"),
      "k/z": file("3"),
      needless: gone,
      s: socket(),
      "etc/stub": file(""),
      etc: dir({ mtime: 500 }),
    };
    const { entries, unchanged, clamped, upper: root } = await diff(lower, upper, { epoch: 400, stubs: [path("etc/stub"), path("etc")] });
    const tar = `${root}.tar`;
    const tree = await writeLayer(entries, tar, writing);
    await removePaths(root, unchanged);
    await setAttributes(root, clamped);
    const target = `${root}.applied`;
    await applyLayer(tree, tar, target, { owners: "exact" });
    expect(listing(root)).toEqual(listing(target));
    expect(tree.entries.length).toBe(6);
  });
});
