import { execFileSync } from "node:child_process";
import { createReadStream, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { applyLayer } from "../../../store/layer/apply.ts";
import { diffUpper } from "../../../store/layer/diff.ts";
import { stackRootfs } from "../../../store/layer/rootfs.ts";
import { readLayer } from "../../../store/layer/tar-read.ts";
import { writeLayer } from "../../../store/layer/tar-write.ts";
import { decodeTree } from "../../../store/layer/tree.ts";
import { needs } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { block, char, dir, fifo, file, link, listing, makeTree, symlink, type Wanted } from "../../support/tree.ts";
import { treeBytes } from "../../support/tree-bytes.ts";

const ignoreNone = { sync: false, ignoreMtime: () => false };
const temp = temporaryDirectory("round-trip");

// cap_net_bind_service=ep, version 2.
const capability = Buffer.from("0100000200040000000000000000000000000000", "hex").toString("latin1");

// user::rw-, user:1000:rw-, group::r--, mask::rw-, other::r-- (struct posix_acl_xattr_header, version 2).
const acl = Buffer.from("0200000001000600ffffffff02000600e803000004000400ffffffff10000600ffffffff20000400ffffffff", "hex").toString(
  "latin1",
);

const everything: Record<string, Wanted> = {
  empty: file(""),
  "one-block": file("x".repeat(512)),
  "block-and-one": file("y".repeat(513)),
  large: file(Buffer.alloc(3_000_001, "abcdefg")),
  zeros: file(Buffer.alloc(300_000)),
  "bin/tool": file("#!/bin/sh\n", { mode: 0o4755, uid: 1000, gid: 50 }),
  "bin/capable": file("elf", { mode: 0o755, xattrs: { "security.capability": capability } }),
  sticky: dir({ mode: 0o1777, mtime: 5 }),
  setgid: dir({ mode: 0o2775, uid: 33, gid: 33 }),
  "big-ids": file("big", { uid: 3_000_000, gid: 4_000_000_000 }),
  "time-fraction": file("t", { mtime: 1_700_000_000.123456 }),
  "time-zero": file("t", { mtime: 0 }),
  "time-negative": file("t", { mtime: -1.5 }),
  "time-far": file("t", { mtime: 9_000_000_000 }),
  xattrs: file("x", { xattrs: { "user.text": "value", "user.binary": "\x00\xff\n=\x80", "user.empty": "" } }),
  acl: file("x", { xattrs: { "system.posix_acl_access": acl } }),
  "directory-xattr": dir({ xattrs: { "user.on-directory": "1" } }),
  "links/b-original": file("shared", { xattrs: { "user.shared": "yes" } }),
  "links/a-first": link("links/b-original"),
  "links/z-last": link("links/b-original"),
  relative: symlink("bin/tool"),
  absolute: symlink("/etc/../bin/tool", { uid: 7, gid: 8 }),
  dangling: symlink("nowhere"),
  "long-link": symlink(`${"d/".repeat(700)}x`),
  "umlaut-ä-日本": file("utf-8"),
  "umlaut-link": symlink("ä/日本"),
  [`${"n".repeat(100)}`]: file("exactly 100"),
  [`${"m".repeat(101)}`]: file("101, no split possible"),
  [`${"p".repeat(60)}/${"q".repeat(60)}`]: file("needs the prefix"),
  [`${"r".repeat(156)}/s`]: file("prefix of 156"),
  [`${"a/".repeat(200)}deep`]: file("deep"),
  "a-b": file("between a and a/b"),
  pipe: fifo({ mode: 0o600 }),
  null: char(1, 3, { mode: 0o666 }),
  disk: block(259, 65_537),
  "new\nline": file("n"),
  "back\\slash and space": file("n"),
};

describe("a directory, as a layer and back", needs("root", "attr"), () => {
  it("is the same by find, stat, getfattr and sha256sum", async () => {
    const source = join(temp, "source");
    mkdirSync(source);
    await makeTree(source, everything);
    const { entries, unchanged } = await diffUpper(source, stackRootfs([]), { owners: "exact" });
    expect(unchanged).toEqual([]);
    const tar = join(temp, "layer.tar");
    const tree = await writeLayer(entries, tar, ignoreNone);

    const target = join(temp, "target");
    await applyLayer(tree, tar, target, { owners: "exact" });
    expect(listing(target)).toEqual(listing(source));
    expect(readdirSync(temp).sort()).toEqual(["layer.tar", "source", "target"]);

    const { tree: read } = await readLayer(createReadStream(tar));
    expect(read).toEqual(tree);
    expect(decodeTree(treeBytes(tree))).toEqual(tree);
    expect(tree.size).toBe(readFileSync(tar).length);
    expect(tree.diffId).toBe(`sha256:${execFileSync("sha256sum", [tar]).toString().slice(0, 64)}`);
  });
});
