import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { bytesOf, textOf } from "../../../runtime-addon/index.ts";
import { defaultLayerLimits } from "../../../store/layer/layer-limits.ts";
import { readLayer } from "../../../store/layer/tar-read.ts";
import type { Tree } from "../../../store/layer/tree.ts";
import { chunked, pax, type RawHeader, raw, trailer } from "./samples.ts";

const read = async (...parts: Uint8Array[]): Promise<Tree> => (await readLayer(chunked(Buffer.concat(parts)))).tree;
const dir = (name: string): Buffer => raw({ name, type: "5", mode: "0000755\0" });
const link = (name: string, target: string): Buffer => raw({ name, type: "1", linkName: target });
const symlink = (name: string, target: string): Buffer => raw({ name, type: "2", linkName: target });

/** "kind path", and where a file's content or a link's target tells versions apart, that too. */
function summary(tree: Tree): string[] {
  return tree.entries.map((entry) => {
    const text = `${entry.kind} ${textOf(entry.path)}`;
    if (entry.kind === "file") return `${text} ${entry.size}`;
    return entry.kind === "symlink" || entry.kind === "hardlink" ? `${text} -> ${textOf(entry.target)}` : text;
  });
}

describe("names are normalised", () => {
  it.each([
    ["./a", "a"],
    ["/a", "a"],
    ["//a///b//", "a/b"],
    ["a/./b/.", "a/b"],
    ["././/./a", "a"],
    [".a", ".a"],
    ["..a/b..", "..a/b.."],
    ["a/...", "a/..."],
  ])("%s", async (name, expected) => {
    expect(summary(await read(dir(name)))).toEqual([`directory ${expected}`]);
  });

  it.each(["./", ".", "/", "./.", ""])("%j is the root", async (name) => {
    expect(summary(await read(dir(name)))).toEqual(["directory "]);
  });

  it("of hard links' targets too", async () => {
    expect(summary(await read(raw({ name: "./a/b" }, "x"), link("c", "/a/./b")))).toEqual(["file a/b 1", "hardlink c -> a/b"]);
  });

  it("a file whose name ends in a slash is a directory, as before POSIX", async () => {
    expect(summary(await read(raw({ name: "old/", type: "\0", magic: "\0\0\0\0\0\0\0\0" })))).toEqual(["directory old"]);
  });
});

describe("numbers", () => {
  const one = async (header: RawHeader, ...before: Uint8Array[]) => (await read(...before, raw({ name: "f", ...header }))).entries[0];

  it.each<[string, RawHeader, object]>([
    ["octal with spaces around", { mode: "   755 \0", uid: " 12   \0", gid: "7      " }, { mode: 0o755, uid: 10, gid: 7 }],
    ["octal that fills its field", { uid: "17777777", mode: "00004755" }, { uid: 0o17777777, mode: 0o4755 }],
    ["empty fields", { mode: "\0\0\0\0\0\0\0\0", uid: "        ", mtime: "\0" }, { mode: 0, uid: 0, mtime: 0 }],
    ["file type bits in the mode", { mode: "0100644\0" }, { mode: 0o644 }],
    ["base-256 ids", { uid: "\x80\0\0\0\xff\xff\xff\xfe" }, { uid: 4_294_967_294 }],
    ["negative base-256 times", { mtime: "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe" }, { mtime: -2, mtimeNsec: 0 }],
    ["a checksum of signed bytes", { name: "\xe4", checksum: undefined as never }, { path: "\xe4" }],
  ])("%s", async (_name, header, expected) => {
    expect(await one(header)).toMatchObject(expected);
  });

  it.each<[string, Record<string, string>, object]>([
    ["a whole PAX time", { mtime: "1700000000" }, { mtime: 1_700_000_000, mtimeNsec: 0 }],
    ["a fraction", { mtime: "1.5" }, { mtime: 1, mtimeNsec: 500_000_000 }],
    ["more decimals than nanoseconds", { mtime: "1.1234567899" }, { mtime: 1, mtimeNsec: 123_456_789 }],
    ["a negative fraction", { mtime: "-1.25" }, { mtime: -2, mtimeNsec: 750_000_000 }],
    ["a negative time", { mtime: "-7" }, { mtime: -7, mtimeNsec: 0 }],
    ["minus zero", { mtime: "-0" }, { mtime: 0, mtimeNsec: 0 }],
    ["ids", { uid: "4000000000", gid: "3000000000" }, { uid: 4_000_000_000, gid: 3_000_000_000 }],
    ["an empty value, which takes the record back", { path: "", mtime: "" }, { path: "f", mtime: 0 }],
    ["access times, names and comments, which say nothing here", { atime: "1", ctime: "x", uname: "root", comment: "c" }, { path: "f" }],
  ])("%s", async (_name, records, expected) => {
    expect(await one({}, pax(records))).toMatchObject(expected);
  });

  it("a signed checksum is accepted", async () => {
    const block = raw({ name: "\xe4" });
    const unsigned = Number.parseInt(block.toString("latin1", 148, 154), 8);
    block.write(`${(unsigned - 256).toString(8).padStart(6, "0")}\0 `, 148, "latin1");
    expect(summary(await read(block))).toEqual(["file \ufffd 0"]);
  });
});

describe("headers that speak about the next entry", () => {
  const long = `${"d/".repeat(150)}f`;
  it("a PAX path, from raw bytes", async () => {
    expect((await read(pax({ path: "\xff\xe4/x" }), raw({ name: "short" }))).entries[0]?.path).toBe("\xff\xe4/x");
  });
  it("GNU long name and link", async () => {
    const tree = await read(raw({ type: "L" }, `${long}\0`), raw({ type: "K" }, `${long}2\0`), symlink("s", "t"), raw({ name: "next" }));
    expect(summary(tree)).toEqual([`symlink ${long} -> ${long}2`, "file next 0"]);
  });
  it("PAX wins over GNU's", async () => {
    expect(summary(await read(pax({ path: "pax" }), raw({ type: "L" }, "gnu\0"), raw({ name: "ustar" })))).toEqual(["file pax 0"]);
  });
  it("the ustar prefix, but not under GNU's magic", async () => {
    expect(summary(await read(raw({ name: "n", prefix: "p/q" }), raw({ name: "m", prefix: "x", magic: "ustar  \0" })))).toEqual([
      "file m 0",
      "file p/q/n 0",
    ]);
  });
  it("global records hold for all that follow, local ones for one", async () => {
    const tree = await read(
      pax({ uid: "7", comment: "git archive" }, "g"),
      raw({ name: "a" }),
      pax({ uid: "8" }),
      raw({ name: "b" }),
      raw({ name: "c" }),
    );
    expect(tree.entries.map((entry) => "uid" in entry && entry.uid)).toEqual([7, 8, 7]);
  });
  it("a PAX size", async () => {
    const content = raw({ name: "f", size: 0 }, "12345");
    expect(summary(await read(pax({ size: "5" }), content, raw({ name: "g" })))).toEqual(["file f 5", "file g 0"]);
  });
  it("a volume label is no entry", async () => {
    expect(summary(await read(raw({ name: "label", type: "V" }), raw({ name: "f" })))).toEqual(["file f 0"]);
  });
});

describe("extended attributes", () => {
  const xattrsOf = async (records: Record<string, string>) => {
    const entry = (await read(pax(records), raw({ name: "f" }))).entries[0];
    return entry !== undefined && "xattrs" in entry ? entry.xattrs : undefined;
  };
  it("are kept as bytes, empty ones too", async () => {
    expect(await xattrsOf({ "SCHILY.xattr.user.a": "\0\xff=\n", "SCHILY.xattr.user.empty": "" })).toEqual({
      "user.a": "\0\xff=\n",
      "user.empty": "",
    });
  });
  it("of libarchive are decoded, and give way to the plain form", async () => {
    expect(await xattrsOf({ "LIBARCHIVE.xattr.user.a%3Db": "AP8", "LIBARCHIVE.xattr.user.c": "eA", "SCHILY.xattr.user.c": "y" })).toEqual({
      "user.a=b": "\0\xff",
      "user.c": "y",
    });
  });
  it("that only overlay or another system knows are dropped", async () => {
    const foreign = { "SCHILY.xattr.com.apple.quarantine": "x", "SCHILY.xattr.__proto__": "x" };
    expect(await xattrsOf({ "SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.user.overlay.redirect": "/x", ...foreign })).toBe(
      undefined,
    );
  });
});

describe("the archive's order", () => {
  it.each<[string, Buffer[], string[]]>([
    ["the last of a path wins", [raw({ name: "a" }, "1"), raw({ name: "./a" }, "22")], ["file a 2"]],
    ["children may come before their directory", [raw({ name: "a/b" }, "1"), dir("a")], ["directory a", "file a/b 1"]],
    ["a directory twice keeps what is in it", [dir("a"), raw({ name: "a/b" }), dir("a")], ["directory a", "file a/b 0"]],
    [
      "a file in the place of a directory takes all that was in it",
      [dir("a"), raw({ name: "a/b/c" }), raw({ name: "a" }, "x")],
      ["file a 1"],
    ],
    [
      "and a directory in the file's place begins empty",
      [raw({ name: "a/b" }), raw({ name: "a" }), dir("a"), raw({ name: "a/c" })],
      ["directory a", "file a/c 0"],
    ],
    ["a symlink in the place of a directory takes all that was in it", [raw({ name: "a/b" }), symlink("a", "c")], ["symlink a -> c"]],
    [
      "entries below a symlink go where it leads",
      [dir("usr/lib/"), symlink("lib", "usr/lib"), raw({ name: "lib/x" })],
      ["symlink lib -> usr/lib", "directory usr/lib", "file usr/lib/x 0"],
    ],
    [
      "an absolute symlink leads from the layer's root",
      [symlink("a/l", "/t"), raw({ name: "a/l/x" })],
      ["symlink a/l -> /t", "file t/x 0"],
    ],
    [
      "a symlink upwards stays in the layer",
      [symlink("l", "../../../../etc"), raw({ name: "l/passwd" }, "x")],
      ["file etc/passwd 1", "symlink l -> ../../../../etc"],
    ],
    [
      "a directory twice over a symlink is a directory",
      [symlink("l", "t"), raw({ name: "l/x" }), dir("l"), raw({ name: "l/y" })],
      ["directory l", "file l/y 0", "file t/x 0"],
    ],
    [
      "a symlink replaced by another leads there",
      [symlink("l", "t"), raw({ name: "l/x" }), symlink("l", "u"), raw({ name: "l/y" })],
      ["symlink l -> u", "file t/x 0", "file u/y 0"],
    ],
    [
      "a symlink that is gone leads nowhere",
      [symlink("a/l", "/t"), raw({ name: "a" }), dir("a"), raw({ name: "a/l/x" })],
      ["directory a", "file a/l/x 0"],
    ],
  ])("%s", async (_name, parts, expected) => {
    expect(summary(await read(...parts))).toEqual(expected);
  });
});

describe("hard links", () => {
  it.each<[string, Buffer[], string[]]>([
    [
      "the first name in order is the file",
      [raw({ name: "m" }, "1"), link("z", "m"), link("a", "z")],
      ["file a 1", "hardlink m -> a", "hardlink z -> a"],
    ],
    [
      "keep what they were made of when the target is replaced",
      [raw({ name: "a" }, "1"), link("b", "a"), raw({ name: "a" }, "22")],
      ["file a 2", "file b 1"],
    ],
    [
      "keep it when the target's directory is replaced",
      [raw({ name: "d/a" }, "1"), link("b", "d/a"), raw({ name: "d" }, "22")],
      ["file b 1", "file d 2"],
    ],
    ["to a symlink are a symlink", [symlink("a", "x"), link("b", "a")], ["symlink a -> x", "symlink b -> x"]],
    ["to themselves change nothing", [raw({ name: "a" }, "1"), link("a", "a")], ["file a 1"]],
    ["into lower layers stay", [link("b", "lower/a"), link("c", "b")], ["hardlink b -> lower/a", "hardlink c -> lower/a"]],
    [
      "through a symlink of the layer",
      [raw({ name: "d/a" }, "1"), symlink("l", "d"), link("b", "l/a")],
      ["file b 1", "hardlink d/a -> b", "symlink l -> d"],
    ],
  ])("%s", async (_name, parts, expected) => {
    expect(summary(await read(...parts))).toEqual(expected);
  });

  it("have their file's attributes, not their own header's", async () => {
    const { entries } = await read(
      raw({ name: "a", mode: "0004755\0", uid: "0000005\0" }),
      raw({ name: "b", type: "1", linkName: "a", mode: "0000777\0" }),
    );
    expect(entries[1]).toMatchObject({ kind: "hardlink", mode: 0o4755, uid: 5 });
  });
});

describe("removals", () => {
  const wh = (name: string): Buffer => raw({ name });
  it.each<[string, Buffer[], string[]]>([
    ["of a name", [wh("a/.wh.b"), wh(".wh.c")], ["whiteout a/b", "whiteout c"]],
    ["of all in a directory", [dir("a"), wh("a/.wh..wh..opq"), wh(".wh..wh..opq")], ["opaque ", "directory a"]],
    ["an opaque directory", [wh("a/.wh..wh..opq"), dir("a"), raw({ name: "a/b" })], ["directory a", "opaque a", "file a/b 0"]],
    [
      "of what the layer has as a directory: it is opaque",
      [wh(".wh.a"), dir("a"), raw({ name: "a/b" })],
      ["directory a", "opaque a", "file a/b 0"],
    ],
    ["of what the layer implies as a directory: likewise", [wh(".wh.a"), raw({ name: "a/b" })], ["opaque a", "file a/b 0"]],
    ["of what the layer has as a file say nothing more, before", [wh(".wh.a"), raw({ name: "a" })], ["file a 0"]],
    ["nor behind", [raw({ name: "a" }), wh(".wh.a")], ["file a 0"]],
    ["below removals say nothing more", [wh(".wh.a"), wh("a/.wh.b"), wh("a/c/.wh..wh..opq")], ["whiteout a"]],
    ["below opaque directories say nothing more", [dir("a"), wh("a/.wh..wh..opq"), wh("a/.wh.b")], ["directory a", "opaque a"]],
    ["below a file say nothing", [raw({ name: "a" }), wh("b/.wh.c")], ["file a 0", "whiteout b/c"]],
    [
      "AUFS' bookkeeping is skipped",
      [wh(".wh..wh.aufs"), dir(".wh..wh.plnk"), wh(".wh..wh.plnk/1.2"), wh("a/.wh..wh.x"), raw({ name: "f" })],
      ["file f 0"],
    ],
    ["with content", [raw({ name: ".wh.a" }, "x".repeat(1000)), raw({ name: "f" })], ["whiteout a", "file f 0"]],
  ])("%s", async (_name, parts, expected) => {
    expect(summary(await read(...parts))).toEqual(expected);
  });
});

describe("bytes", () => {
  const content = "c".repeat(700);
  const archive = Buffer.concat([
    pax({ mtime: "1.5", "SCHILY.xattr.user.a": "\n" }),
    raw({ name: "a" }, content),
    raw({ type: "L" }, `${"n/".repeat(300)}\0`),
    raw({ name: "x" }, "long"),
    dir("d/"),
    link("l", "a"),
    trailer,
    Buffer.from("what follows the end mark belongs to the diffId"),
  ]);

  it("make the diffId, the digests and the offsets, however they are cut", async () => {
    const expected = await read(archive);
    const { entries } = expected;
    expect(expected.diffId).toBe(`sha256:${createHash("sha256").update(archive).digest("hex")}`);
    expect(expected.size).toBe(archive.length);
    const [a] = entries;
    if (a?.kind !== "file") throw new Error("a is no file");
    expect(a.offset).toBe(1536);
    expect(archive.toString("latin1", a.offset, a.offset + a.size)).toBe(content);
    expect(a.digest).toBe(`sha256:${createHash("sha256").update(content).digest("hex")}`);
    for (const size of [1, 2, 3, 7, 100, 511, 512, 513, 1000, 1024]) {
      expect((await readLayer(chunked(archive, size))).tree).toEqual(expected);
    }
  });

  it("are handed on before they are looked into, waiting where asked to", async () => {
    const seen: Buffer[] = [];
    await readLayer(chunked(archive, 1000), {
      onChunk: async (chunk) => {
        await new Promise((resolve) => setImmediate(resolve));
        seen.push(Buffer.from(chunk));
      },
    });
    expect(Buffer.concat(seen)).toEqual(archive);
  });

  it("may lack one or both blocks of the end mark, or all", async () => {
    for (const end of [Buffer.alloc(0), Buffer.alloc(512), Buffer.alloc(10_240)]) {
      expect(summary(await read(raw({ name: "a" }), end))).toEqual(["file a 0"]);
    }
    expect((await read()).entries).toEqual([]);
  });
});

describe("attacks", () => {
  const deep = "a/".repeat(2047);
  it.each<[string, Buffer[], string, string]>([
    [
      "a name upwards",
      [raw({ name: "../../etc/passwd" })],
      "UNSAFE_PATH",
      'reading a tar: at byte 0: the name "../../etc/passwd" holds ".."',
    ],
    [
      "a name that goes up in the middle",
      [raw({ name: "a/../../b" })],
      "UNSAFE_PATH",
      'reading a tar: at byte 0: the name "a/../../b" holds ".."',
    ],
    ["a PAX path upwards", [pax({ path: "/../x" }), raw({})], "UNSAFE_PATH", 'reading a tar: at byte 1024: the name "/../x" holds ".."'],
    [
      "a hard link out of the root",
      [link("a", "../../etc/shadow")],
      "UNSAFE_PATH",
      'reading a tar: at byte 0: the name "../../etc/shadow" holds ".."',
    ],
    [
      "a hard link to a directory",
      [dir("a"), link("b", "a")],
      "INVALID_TAR",
      'reading a tar: at byte 512: "b" is a hard link to a directory',
    ],
    ["a removal of ..", [raw({ name: "a/.wh..." })], "UNSAFE_PATH", 'reading a tar: at byte 0: "a/.wh..." removes no name'],
    ["a removal of .", [raw({ name: ".wh.." })], "UNSAFE_PATH", 'reading a tar: at byte 0: ".wh.." removes no name'],
    ["a removal of nothing", [raw({ name: ".wh." })], "UNSAFE_PATH", 'reading a tar: at byte 0: ".wh." removes no name'],
    [
      "a file below a removal",
      [raw({ name: ".wh.a/b" })].map((b) => b),
      "RESERVED_NAME",
      'reading a tar: at byte 0: ".wh.a/b" lies below a removal',
    ],
    [
      "a file below a file",
      [raw({ name: "a" }), raw({ name: "a/b" })],
      "INVALID_TAR",
      'reading a tar: at byte 512: an entry lies below "a", which is no directory',
    ],
    [
      "a file far below a file",
      [raw({ name: "a/b/c" }), raw({ name: "a" }), raw({ name: "a/b/d" })],
      "INVALID_TAR",
      'reading a tar: at byte 1024: an entry lies below "a", which is no directory',
    ],
    [
      "a whiteout as a device",
      [raw({ name: "a", type: "3" })],
      "INVALID_TAR",
      'reading a tar: at byte 0: "a" is the device 0:0, which overlay takes for a removal',
    ],
    [
      "symlinks in a loop",
      [symlink("a", "b"), symlink("b", "a"), raw({ name: "a/x" })],
      "SYMLINK_LOOP",
      'reading a tar: at byte 1024: "a" leads through too many symlinks',
    ],
    [
      "symlinks that grow",
      [pax({ linkpath: `${"./b/../".repeat(500)}a` }), symlink("a", ""), raw({ name: "a/x" })],
      "SYMLINK_LOOP",
      'reading a tar: at byte 4608: "a" leads through too many directories',
    ],
    ["a root that is a file", [raw({ name: "." })], "INVALID_TAR", "reading a tar: at byte 0: the root is not a directory"],
    ["a root that is a symlink", [symlink("/", "/etc")], "INVALID_TAR", "reading a tar: at byte 0: the root is not a directory"],
    [
      "a NUL in a name",
      [pax({ path: "a\0b" }), raw({})],
      "INVALID_TAR",
      'reading a tar: at byte 1024: the name "a\\u0000b"… holds a NUL byte',
    ],
    [
      "a name of 5000 bytes",
      [pax({ path: "ab/".repeat(1667) }), raw({})],
      "INVALID_TAR",
      `reading a tar: at byte 5632: the name "${"ab/".repeat(33)}a"… is longer than 4095 bytes`,
    ],
    [
      "a segment of 256 bytes",
      [pax({ path: `a/${"b".repeat(256)}` }), raw({})],
      "INVALID_TAR",
      `reading a tar: at byte 1024: a segment of "a/${"b".repeat(98)}"… is longer than 255 bytes`,
    ],
    [
      "a symlink to nothing",
      [symlink("a", "")],
      "INVALID_TAR",
      'reading a tar: at byte 0: the symlink "a" has a target that no symlink can have',
    ],
    [
      "a symlink target too long",
      [pax({ linkpath: "t".repeat(4096) }), symlink("a", "")],
      "INVALID_TAR",
      'reading a tar: at byte 5120: the symlink "a" has a target that no symlink can have',
    ],
    [
      "a PAX header of 1 GiB",
      [raw({ type: "x", size: 2 ** 30 })],
      "INVALID_TAR",
      "reading a tar: at byte 0: extended headers of 1073741824 bytes are longer than 1048576",
    ],
    [
      "a long name of 1 GiB",
      [raw({ type: "L", size: 2 ** 30 })],
      "INVALID_TAR",
      "reading a tar: at byte 0: extended headers of 1073741824 bytes are longer than 1048576",
    ],
    [
      "a size beyond counting",
      [raw({ sizeField: "\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff" })],
      "INVALID_TAR",
      "reading a tar: at byte 0: the size is not a number",
    ],
    [
      "a size at the end of counting",
      [pax({ size: "9007199254740991" }), raw({})],
      "INVALID_TAR",
      "reading a tar: at byte 1024: the size 9007199254740991 is not possible",
    ],
    [
      "a negative size",
      [raw({ sizeField: "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe\0" })],
      "INVALID_TAR",
      "reading a tar: at byte 0: the size -512 is negative",
    ],
    [
      "a PAX size that is no number",
      [pax({ size: "1e3" }), raw({})],
      "INVALID_TAR",
      'reading a tar: at byte 1024: the size "1e3" is not a number',
    ],
    ["a size with letters", [raw({ sizeField: "0000000zz00\0" })], "INVALID_TAR", "reading a tar: at byte 0: the size is not a number"],
    [
      "an owner of -1",
      [raw({ uid: "\xff\xff\xff\xff\xff\xff\xff\xff" })],
      "INVALID_TAR",
      "reading a tar: at byte 0: the owner -1 is not a user or group id",
    ],
    [
      "an owner that means no change",
      [pax({ gid: "4294967295" }), raw({})],
      "INVALID_TAR",
      "reading a tar: at byte 1024: the owner 4294967295 is not a user or group id",
    ],
    [
      "a time beyond counting",
      [pax({ mtime: "99999999999999999999" }), raw({})],
      "INVALID_TAR",
      'reading a tar: at byte 1024: the mtime "99999999999999999999" is not a time',
    ],
    ["a time that is none", [pax({ mtime: "now" }), raw({})], "INVALID_TAR", 'reading a tar: at byte 1024: the mtime "now" is not a time'],
    [
      "a wrong checksum",
      [raw({ checksum: "000000\0 " })],
      "INVALID_TAR",
      "reading a tar: this is no tar archive: its first block is no header",
    ],
    [
      "something else than a tar",
      [Buffer.from("\x1f\x8b\x08".padEnd(512, "z"), "latin1")],
      "INVALID_TAR",
      "reading a tar: this is no tar archive: its first block is no header",
    ],
    [
      "an end inside a header",
      [raw({}).subarray(0, 300)],
      "INVALID_TAR",
      "reading a tar: this is no tar archive: it ends within its first block",
    ],
    [
      "an end inside a content",
      [raw({}, "x".repeat(600)).subarray(0, 700)],
      "INVALID_TAR",
      "reading a tar: at byte 700: the archive ends inside an entry",
    ],
    [
      "an end inside the padding",
      [raw({}, "x").subarray(0, 700)],
      "INVALID_TAR",
      "reading a tar: at byte 700: the archive ends inside an entry",
    ],
    [
      "an end behind an extended header",
      [pax({ path: "x" })],
      "INVALID_TAR",
      "reading a tar: at byte 1024: the archive ends behind an extended header",
    ],
    [
      "data between the halves of the end mark",
      [Buffer.alloc(512), raw({})],
      "INVALID_TAR",
      "reading a tar: at byte 512: data follows the first half of the end mark",
    ],
    [
      "a PAX record longer than its header",
      [raw({ type: "x" }, "99 path=x\n"), raw({})],
      "INVALID_TAR",
      "reading a tar: at byte 522: the extended header has a record of a wrong length",
    ],
    [
      "a PAX record shorter than itself",
      [raw({ type: "x" }, "3 path=x\n"), raw({})],
      "INVALID_TAR",
      "reading a tar: at byte 521: the extended header has a record of a wrong length",
    ],
    [
      "a PAX record of length 0",
      [raw({ type: "x" }, "0 path=x\n"), raw({})],
      "INVALID_TAR",
      "reading a tar: at byte 521: the extended header has a record of a wrong length",
    ],
    [
      "a PAX record of a negative length",
      [raw({ type: "x" }, "-9 path=x\n"), raw({})],
      "INVALID_TAR",
      "reading a tar: at byte 522: the extended header has a record of a wrong length",
    ],
    [
      "a PAX record without its line end",
      [raw({ type: "x" }, "9 path=x "), raw({})],
      "INVALID_TAR",
      "reading a tar: at byte 521: the extended header has a record of a wrong length",
    ],
    [
      "a PAX record without =",
      [raw({ type: "x" }, "9 pathxx\n"), raw({})],
      "INVALID_TAR",
      "reading a tar: at byte 521: the extended header has a record that is not KEY=VALUE",
    ],
    [
      "an attribute larger than the kernel's limit",
      [pax({ "SCHILY.xattr.user.a": "x".repeat(65_537) }), raw({})],
      "INVALID_TAR",
      'reading a tar: at byte 66560: the extended attribute "user.a" is too long',
    ],
    [
      "a part of a multi-volume archive",
      [raw({ type: "M" })],
      "UNSUPPORTED_TAR",
      'reading a tar: at byte 0: an entry of the type "M" means nothing in a layer',
    ],
    [
      "a name with an escape sequence",
      [raw({ name: "\x1b[2J/../\x9b" })],
      "UNSAFE_PATH",
      'reading a tar: at byte 0: the name "\\u001b[2J/../\ufffd" holds ".."',
    ],
    [
      "a device number that no device can have",
      [raw({ name: "d", type: "3", major: "0000001\0", minor: "4000000\0" })],
      "INVALID_TAR",
      "reading a tar: at byte 0: the device number 1048576 is not within 0 and 1048575",
    ],
    [
      "a path made too long by a symlink",
      [pax({ linkpath: deep.slice(0, 4094) }), symlink("l", ""), raw({ name: `l/${"b".repeat(90)}` })],
      "INVALID_TAR",
      "",
    ],
  ])("%s", async (_name, parts, code, message) => {
    await expect(read(...parts)).rejects.toMatchObject({ code, ...(message !== "" && { message }) });
  });

  it("names that lead again and again through the longest symlinks end soon", async () => {
    const parts = [pax({ linkpath: "a/".repeat(2000) }), symlink("l", "")];
    // The replaced link makes every name be followed anew.
    for (let i = 0; i < 1000; i++) parts.push(raw({ name: `l/${i}` }), pax({ linkpath: "a/".repeat(2000) }), symlink("l", ""));
    const limits = { ...defaultLayerLimits, nameBytes: Number.POSITIVE_INFINITY };
    await expect(readLayer(chunked(Buffer.concat(parts)), { limits })).rejects.toMatchObject({
      code: "SYMLINK_LOOP",
      message: expect.stringMatching(/^reading a tar: at byte \d+: the archive's names lead through too many symlinks$/),
    });
  });

  it("names that lead through symlinks of nothing but dots lead on, and the dots are looked at once", async () => {
    const chain = Array.from({ length: 40 }, (_, i) => [
      pax({ linkpath: i === 39 ? "d" : `${"./".repeat(1900)}l${i + 1}` }),
      symlink(`l${i}`, ""),
    ]);
    const names = Array.from({ length: 5000 }, (_, i) => raw({ name: `l0/${i}/f` }));
    const { entries } = await read(...chain.flat(), ...names);
    expect(entries).toHaveLength(40 + 5000);
    expect(entries).toContainEqual(expect.objectContaining({ kind: "file", path: "d/4999/f" }));
    expect(entries).toContainEqual(expect.objectContaining({ kind: "symlink", path: "l38", target: `${"./".repeat(1900)}l39` }));
  });

  it("a name that leads up and up again through symlinks is refused", async () => {
    const chain = Array.from({ length: 4 }, (_, i) => [pax({ linkpath: `${"../".repeat(1200)}l${i + 1}` }), symlink(`l${i}`, "")]);
    await expect(read(...chain.flat(), raw({ name: "l0/f" }))).rejects.toMatchObject({
      code: "SYMLINK_LOOP",
      message: expect.stringMatching(/^reading a tar: at byte \d+: "l0" leads through too many directories$/),
    });
  });
});

describe("attacks: an archive that would fill the memory", () => {
  const limits = { entries: 100, nameBytes: 10_000 };
  const many = (count: number, make: (i: number) => Buffer) => Array.from({ length: count }, (_, i) => make(i));
  const xattr = (bytes: number) => pax({ "SCHILY.xattr.user.x": "x".repeat(bytes) });

  it.each<[name: string, parts: Buffer[], problem: string]>([
    ["of very many entries", many(101, (i) => raw({ name: `f${i}` })), "more than 100 entries"],
    ["of one name very often", many(101, () => raw({ name: "f" })), "more than 100 entries"],
    ["of very many removals", many(101, (i) => raw({ name: `.wh.${i}` })), "more than 100 entries"],
    ["of very many opaque directories", many(101, (i) => raw({ name: `${i}/.wh..wh..opq` })), "more than 100 entries"],
    ["of long names", many(60, (i) => Buffer.concat([pax({ path: `${"x".repeat(200)}${i}` }), raw({})])), "names of more than 10000 bytes"],
    [
      "of long targets",
      many(60, (i) => Buffer.concat([pax({ linkpath: "x".repeat(200) }), symlink(`${i}`, "")])),
      "names of more than 10000 bytes",
    ],
    ["of deep directories that it never names", [pax({ path: "a/".repeat(150) }), raw({ name: "f" })], "names of more than 10000 bytes"],
    ["of large attributes", many(2, (i) => Buffer.concat([xattr(6000), raw({ name: `f${i}` })])), "names of more than 10000 bytes"],
    ["of large attributes with many names", [xattr(6000), raw({ name: "f" }), link("g", "f")], "names of more than 10000 bytes"],
    ["of large attributes of what is no file", [xattr(6000), symlink("f", "t"), link("g", "f")], "names of more than 10000 bytes"],
    [
      "of large attributes that hold for all",
      [pax({ "SCHILY.xattr.user.x": "x".repeat(6000) }, "g"), ...many(2, (i) => raw({ name: `f${i}` }))],
      "names of more than 10000 bytes",
    ],
  ])("%s", async (_, parts, problem) => {
    await expect(readLayer(chunked(Buffer.concat(parts)), { limits })).rejects.toMatchObject({
      code: "TOO_LARGE",
      message: expect.stringMatching(new RegExp(`^reading a tar: at byte \\d+: ${problem}$`)),
    });
  });

  it.each<[name: string, part: Buffer, count: number, problem: string]>([
    [
      "headers that all speak about one entry",
      pax({ x: "y".repeat(600_000) }),
      2,
      "extended headers of 1200020 bytes are longer than 1048576",
    ],
    ["global headers", pax({ x: "y".repeat(40_000) }, "g"), 2, "global headers of 80018 bytes are longer than 65536"],
  ])("of %s", async (_, part, count, problem) => {
    await expect(read(...many(count, () => part))).rejects.toMatchObject({
      code: "INVALID_TAR",
      message: expect.stringContaining(problem),
    });
  });

  it("but not one that is just within", async () => {
    const parts = many(100, (i) => raw({ name: `f${i}` }));
    expect((await readLayer(chunked(Buffer.concat(parts)), { limits })).tree.entries).toHaveLength(100);
    expect((await read(...many(20, (i) => Buffer.concat([xattr(60_000), raw({ name: `f${i}` })])))).entries).toHaveLength(20);
  });
});

describe("random damage to an archive", () => {
  it("is an error of the reader or another tree, never anything else", async () => {
    const archive = Buffer.concat([
      pax({ path: "x/y", mtime: "1.5" }),
      raw({ name: "a" }, "1".repeat(600)),
      link("b", "x/y"),
      symlink("s", "x"),
      dir("s2"),
      trailer,
    ]);
    let state = 12_345;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const codes = new Set<unknown>();
    for (let i = 0; i < 3000; i++) {
      const damaged = Buffer.from(archive);
      for (let n = random(4); n >= 0; n--) damaged[random(damaged.length)] = random(256);
      // Without this nearly all damage would end at the checksum.
      for (const at of [0, 1024, 2560, 3072, 3584]) {
        damaged.write("        ", at + 148, "latin1");
        const sum = damaged.subarray(at, at + 512).reduce((total, byte) => total + byte, 0);
        damaged.write(`${sum.toString(8).padStart(6, "0")}\0 `, at + 148, "latin1");
      }
      const cut = random(3) === 0 ? damaged.subarray(0, random(damaged.length)) : damaged;
      try {
        await readLayer(chunked(cut, 1 + random(2000)));
        codes.add("none");
      } catch (error) {
        const { code } = error as { code?: string };
        codes.add(code);
        if (code === undefined) throw error;
      }
    }
    expect([...codes].sort()).toEqual(expect.arrayContaining(["INVALID_TAR", "UNSUPPORTED_TAR", "none"]));
    expect(
      [...codes].filter(
        (code) => !["INVALID_TAR", "UNSUPPORTED_TAR", "UNSAFE_PATH", "RESERVED_NAME", "SYMLINK_LOOP", "none"].includes(String(code)),
      ),
    ).toEqual([]);
  });
});

describe("the byte strings", () => {
  it("are what the file holds", () => expect(bytesOf("ä")).toBe("\xc3\xa4"));
});
