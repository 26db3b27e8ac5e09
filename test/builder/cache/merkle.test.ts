import { describe, expect, it } from "vitest";
import { type MerkleOptions, merkleOf } from "../../../builder/cache/merkle.ts";
import type { SourceNode } from "../../../builder/steps/copy-source.ts";
import { irrelevantTo, sourceMerkles } from "../../../builder/steps/source-merkles.ts";
import { type ByteString, bytesOf } from "../../../runtime-addon/index.ts";
import { type Digest, digestOf } from "../../../store/digest.ts";
import { attributes, directoryEntry, hardlinkEntry, symlinkEntry } from "../../store/layer/samples.ts";

const dir = (path: string, change: object = {}) => ({ ...directoryEntry(path), ...change }) as SourceNode;
const file = (path: string, change: object = {}) =>
  ({ kind: "file", path: bytesOf(path), ...attributes, size: 1, ...change }) as SourceNode;
const link = (path: string, target: string) => symlinkEntry(path, target) as SourceNode;
const hard = (path: string, target: string) => hardlinkEntry(path, target) as SourceNode;
const device = (path: string, major: number, kind = "char") =>
  ({ kind, path: bytesOf(path), ...attributes, major, minor: 1 }) as SourceNode;

const strict: MerkleOptions = { ignoreModes: false, ignoreOwners: false };
/** All files have one content, but for those whose `content` says otherwise. */
const contentOf = (node: SourceNode): Digest => digestOf("content" in node ? String(node.content) : "same");
const rootOf = (nodes: readonly SourceNode[], options = strict) => merkleOf(nodes, contentOf, options).root;

const tree = (change: { file?: object; sub?: object; root?: object } = {}): SourceNode[] => [
  dir("", change.root),
  dir("d", change.sub),
  file("d/f", change.file),
  link("d/l", "f"),
  device("d/n", 1),
  file("e"),
];
const root = rootOf(tree());
const withXattr = (name: string, value: string) => ({ xattrs: { [name]: value as ByteString } });

describe("the Merkle root", () => {
  it.each<[what: string, other: SourceNode[]]>([
    ["a content", tree({ file: { content: "other" } })],
    ["a file's mode", tree({ file: { mode: 0o755 } })],
    ["a directory's mode", tree({ sub: { mode: 0o700 } })],
    ["a directory that only leads to what is taken", tree({ sub: { leads: true } })],
    ["a uid", tree({ file: { uid: 1 } })],
    ["a gid", tree({ file: { gid: 1 } })],
    ["an extended attribute", tree({ file: withXattr("user.a", "1") })],
    ["a name", tree().map((node) => (node.path === "e" ? { ...node, path: bytesOf("g") } : node))],
    ["a name whose bytes are no UTF-8", tree().map((node) => (node.path === "e" ? { ...node, path: "\xff" as ByteString } : node))],
    ["a file less", tree().slice(0, -1)],
    ["an empty directory more", [...tree(), dir("g")]],
    ["a link's target", tree().map((node) => (node.kind === "symlink" ? ({ ...node, target: bytesOf("e") } as SourceNode) : node))],
    ["a link in place of a file", [...tree().slice(0, -1), link("e", "f")]],
    ["a device's number", tree().map((node) => (node.kind === "char" ? device("d/n", 2) : node))],
    ["a block device in place of a character device", tree().map((node) => (node.kind === "char" ? device("d/n", 1, "block") : node))],
    ["a hard link in place of an equal file", [...tree().slice(0, -1), hard("e", "d/f")]],
    ["a file that moved up", [dir(""), dir("d"), link("d/l", "f"), device("d/n", 1), file("e"), file("f")]],
  ])("changes with %s", (_what, other) => {
    expect(rootOf(other)).not.toBe(root);
  });

  it("tells names that are no UTF-8 apart", () => {
    const named = (name: ByteString) => rootOf([dir(""), { ...file("x"), path: name }]);
    expect(new Set([named("\xff" as ByteString), named("\xfe" as ByteString), named(bytesOf("\ufffd"))]).size).toBe(3);
  });

  it.each<[what: string, other: SourceNode[]]>([
    [
      "mode, owner and attributes of a directory whose content is copied",
      tree({ root: { mode: 0o700, uid: 7, ...withXattr("user.a", "1") } }),
    ],
    ["times", tree({ file: { mtime: 5, mtimeNsec: 7 }, sub: { mtime: 6 }, root: { mtime: 7 } })],
    ["the mode of a symlink", tree().map((node) => (node.kind === "symlink" ? { ...node, mode: 0o700 } : node))],
    ["the order of siblings", [dir(""), file("e"), dir("d"), device("d/n", 1), link("d/l", "f"), file("d/f")]],
  ])("does not change with %s", (_what, other) => {
    expect(rootOf(other)).toBe(root);
  });

  it("leaves out modes or owners where they are set anyway", () => {
    const modes = tree({ file: { mode: 0o755 }, sub: { mode: 0o700 } });
    const owners = tree({ file: { uid: 7 }, sub: { gid: 7 } });
    const [noModes, noOwners] = [
      { ...strict, ignoreModes: true },
      { ...strict, ignoreOwners: true },
    ];
    expect(rootOf(modes, noModes)).toBe(rootOf(tree(), noModes));
    expect(rootOf(owners, noModes)).not.toBe(rootOf(tree(), noModes));
    expect(rootOf(owners, noOwners)).toBe(rootOf(tree(), noOwners));
    expect(rootOf(modes, noOwners)).not.toBe(rootOf(tree(), noOwners));
  });

  it("has the mode of a directory that only leads to what is taken: over one that is there it is set whatever --chmod says", () => {
    const noModes = { ...strict, ignoreModes: true };
    const leading = (mode: number) => tree({ sub: { leads: true, mode } });
    expect(rootOf(leading(0o700), noModes)).not.toBe(rootOf(leading(0o755), noModes));
  });

  it("is that of a file alone", () => {
    expect(rootOf([file("")])).toBe(rootOf([file("", { mtime: 1 })]));
    expect(rootOf([file("")])).not.toBe(rootOf([file("", { content: "other" })]));
  });

  it("keeps the text of each directory under its digest: equal ones once", () => {
    const { nodes } = merkleOf([dir(""), dir("a"), file("a/f"), dir("b"), file("b/f")], contentOf, strict);
    expect(nodes.size).toBe(2);
    for (const [digest, text] of nodes) expect(digestOf(text)).toBe(digest);
  });

  it("cannot be forged by a name that looks like two rows", () => {
    const forged = `a","file","644","0:0","${digestOf("same")}",null]\n["b`;
    expect(rootOf([dir(""), file(forged)])).not.toBe(rootOf([dir(""), file("a"), file("b")]));
  });

  it("is found for 20,000 files without a deep stack", () => {
    const many = [dir(""), ...Array.from({ length: 20_000 }, (_, i) => file(`f${i}`))];
    expect(rootOf(many)).toBe(rootOf([dir(""), ...many.slice(1).reverse()]));
  });

  it("refuses a list without the source itself", () => {
    expect(() => rootOf([file("a")])).toThrow(new RangeError("a source without its own node"));
  });
});

describe("the roots of a COPY", () => {
  const rootWith = (flags: { chmod?: string; chown?: string }, node: object = {}, name = "s") =>
    sourceMerkles([{ name: name as ByteString, nodes: [file("", node)] }], contentOf, irrelevantTo(flags))[0]?.root;

  it("depend on what a source is called, byte by byte", () => {
    expect(new Set([rootWith({}), rootWith({}, {}, "t"), rootWith({}, {}, "\xff"), rootWith({}, {}, "\xfe")]).size).toBe(4);
  });

  it("do not depend on modes that a number replaces", () => {
    expect(rootWith({ chmod: "644" }, { mode: 0o755 })).toBe(rootWith({ chmod: "644" }));
  });

  it("depend on modes that a symbolic mode changes", () => {
    expect(rootWith({ chmod: "u+x" }, { mode: 0o640 })).not.toBe(rootWith({ chmod: "u+x" }));
  });

  it("do not depend on owners that --chown replaces", () => {
    expect(rootWith({ chown: "7" }, { uid: 3 })).toBe(rootWith({ chown: "7" }));
    expect(rootWith({}, { uid: 3 })).not.toBe(rootWith({}));
  });
});
