import { describe, expect, it } from "vitest";
import { bytesFrom, bytesOf } from "../../../runtime-addon/index.ts";
import { digestOf } from "../../../store/digest.ts";
import { contentIdOf } from "../../../store/layer/content-id.ts";
import type { NodeEntry, TreeEntry } from "../../../store/layer/entry.ts";
import { decodeTree, type Tree } from "../../../store/layer/tree.ts";
import { treeBytes } from "../../support/tree-bytes.ts";
import { attributes, directoryEntry } from "./samples.ts";

const file = (path: string, content: string, more: object = {}): TreeEntry => ({
  kind: "file",
  path: bytesOf(path),
  ...attributes,
  size: content.length,
  digest: digestOf(content),
  offset: 512,
  ...more,
});
const binary = bytesFrom(Uint8Array.from({ length: 256 }, (_, i) => i));
const entries: TreeEntry[] = [
  directoryEntry("", { mode: 0o1777 }),
  file('quote"back\\slash\nä', "x", { uid: 1, gid: 2, mtime: -5, mtimeNsec: 7, xattrs: { "user.b": binary, "user.a": "" } }),
  { ...file("x", "y"), path: bytesFrom(Uint8Array.of(0xff, 0x80, 1, 0x7f)) },
  { kind: "symlink", path: bytesOf("s"), ...attributes, target: bytesOf("ä/b") },
  { kind: "hardlink", path: bytesOf("t"), ...attributes, target: bytesOf("x") },
  { kind: "char", path: bytesOf("u"), ...attributes, major: 1, minor: 0 },
  { kind: "block", path: bytesOf("v"), ...attributes, major: 0, minor: 9 },
  { kind: "fifo", path: bytesOf("w"), ...attributes },
  { kind: "whiteout", path: bytesOf("y") },
  directoryEntry("z"),
  { kind: "opaque", path: bytesOf("z") },
];
const tree: Tree = { diffId: digestOf("d"), contentId: digestOf("c"), size: 1024, entries };

describe("a tree on disk", () => {
  it("is read back the same", () => expect(decodeTree(treeBytes(tree))).toEqual(tree));

  it("is JSON with the field names of the eStargz TOC, names as their bytes", () => {
    const { entries: stored } = JSON.parse(treeBytes({ ...tree, entries: entries.slice(1, 2) }).toString("utf8"));
    expect(stored).toEqual([
      {
        name: 'quote"back\\slash\nä',
        type: "reg",
        size: 1,
        modtime: -5,
        modtimeNsec: 7,
        mode: 0o644,
        uid: 1,
        gid: 2,
        digest: digestOf("x"),
        offset: 512,
        xattrs: { "user.b": Buffer.from(binary, "latin1").toString("base64"), "user.a": "" },
      },
    ]);
  });

  it.each<[string, (text: string) => string, string]>([
    ["another version", (text) => text.replace('"version":2', '"version":3'), "reading a layer's tree: its version is 3, not 2"],
    ["no version", (text) => text.replace('"version":2', '"form":2'), "reading a layer's tree: its version is undefined, not 2"],
    ["no JSON", (text) => text.slice(1), "reading a layer's tree: it is not JSON"],
    ["no entries", (text) => text.replace('"entries"', '"entry"'), "reading a layer's tree: a field is missing"],
    ["an unknown type", (text) => text.replace('"fifo"', '"door"'), 'reading a layer\'s tree: the entry "w" is malformed'],
    [
      "a file without a digest",
      (text) => text.replace(/"digest":"[^"]*"/, '"digest":1'),
      'reading a layer\'s tree: the entry "quote\\"back\\\\slash\\nä" is malformed',
    ],
    [
      "a negative offset",
      (text) => text.replace('"offset":512', '"offset":-1'),
      'reading a layer\'s tree: the entry "quote\\"back\\\\slash\\nä" is malformed',
    ],
    [
      "a path out of the root",
      (text) => text.replace('"name":"w"', '"name":"../w"'),
      'reading a layer\'s tree: "../w" is not a normalised relative path',
    ],
  ])("%s is refused", (_name, damage, message) => {
    const whole = treeBytes(tree).toString("latin1");
    const body = Buffer.from(damage(whole.slice(0, whole.lastIndexOf(',"checksum"'))), "latin1");
    const signed = Buffer.concat([body, Buffer.from(`,"checksum":"${digestOf(body)}"}\n`)]);
    expect(() => decodeTree(signed)).toThrowError(expect.objectContaining({ message }));
  });
});

describe("contentId", () => {
  const all = { ignoreMtime: () => false };
  const idOf = (list: readonly TreeEntry[], options: { ignoreMtime: (entry: NodeEntry) => boolean } = all) => contentIdOf(list, options);

  it("never changes within a version", () => {
    expect(idOf(entries)).toBe("sha256:6353fe9cde5bfed12dc8a53b4f17202a2c5782152e3514db2b6690209c40eab0");
  });
  it("does not depend on where contents are, nor on a hard link's own attributes", () => {
    const moved = entries.map((entry) =>
      entry.kind === "file"
        ? { ...entry, offset: entry.offset + 512 }
        : entry.kind === "hardlink"
          ? { ...entry, mode: 0, mtime: 9 }
          : entry,
    );
    expect(idOf(moved)).toBe(idOf(entries));
  });
  it.each<[string, object]>([
    ["path", { path: bytesOf("b") }],
    ["mode", { mode: 0o600 }],
    ["uid", { uid: 1 }],
    ["gid", { gid: 1 }],
    ["mtime", { mtime: 5 }],
    ["nanoseconds", { mtimeNsec: 5 }],
    ["digest", { digest: digestOf("other") }],
    ["attribute value", { xattrs: { "user.a": "2" } }],
    ["attribute name", { xattrs: { "user.b": "1" } }],
    ["attributes", { xattrs: undefined }],
  ])("depends on the %s", (_name, change) => {
    const one = file("a", "x", { xattrs: { "user.a": "1" } });
    expect(idOf([{ ...one, ...change } as TreeEntry])).not.toBe(idOf([one]));
  });
  it("leaves out the times that it is told to, and no others", () => {
    const a = [file("a", "x", { mtime: 1 }), file("b", "x", { mtime: 2 })];
    const b = [file("a", "x", { mtime: 9 }), file("b", "x", { mtime: 2 })];
    const ignoreA = { ignoreMtime: (entry: NodeEntry) => entry.path === "a" };
    expect(idOf(a, ignoreA)).toBe(idOf(b, ignoreA));
    expect(idOf(a)).not.toBe(idOf(b));
    expect(idOf(a, ignoreA)).not.toBe(idOf([file("a", "x", { mtime: 1 }), file("b", "x", { mtime: 3 })], ignoreA));
  });
  it("tells neighbouring fields apart", () => {
    const symlinkTo = (path: string, target: string): TreeEntry => ({
      kind: "symlink",
      path: bytesOf(path),
      ...attributes,
      target: bytesOf(target),
    });
    expect(idOf([symlinkTo("a", "bc")])).not.toBe(idOf([symlinkTo("ab", "c")]));
    expect(idOf([{ kind: "whiteout", path: bytesOf("a") }])).not.toBe(idOf([{ kind: "opaque", path: bytesOf("a") }]));
  });

  it("is refused when any of its bits is another", () => {
    const whole = treeBytes(tree);
    const refused = expect.objectContaining({ message: "reading a layer's tree: its checksum is not that of its bytes" });
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole);
      damaged[at] = (whole[at] ?? 0) ^ (1 << (at % 8));
      expect(() => decodeTree(damaged)).toThrowError(refused);
    }
    for (const length of [0, 1, 20, whole.length - 1]) expect(() => decodeTree(whole.subarray(0, length))).toThrowError(refused);
  });
});
