import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  type ByteString,
  bufferOf,
  bytesOf,
  decodeScan,
  type ExtractEntry,
  extract,
  FileChangedError,
  scan,
} from "../../runtime-addon/index.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const uid = process.getuid?.() ?? 0;
const gid = process.getgid?.() ?? 0;
const attributes = { mode: 0o644, uid, gid, mtime: 1_000_000_000, mtimeNsec: 123_456_789 };
const directory = (path: string, more: object = {}): ExtractEntry => ({
  ...attributes,
  mode: 0o755,
  path: bytesOf(path),
  kind: "directory",
  ...more,
});
const file = (path: string, offset: number, size: number, more: object = {}): ExtractEntry => ({
  ...attributes,
  path: bytesOf(path),
  kind: "file",
  offset,
  size,
  ...more,
});
const symlink = (path: string, target: string): ExtractEntry => ({
  ...attributes,
  path: bytesOf(path),
  kind: "symlink",
  target: bytesOf(target),
});
const hardlink = (path: string, target: string): ExtractEntry => ({ path: bytesOf(path), kind: "hardlink", target: bytesOf(target) });

function prepare(content: Uint8Array | string = ""): { root: string; tar: string } {
  const base = temporaryDirectory("extract");
  mkdirSync(join(base, "root"));
  writeFileSync(join(base, "tar"), content);
  return { root: join(base, "root"), tar: join(base, "tar") };
}

async function listing(root: string) {
  return decodeScan(await scan(root, [bytesOf("")], { recursive: true, xattrs: true }));
}

describe("extract", () => {
  it("makes every kind with its attributes, and directories' times last", async () => {
    const { root, tar } = prepare("..hello..");
    await extract(
      root,
      tar,
      [
        directory("", { mode: 0o711, mtime: 7 }),
        directory("d", { mode: 0o2750, mtime: -3, mtimeNsec: 5 }),
        file("d/hello", 2, 5, { mode: 0o4711 }),
        file("d/empty", 0, 0, { mode: 0o600 }),
        symlink("d/link", "../ÿ/nowhere"),
        directory("d/inner", { mode: 0o555 }),
        file("d/inner/x", 0, 2, { mode: 0o444 }),
        { ...attributes, kind: "fifo", path: bytesOf("pipe"), mode: 0o622 },
        hardlink("other", "d/hello"),
      ],
      { owners: true },
    );
    const rows = (await listing(root)).map((entry) => [
      entry.path,
      entry.type,
      entry.mode,
      entry.size,
      entry.mtime,
      entry.mtimeNsec,
      entry.nlink,
    ]);
    expect(rows).toEqual([
      ["d", "directory", 0o2750, 0, -3, 5, 3],
      ["d/empty", "file", 0o600, 0, 1_000_000_000, 123_456_789, 1],
      ["d/hello", "file", 0o4711, 5, 1_000_000_000, 123_456_789, 2],
      ["d/inner", "directory", 0o555, 0, 1_000_000_000, 123_456_789, 2],
      ["d/inner/x", "file", 0o444, 2, 1_000_000_000, 123_456_789, 1],
      ["d/link", "symlink", 0o777, 0, 1_000_000_000, 123_456_789, 1],
      ["other", "file", 0o4711, 5, 1_000_000_000, 123_456_789, 2],
      ["pipe", "fifo", 0o622, 0, 1_000_000_000, 123_456_789, 1],
    ]);
    expect(statSync(join(root, "d/hello")).atimeMs).toBe(statSync(join(root, "d/hello")).mtimeMs);
    expect(readFileSync(join(root, "other"), "utf8")).toBe("hello");
    expect(readlinkSync(join(root, "d/link"))).toBe("../ÿ/nowhere");
    expect([statSync(root).mode & 0o7777, statSync(root).mtimeMs]).toEqual([0o711, 7123.456789]);
    // So that an ordinary user can remove it.
    chmodSync(join(root, "d/inner"), 0o755);
  });

  it("keeps names that are not UTF-8", async () => {
    const { root, tar } = prepare("x");
    const name = "\xff\x80\xe4" as ByteString;
    await extract(root, tar, [file(name, 0, 1, { path: name })], { owners: true });
    expect(readdirSync(root, "buffer")).toEqual([bufferOf(name)]);
  });

  it("copies content of all sizes, whatever its place in the tar", async () => {
    const sizes = [1, 511, 512, 65_535, 65_536, 65_537, 262_143, 262_144, 262_145, 1_000_003];
    const contents = sizes.map((size, i) => Buffer.alloc(size, `content ${i} `));
    const { root, tar } = prepare(Buffer.concat([Buffer.from("xyz"), ...contents]));
    let offset = 3;
    const entries = sizes.map((size, i) => {
      offset += size;
      return file(`f${i}`, offset - size, size);
    });
    await extract(root, tar, entries, { owners: true });
    for (const [i, content] of contents.entries()) expect(readFileSync(join(root, `f${i}`)).equals(content)).toBe(true);
  });

  it("leaves aligned 64 KiB of zeros as holes, at the start, inside and at the end", async () => {
    const block = 65_536;
    const data = Buffer.alloc(block, 1);
    const zeros = (count: number) => Buffer.alloc(count * block);
    const inputs = {
      end: Buffer.concat([data, zeros(9)]),
      inside: Buffer.concat([data, zeros(20), data]),
      only: zeros(32),
      ragged: Buffer.concat([zeros(8), Buffer.alloc(100)]),
      start: Buffer.concat([zeros(5), data]),
    };
    const { root, tar } = prepare(Buffer.concat(Object.values(inputs)));
    let offset = 0;
    const entries = Object.entries(inputs).map(([name, content]) => {
      offset += content.length;
      return file(name, offset - content.length, content.length);
    });
    await extract(root, tar, entries, { owners: true });
    const found = Object.keys(inputs).map((name) => {
      const content = readFileSync(join(root, name));
      expect(content.equals(inputs[name as keyof typeof inputs])).toBe(true);
      return [name, lstatSync(join(root, name)).blocks * 512];
    });
    expect(found).toEqual([
      ["end", block],
      ["inside", 2 * block],
      ["only", 0],
      ["ragged", 4096],
      ["start", block],
    ]);
  });

  it("makes thousands of files as tar(1) made them", { timeout: 60_000 }, async () => {
    const base = temporaryDirectory("extract");
    const source = join(base, "source");
    for (let i = 0; i < 60; i++) {
      mkdirSync(join(source, `d${i % 20}/e${i}`), { recursive: true });
      for (let j = 0; j < 50; j++) writeFileSync(join(source, `d${i % 20}/e${i}/f${j}`), `${i} ${j} `.repeat(j * 9));
    }
    execFileSync("tar", ["--format=gnu", "--sort=name", "-cf", join(base, "tar"), "-C", source, "."]);
    const tar = readFileSync(join(base, "tar"));
    const entries: ExtractEntry[] = [];
    for (let at = 0; tar[at] !== 0; ) {
      const text = (from: number, to: number) => tar.toString("latin1", at + from, at + to).replace(/\0.*/s, "");
      const size = Number.parseInt(text(124, 136), 8);
      const path = text(0, 100).replace(/^\.\//, "").replace(/\/$/, "");
      const more = { mode: Number.parseInt(text(100, 108), 8), mtime: Number.parseInt(text(136, 148), 8), mtimeNsec: 0 };
      entries.push(tar[at + 156] === 0x35 ? directory(path, more) : file(path, at + 512, size, more));
      at += 512 + Math.ceil(size / 512) * 512;
    }
    mkdirSync(join(base, "root"));
    await extract(join(base, "root"), join(base, "tar"), entries, { owners: true });
    expect(entries).toHaveLength(3081);
    execFileSync("diff", ["-r", source, join(base, "root")]);
    const dates = (root: string) => execFileSync("find", [root, "-printf", "%P %m %Ts %y %U\\n"], { encoding: "utf8" }).split("\n").sort();
    expect(dates(join(base, "root"))).toEqual(dates(source));
  });

  it("makes directories 300 levels deep", async () => {
    const { root, tar } = prepare("deep");
    const entries: ExtractEntry[] = [];
    let path = "";
    for (let level = 0; level < 300; level++) {
      path += `${path === "" ? "" : "/"}d${level}`;
      entries.push(directory(path));
    }
    await extract(root, tar, [...entries, file(`${path}/file`, 0, 4)], { owners: true });
    expect(readFileSync(join(root, path, "file"), "utf8")).toBe("deep");
  });

  it("accepts an existing directory, and nothing else that exists", async () => {
    const { root, tar } = prepare("x");
    mkdirSync(join(root, "d"));
    writeFileSync(join(root, "d/file"), "kept");
    symlinkSync("d", join(root, "link"));
    await extract(root, tar, [directory("d", { mode: 0o700 }), file("d/new", 0, 1)], { owners: true });
    expect(statSync(join(root, "d")).mode & 0o777).toBe(0o700);
    const attempts: ExtractEntry[] = [
      file("d/file", 0, 1),
      directory("d/file"),
      directory("link"),
      symlink("link", "x"),
      file("link", 0, 1),
      hardlink("link", "d/file"),
    ];
    for (const entry of attempts) {
      await expect(extract(root, tar, [entry], { owners: true })).rejects.toMatchObject({ code: "EEXIST" });
    }
    expect(readFileSync(join(root, "d/file"), "utf8")).toBe("kept");
  });

  it("says what failed where", async () => {
    const { root, tar } = prepare("x");
    const fields = (entries: readonly ExtractEntry[]) => extract(root, tar, entries, { owners: true }).catch((error) => ({ ...error }));
    expect(await fields([file("none/file", 0, 1)])).toEqual({ code: "ENOENT", errno: -2, syscall: "open", path: `${root}/none/file` });
    expect(await fields([hardlink("b", "a")])).toEqual({
      code: "ENOENT",
      errno: -2,
      syscall: "link",
      path: `${root}/a`,
      dest: `${root}/b`,
    });
    expect(await fields([file("n".repeat(256), 0, 1)])).toMatchObject({ code: "ENAMETOOLONG", syscall: "open" });
    await expect(extract(root, `${tar}-none`, [], { owners: true })).rejects.toMatchObject({ code: "ENOENT", path: `${tar}-none` });
  });

  it("refuses a file that reaches past the end of the tar", async () => {
    const { root, tar } = prepare("12345");
    const error = await extract(root, tar, [file("f", 3, 3)], { owners: true }).catch((reason) => reason);
    expect(error).toBeInstanceOf(FileChangedError);
    expect(error.path).toBe(tar);
  });

  it("refuses numbers that no file can have", async () => {
    const { root, tar } = prepare("x");
    const rows: ExtractEntry[] = [
      file("f", -1, 1),
      file("f", 0, 0.5),
      file("f", 0, Number.NaN),
      file("f", 0, 1, { mode: 0o10000 }),
      file("f", 0, 1, { uid: -1 }),
      file("f", 0, 1, { uid: 2 ** 32 }),
      file("f", 0, 1, { mtime: 2 ** 60 }),
      file("f", 0, 1, { mtimeNsec: 1_000_000_000 }),
    ];
    for (const entry of rows)
      await expect(extract(root, tar, [entry], { owners: true })).rejects.toMatchObject({ code: "EINVAL", syscall: "unpack" });
    expect(readdirSync(root)).toEqual([]);
  });
});

describe("extract against hostile paths", () => {
  const outside = () => {
    const directoryOutside = temporaryDirectory("outside");
    writeFileSync(join(directoryOutside, "victim"), "untouched");
    return directoryOutside;
  };

  it.each([
    ["an absolute path", "/tmp/x"],
    ["..", "../x"],
    [".. inside", "d/../../x"],
    ["..  at the end", "d/.."],
    [".", "./x"],
    ["an empty segment", "d//x"],
    ["a trailing slash", "d/"],
    ["a NUL", "d/x\0y"],
  ])("refuses %s, for every kind", async (_name, path) => {
    const { root, tar } = prepare("x");
    mkdirSync(join(root, "d"));
    const kinds: ExtractEntry[] = [
      file(path, 0, 1),
      directory(path),
      symlink(path, "x"),
      hardlink(path, "d/file"),
      { ...attributes, kind: "fifo", path: bytesOf(path) },
      { kind: "whiteout", path: bytesOf(path) },
      { kind: "opaque", path: bytesOf(path) },
    ];
    for (const entry of kinds) await expect(extract(root, tar, [entry], { owners: true })).rejects.toMatchObject({ code: "EINVAL" });
    expect(readdirSync(join(root, ".."))).toEqual(["root", "tar"]);
  });

  it("does not write through a symlink that the same list made", async () => {
    const host = outside();
    const { root, tar } = prepare("x");
    for (const entry of [file("link/new", 0, 1), symlink("link/l", "x"), hardlink("link/h", "link/victim")]) {
      await expect(extract(root, tar, [symlink("link", host), entry], { owners: true })).rejects.toMatchObject({ code: "ELOOP" });
      unlinkSync(join(root, "link"));
    }
    await expect(extract(root, tar, [symlink("link", host), file("link", 0, 1)], { owners: true })).rejects.toMatchObject({
      code: "EEXIST",
    });
    expect(readdirSync(host)).toEqual(["victim"]);
  });

  it("does not write through a symlink that was there before", async () => {
    const host = outside();
    const { root, tar } = prepare("x");
    symlinkSync(host, join(root, "link"));
    const entries = [
      file("link/new", 0, 1),
      directory("link/d"),
      symlink("link/l", "x"),
      directory("link/d/e"),
      { kind: "opaque", path: bytesOf("link/d") } as const,
    ];
    for (const entry of entries) await expect(extract(root, tar, [entry], { owners: true })).rejects.toMatchObject({ code: "ELOOP" });
    expect(readdirSync(host)).toEqual(["victim"]);
  });

  it("does not write through a symlink to the victim file itself", async () => {
    const host = outside();
    const { root, tar } = prepare("x");
    symlinkSync(join(host, "victim"), join(root, "f"));
    await expect(extract(root, tar, [file("f", 0, 1)], { owners: true })).rejects.toMatchObject({ code: "EEXIST" });
    expect(readFileSync(join(host, "victim"), "utf8")).toBe("untouched");
  });

  it("does not link to a file outside", async () => {
    const host = outside();
    const { root, tar } = prepare("x");
    symlinkSync(host, join(root, "up"));
    await expect(extract(root, tar, [hardlink("h", "up/victim")], { owners: true })).rejects.toMatchObject({ code: "ELOOP" });
    await expect(extract(root, tar, [hardlink("h", "../tar")], { owners: true })).rejects.toMatchObject({ code: "EINVAL" });
    // A link to a symlink is another name of the link, never of what it points to.
    symlinkSync(join(host, "victim"), join(root, "link"));
    await extract(root, tar, [hardlink("h", "link")], { owners: true });
    expect(readlinkSync(join(root, "h"))).toBe(join(host, "victim"));
    expect(statSync(join(host, "victim")).nlink).toBe(1);
  });

  it("does not change the attributes of what a symlink points to", async () => {
    const host = outside();
    const before = statSync(join(host, "victim"));
    const { root, tar } = prepare("x");
    await extract(root, tar, [{ ...symlink("link", join(host, "victim")), mode: 0o777 } as ExtractEntry], { owners: true });
    const after = statSync(join(host, "victim"));
    expect([after.mode, after.mtimeMs, after.ctimeMs]).toEqual([before.mode, before.mtimeMs, before.ctimeMs]);
    expect(existsSync(join(root, "link"))).toBe(true);
  });

  it("refuses a char device 0:0, which overlay would take for a whiteout", async () => {
    const { root, tar } = prepare();
    const entry: ExtractEntry = { ...attributes, kind: "char", path: bytesOf("null"), major: 0, minor: 0 };
    const error = await extract(root, tar, [entry], { owners: true }).catch((reason) => ({ ...reason }));
    expect(error).toEqual({ code: "EPERM", errno: -1, syscall: "mknod", path: `${root}/null` });
    expect(readdirSync(root)).toEqual([]);
  });
});

describe("extract as root", needs("root"), () => {
  it("sets owners, keeps setuid behind them, and makes devices", async () => {
    const { root, tar } = prepare("x");
    await extract(
      root,
      tar,
      [
        file("setuid", 0, 1, { uid: 1234, gid: 4_000_000_000, mode: 0o6755 }),
        { ...symlink("link", "x"), uid: 7, gid: 8 } as ExtractEntry,
        { ...attributes, kind: "char", path: bytesOf("char"), major: 1, minor: 3, mode: 0o666, uid: 5 },
        { ...attributes, kind: "block", path: bytesOf("block"), major: 259, minor: 70_000, mode: 0o60 },
        directory("d", { uid: 9, gid: 9, mode: 0o3777 }),
      ],
      { owners: true },
    );
    expect(
      (await listing(root)).map((entry) => [entry.path, entry.type, entry.mode, entry.uid, entry.gid, entry.major, entry.minor]),
    ).toEqual([
      ["block", "block", 0o60, 0, 0, 259, 70_000],
      ["char", "char", 0o666, 5, 0, 1, 3],
      ["d", "directory", 0o3777, 9, 9, 0, 0],
      ["link", "symlink", 0o777, 7, 8, 0, 0],
      ["setuid", "file", 0o6755, 1234, 4_000_000_000, 0, 0],
    ]);
  });

  it("leaves owners alone where it is told to", async () => {
    const { root, tar } = prepare("x");
    await extract(root, tar, [file("f", 0, 1, { uid: 1234, gid: 4321, mode: 0o4755 }), directory("d", { uid: 9 })], { owners: false });
    expect((await listing(root)).map((entry) => [entry.path, entry.mode, entry.uid, entry.gid])).toEqual([
      ["d", 0o755, uid, gid],
      ["f", 0o4755, uid, gid],
    ]);
  });

  it("makes whiteouts and opaque directories as overlay reads them", async () => {
    const { root, tar } = prepare();
    const entries: ExtractEntry[] = [
      directory("d", { mode: 0o555 }),
      { kind: "opaque", path: bytesOf("d") },
      { kind: "whiteout", path: bytesOf("gone") },
      { kind: "opaque", path: bytesOf("") },
    ];
    await extract(root, tar, entries, { owners: true });
    expect(
      (await listing(root)).map((entry) => [entry.path, entry.type, entry.mode, entry.major, entry.minor, entry.mtime, entry.xattrs]),
    ).toEqual([
      ["d", "directory", 0o555, 0, 0, 1_000_000_000, { "user.overlay.opaque": "y" }],
      ["gone", "char", 0, 0, 0, expect.any(Number), undefined],
    ]);
  });

  it("sets xattrs of every kind of file, capabilities and ACLs after the owner", async () => {
    const { root, tar } = prepare("x");
    const capability = Buffer.from("0100000200200000000000000000000000000000", "hex").toString("latin1") as ByteString;
    // acl(5) as the kernel stores it, version 2: user::rw-, user:1000:r--, group::r--, mask::r--, other::---
    const acl = Buffer.from(
      `02000000${["01000600ffffffff", "02000400e8030000", "04000400ffffffff", "10000400ffffffff", "20000000ffffffff"].join("")}`,
      "hex",
    ).toString("latin1") as ByteString;
    const xattrs = { "security.capability": capability, "system.posix_acl_access": acl, "user.note": "\0\xff" as ByteString };
    await extract(
      root,
      tar,
      [
        file("f", 0, 1, { uid: 1000, mode: 0o640, xattrs }),
        directory("d", { xattrs: { "user.note": "d" } }),
        { ...attributes, kind: "symlink", path: bytesOf("link"), target: bytesOf("f"), xattrs: { "trusted.note": bytesOf("l") } },
        { ...attributes, kind: "fifo", path: bytesOf("pipe"), xattrs: { "trusted.note": bytesOf("p") } },
      ],
      { owners: true },
    );
    expect((await listing(root)).map((entry) => [entry.path, entry.mode, entry.xattrs])).toEqual([
      ["d", 0o755, { "user.note": "d" }],
      ["f", 0o640, xattrs],
      ["link", 0o777, { "trusted.note": "l" }],
      ["pipe", 0o644, { "trusted.note": "p" }],
    ]);
    await expect(extract(root, tar, [file("g", 0, 1, { xattrs: { "unknown.name": "x" } })], { owners: true })).rejects.toMatchObject({
      code: "ENOTSUP",
      syscall: "fsetxattr",
      path: `${root}/g`,
    });
  });

  it("gives the same digest as what was packed", async () => {
    const content = Buffer.alloc(700_000, "abcdefg");
    const { root, tar } = prepare(content);
    await extract(root, tar, [file("f", 0, content.length)], { owners: true });
    const digest = createHash("sha256").update(content).digest("hex");
    expect(execFileSync("sha256sum", [join(root, "f")], { encoding: "utf8" }).slice(0, 64)).toBe(digest);
  });
});
