import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type ByteString, bytesOf, textOf } from "../../runtime-addon/index.ts";
import { digestOf } from "../../store/digest.ts";
import { applyLayer } from "../../store/layer/apply.ts";
import type { SourceEntry } from "../../store/layer/entry.ts";
import { type Rootfs, stackRootfs } from "../../store/layer/rootfs.ts";
import { contentsBytes, writeContents } from "../../store/layer/sparse-contents.ts";
import { writeLayer } from "../../store/layer/tar-write.ts";
import type { Tree } from "../../store/layer/tree.ts";
import {
  attributes,
  directoryEntry,
  fileEntry,
  hardlinkEntry,
  opaque,
  pax,
  raw,
  symlinkEntry,
  trailer,
  whiteout,
} from "../store/layer/samples.ts";
import { needs } from "../support/needs.ts";
import type { RequirementName } from "../support/requirements.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { listing } from "../support/tree.ts";

/** One way by which a layer's plain tar comes to its reader. */
export interface LayerCodec {
  read(tar: Buffer): Promise<Tree>;
}

interface Case {
  readonly name: string;
  readonly archive: readonly Buffer[];
  /** "kind path" of every entry, with size, link target or device. */
  readonly entries: readonly string[];
}

const directory = (name: string): Buffer => raw({ name, type: "5", mode: "0000755\0" });
const link = (name: string, linkName: string): Buffer => raw({ name, type: "1", linkName });
const symlink = (name: string, linkName: string): Buffer => raw({ name, type: "2", linkName });
const base256 = (value: number): string =>
  String.fromCharCode(0x80, 0, 0, 0, value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
const long = `${"directory/".repeat(15)}${"n".repeat(120)}`;

const cases: readonly Case[] = [
  {
    name: "ustar, with a prefix",
    archive: [raw({ name: "name", prefix: "some/directory" }, "x")],
    entries: ["file some/directory/name 1"],
  },
  { name: "a tar of before POSIX", archive: [raw({ name: "d/", magic: "\0\0\0\0\0\0\0\0" })], entries: ["directory d"] },
  {
    name: "PAX names and sizes",
    archive: [pax({ path: long, size: "3" }), raw({ sizeField: "00000000000\0" }, "abc")],
    entries: [`file ${long} 3`],
  },
  {
    name: "PAX records for all",
    archive: [pax({ uid: "4000000000" }, "g"), raw({ name: "a" }), raw({ name: "b" })],
    entries: ["file a 0", "file b 0"],
  },
  {
    name: "GNU's long names",
    archive: [raw({ name: "././@LongLink", type: "L" }, `${long}\0`), raw({ name: "cut", magic: "ustar  \0" }, "x")],
    entries: [`file ${long} 1`],
  },
  {
    name: "GNU's long link targets",
    archive: [raw({ name: "././@LongLink", type: "K" }, `${long}\0`), symlink("l", "cut")],
    entries: [`symlink l -> ${long}`],
  },
  { name: "base-256 numbers", archive: [raw({ name: "a", uid: base256(3_000_000_000), gid: base256(7) })], entries: ["file a 0"] },
  {
    name: "sparse files",
    archive: [pax({ "GNU.sparse.map": "5,3", "GNU.sparse.size": "4096", "GNU.sparse.name": "holes" }), raw({ name: "x" }, "abc")],
    entries: ["file holes 4096"],
  },
  { name: "hard links backward", archive: [raw({ name: "a" }, "x"), link("b", "a")], entries: ["file a 1", "hardlink b -> a"] },
  {
    name: "hard links of hard links",
    archive: [raw({ name: "c" }, "x"), link("b", "c"), link("a", "b")],
    entries: ["file a 1", "hardlink b -> a", "hardlink c -> a"],
  },
  { name: "hard links to lower layers", archive: [link("b", "lower")], entries: ["hardlink b -> lower"] },
  { name: "duplicate entries", archive: [raw({ name: "a" }, "1"), symlink("a", "x"), raw({ name: "a" }, "22")], entries: ["file a 2"] },
  { name: "missing parents", archive: [raw({ name: "a/b/c" }, "x")], entries: ["file a/b/c 1"] },
  {
    name: "absolute and dotted names",
    archive: [directory("./"), raw({ name: "/a" }), raw({ name: "./b" }), raw({ name: "c/./d//" })],
    entries: ["directory ", "file a 0", "file b 0", "directory c/d"],
  },
  { name: "names that are not UTF-8", archive: [raw({ name: "\xff\xfe" }, "x")], entries: ["file \ufffd\ufffd 1"] },
  { name: "names with newlines", archive: [raw({ name: "a\nb" })], entries: ["file a\nb 0"] },
  {
    name: "fifos and devices",
    archive: [raw({ name: "f", type: "6" }), raw({ name: "n", type: "3", major: "0000001\0", minor: "0000003\0" })],
    entries: ["fifo f", "char n 1,3"],
  },
  { name: "whiteouts", archive: [raw({ name: "d/.wh.gone" }), raw({ name: ".wh.top" })], entries: ["whiteout d/gone", "whiteout top"] },
  {
    name: "opaque directories, marked behind what is in them",
    archive: [directory("d"), raw({ name: "d/f" }), raw({ name: "d/.wh..wh..opq" })],
    entries: ["directory d", "opaque d", "file d/f 0"],
  },
  { name: "AUFS' bookkeeping", archive: [directory(".wh..wh.plnk"), raw({ name: ".wh..wh.aufs" })], entries: [] },
  { name: "no end mark", archive: [raw({ name: "a" })], entries: ["file a 0"] },
  { name: "trailing data", archive: [raw({ name: "a" }), trailer, Buffer.from("what nobody reads")], entries: ["file a 0"] },
  { name: "nothing", archive: [trailer], entries: [] },
];

/** What a layer can hold, one of each. */
const everything: readonly SourceEntry[] = [
  directoryEntry("", { mode: 0o1777 }),
  directoryEntry("d"),
  opaque("d"),
  fileEntry("d/capable", "x", {
    mode: 0o755,
    xattrs: { "security.capability": bytesOf("\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0") },
  }),
  fileEntry("d/setuid", "x", { mode: 0o6755, uid: 1234, gid: 5678 }),
  fileEntry("d/times", "x", { mtime: -5, mtimeNsec: 123_456_789 }),
  { ...fileEntry("", "x"), path: "d/latin-\xe9" as ByteString },
  { kind: "fifo", path: bytesOf("fifo"), ...attributes },
  fileEntry("file", "content"),
  hardlinkEntry("link", "file"),
  fileEntry("marked", "x", { xattrs: { "user.note": bytesOf("\0\xff=\n") } }),
  { kind: "char", path: bytesOf("null"), ...attributes, major: 1, minor: 3 },
  symlinkEntry("symlink", "d/latin"),
  whiteout("gone"),
];

/** The contract of what reads and writes layers, for each form in which a tar may come. */
export function describeLayerCodec(name: string, make: () => LayerCodec, ...need: readonly RequirementName[]): void {
  const temp = temporaryDirectory("codec");
  let count = 0;
  const fresh = (): string => join(temp, String(count++));

  const [first, ...others] = need;
  describe(`layer codec: ${name}`, first === undefined ? {} : needs(first, ...others), () => {
    const codec = make();

    it.each(cases)("reads $name", async ({ archive, entries }) => {
      const tar = Buffer.concat(archive);
      const tree = await codec.read(tar);
      expect(tree.entries.map(line)).toEqual(entries);
      expect(tree).toMatchObject({ diffId: digestOf(tar), size: tar.length });
      const file = fresh();
      writeFileSync(file, tar);
      const contents = contentsBytes(tree) === undefined ? file : `${file}.contents`;
      if (contents !== file) await writeContents(file, contents, tree);
      const bytes = readFileSync(contents);
      for (const entry of tree.entries) {
        if (entry.kind === "file") expect(digestOf(bytes.subarray(entry.offset, entry.offset + entry.size))).toBe(entry.digest);
      }
    });

    it("reads back what is written, which is the same for entries in any order", async () => {
      const [tar, other] = [fresh(), fresh()];
      const tree = await writeLayer(everything, tar, { sync: false, ignoreMtime: () => false });
      await writeLayer([...everything].reverse(), other, { sync: false, ignoreMtime: () => false });
      const bytes = readFileSync(tar);
      expect(readFileSync(other).equals(bytes)).toBe(true);
      expect(await codec.read(bytes)).toEqual(tree);
    });

    it("unpacks what it read to what was written", needs("root", "attr"), async () => {
      const tar = fresh();
      await writeLayer(everything, tar, { sync: false, ignoreMtime: () => false });
      const target = fresh();
      await applyLayer(await codec.read(readFileSync(tar)), tar, target, { owners: "exact" });
      expect(listing(target)).toEqual([
        "d d 755 0:0 1000000000.000000000  user.overlay.opaque=0x79",
        "d/capable f 755 0:0 1 1000000000.000000000  2d711642b726b044 security.capability=0x0100000200200000000000000000000000000000",
        "d/latin-\xe9 f 644 0:0 1 1000000000.000000000  2d711642b726b044",
        "d/setuid f 6755 1234:5678 1 1000000000.000000000  2d711642b726b044",
        "d/times f 644 0:0 1 -5.123456789  2d711642b726b044",
        "fifo p 644 0:0 1000000000.000000000",
        "file f 644 0:0 7 1000000000.000000000 = file  ed7002b439e9ac84",
        "gone removed",
        "link f 644 0:0 7 1000000000.000000000 = file  ed7002b439e9ac84",
        "marked f 644 0:0 1 1000000000.000000000  2d711642b726b044 user.note=0x00c3bf3d0a",
        "null c 644 0:0 1000000000.000000000  1:3",
        "symlink l 0:0 1000000000.000000000 -> d/latin",
      ]);
    });

    it("stacks: whiteouts and opaque directories hide what is below, hard links lead there", async () => {
      const layer = async (...parts: Buffer[]) => ({ tree: await codec.read(Buffer.concat(parts)), tar: async () => "" });
      const rootfs = stackRootfs([
        await layer(raw({ name: "lower" }, "x"), raw({ name: "d/old" }), raw({ name: "gone" }), raw({ name: "kept" })),
        await layer(link("b", "lower"), raw({ name: ".wh.gone" }), directory("d"), raw({ name: "d/.wh..wh..opq" }), raw({ name: "d/new" })),
      ]);
      expect(paths(rootfs)).toEqual(["file b", "directory d", "file d/new", "file kept", "file lower"]);
    });
  });
}

function paths(rootfs: Rootfs): string[] {
  return [...rootfs.walk(bytesOf(""))].map(({ kind, path }) => `${kind} ${textOf(path)}`);
}

function line(entry: Tree["entries"][number]): string {
  const text = `${entry.kind} ${textOf(entry.path)}`;
  if (entry.kind === "file") return `${text} ${entry.size}`;
  if (entry.kind === "char" || entry.kind === "block") return `${text} ${entry.major},${entry.minor}`;
  return "target" in entry ? `${text} -> ${textOf(entry.target)}` : text;
}
