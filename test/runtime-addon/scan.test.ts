import { execFileSync, spawn } from "node:child_process";
import { chmodSync, chownSync, linkSync, lutimesSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type ByteString, bufferOf, bytesOf, decodeScan, type ScanEntry, scan, statMany } from "../../runtime-addon/index.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const ROOT = bytesOf("");

async function scanAll(
  root: string,
  directories: readonly ByteString[] = [ROOT],
  options = { recursive: true, xattrs: false },
): Promise<ScanEntry[]> {
  return decodeScan(await scan(root, directories, options));
}

async function pathsOf(root: string, ...rest: [(readonly ByteString[])?, { recursive: boolean; xattrs: boolean }?]): Promise<string[]> {
  return (await scanAll(root, ...rest)).map((entry) => entry.path);
}

function inside(root: ByteString | string, name: ByteString): Buffer {
  return Buffer.concat([Buffer.from(`${root}/`), bufferOf(name)]);
}

describe("scan", () => {
  it("lists parents first, each directory's children behind it, sorted by bytes", async () => {
    const root = temporaryDirectory("scan");
    for (const directory of ["b", "b/z", "a", "a/empty"]) mkdirSync(join(root, directory));
    for (const file of ["b/a", "b/z/x", "a.txt", "a/1", "B", "b.c", "ä"]) writeFileSync(join(root, file), "");
    const paths = await pathsOf(root);
    expect(paths.map((path) => Buffer.from(path, "latin1").toString())).toEqual([
      "B",
      "a",
      "a/1",
      "a/empty",
      "a.txt",
      "b",
      "b/a",
      "b/z",
      "b/z/x",
      "b.c",
      "ä",
    ]);
  });

  it("lists only the children of the given directories when it is not recursive, in the given order", async () => {
    const root = temporaryDirectory("scan");
    mkdirSync(join(root, "b/c/d"), { recursive: true });
    mkdirSync(join(root, "a"));
    writeFileSync(join(root, "a/1"), "");
    writeFileSync(join(root, "b/2"), "");
    const options = { recursive: false, xattrs: false };
    expect(await pathsOf(root, [ROOT], options)).toEqual(["a", "b"]);
    expect(await pathsOf(root, [bytesOf("b"), bytesOf("a"), bytesOf("b/c")], options)).toEqual(["b/2", "b/c", "a/1", "b/c/d"]);
    expect(await pathsOf(root, [], options)).toEqual([]);
  });

  it("reads every field as stat(1) does", async () => {
    const root = temporaryDirectory("scan");
    writeFileSync(join(root, "file"), "12345", { mode: 0o600 });
    chmodSync(join(root, "file"), 0o4755);
    execFileSync("touch", ["-d", "@-1.25", join(root, "file")]);
    symlinkSync("no/such/target", join(root, "link"));
    lutimesSync(join(root, "link"), 5_000_000_000, 5_000_000_000);
    mkdirSync(join(root, "sticky"));
    chmodSync(join(root, "sticky"), 0o1777);
    const lines = execFileSync("stat", ["-c", "%n|%f|%u|%g|%s|%h|%y|%z", "file", "link", "sticky"], {
      cwd: root,
      encoding: "utf8",
      env: { TZ: "UTC", PATH: process.env.PATH },
    });
    const entries = await scanAll(root);
    const rows = entries.map((entry) => {
      const type = { file: 0o100000, symlink: 0o120000, directory: 0o040000 }[entry.type as "file"];
      const size = entry.type === "file" ? entry.size : undefined;
      return { ...entry, raw: (type | entry.mode).toString(16), size };
    });
    const expected = lines
      .trimEnd()
      .split("\n")
      .map((line) => line.split("|"));
    expect(rows.map((row) => [row.path, row.raw, String(row.uid), String(row.gid), String(row.nlink)])).toEqual(
      expected.map(([name, mode, uid, gid, , links]) => [name, mode, uid, gid, links]),
    );
    expect(rows.map((row) => [row.mtime, row.mtimeNsec])).toEqual([
      [-2, 750_000_000],
      [5_000_000_000, 0],
      [Math.floor(Date.parse(`${expected[2]?.[6]?.slice(0, 19)}Z`) / 1000), Number(expected[2]?.[6]?.slice(20, 29))],
    ]);
    expect(rows.map((row) => [row.ctime, row.ctimeNsec])).toEqual(
      expected.map((fields) => [Math.floor(Date.parse(`${fields[7]?.slice(0, 19)}Z`) / 1000), Number(fields[7]?.slice(20, 29))]),
    );
    expect(rows.map((row) => row.target)).toEqual([undefined, "no/such/target", undefined]);
    expect(entries.map((entry) => entry.size)).toEqual([5, 0, 0]);
    expect(entries.map((entry) => entry.type)).toEqual(["file", "symlink", "directory"]);
  });

  it("names hard links by one inode, and other files by others", async () => {
    const root = temporaryDirectory("scan");
    writeFileSync(join(root, "a"), "x");
    linkSync(join(root, "a"), join(root, "b"));
    writeFileSync(join(root, "c"), "x");
    const [a, b, c] = await scanAll(root);
    expect(a?.inode).toBe(b?.inode);
    expect(a?.inode).not.toBe(c?.inode);
    expect([a?.nlink, b?.nlink, c?.nlink]).toEqual([2, 2, 1]);
  });

  it("keeps the identity of an untouched file, and changes it with content, mode, time or inode", async () => {
    const root = temporaryDirectory("scan");
    for (const name of ["same", "content", "mode", "time", "inode"]) writeFileSync(join(root, name), "before");
    const identities = async () => Object.fromEntries((await scanAll(root)).map((entry) => [entry.path, entry.identity]));
    const before = await identities();
    writeFileSync(join(root, "content"), "after!!");
    chmodSync(join(root, "mode"), 0o755);
    lutimesSync(join(root, "time"), 1, 1);
    writeFileSync(join(root, "new"), "before");
    renameSync(join(root, "new"), join(root, "inode"));
    const after = await identities();
    expect(Object.keys(before).filter((name) => before[name] === after[name])).toEqual(["same"]);
  });

  it("keeps names and targets that are not UTF-8", async () => {
    const root = temporaryDirectory("scan");
    const name = "\xff\xfe\x80 \n\t*" as ByteString;
    mkdirSync(inside(root, name));
    symlinkSync(bufferOf("\xc3\x28" as ByteString), inside(root, `${name}/link` as ByteString));
    const entries = await scanAll(root);
    expect(entries.map((entry) => [entry.path, entry.target])).toEqual([
      [name, undefined],
      [`${name}/link`, "\xc3\x28"],
    ]);
    expect(await pathsOf(root, [name])).toEqual([`${name}/link`]);
  });

  it("lists names of 255 bytes and directories 300 levels deep", async () => {
    const root = temporaryDirectory("scan");
    const long = "n".repeat(255);
    writeFileSync(join(root, long), "");
    const deep = Array.from({ length: 300 }, (_, level) => `d${level}`);
    mkdirSync(join(root, ...deep), { recursive: true });
    const paths = await pathsOf(root);
    expect(paths).toHaveLength(301);
    expect(paths[299]).toBe(deep.join("/"));
    expect(paths[300]).toBe(long);
  });

  it("lists wide trees as find(1) does, with threads", async () => {
    const root = temporaryDirectory("scan");
    for (let directory = 0; directory < 60; directory++) {
      for (let inner = 0; inner < 3; inner++) {
        const path = join(root, `d${directory}`, `i${inner}`);
        mkdirSync(path, { recursive: true });
        for (let file = 0; file < 5; file++) writeFileSync(join(path, `f${file}`), "x".repeat(file));
      }
    }
    const found = execFileSync("find", [root, "-mindepth", "1", "-printf", "%P %s %y\\n"], { encoding: "utf8" });
    const expected = found
      .trimEnd()
      .split("\n")
      .map((line) => (line.endsWith("d") ? line.replace(/ \d+ d$/, " 0 d") : line));
    const entries = await scanAll(root);
    expect(entries.map((entry) => `${entry.path} ${entry.size} ${entry.type[0]}`).sort()).toEqual(expected.sort());
    const again = await scan(root, [ROOT], { recursive: true, xattrs: false });
    expect(decodeScan(again)).toEqual(entries);
  });

  it("names sockets", async () => {
    const root = temporaryDirectory("scan");
    const server = createServer().listen(join(root, "socket"));
    await new Promise((resolve) => server.once("listening", resolve));
    expect((await scanAll(root)).map((entry) => entry.type)).toEqual(["socket"]);
    await new Promise((resolve) => server.close(resolve));
  });

  it("rejects with a system error that names the path", async () => {
    const root = temporaryDirectory("scan");
    writeFileSync(join(root, "file"), "");
    symlinkSync(".", join(root, "link"));
    const failure = (path: string) => scan(root, [bytesOf(path)], { recursive: true, xattrs: false }).catch((error) => ({ ...error }));
    expect(await failure("missing")).toEqual({ code: "ENOENT", errno: -2, syscall: "open", path: `${root}/missing` });
    expect(await failure("file")).toEqual({ code: "ENOTDIR", errno: -20, syscall: "open", path: `${root}/file` });
    await expect(scan(`${root}/none`, [ROOT], { recursive: true, xattrs: false })).rejects.toThrow(
      `ENOENT: no such file or directory, open '${root}/none'`,
    );
  });

  it.each([
    ["a symlink as directory", "link", "ELOOP"],
    ["a symlink on the way", "link/inner", "ELOOP"],
    ["..", "..", "EINVAL"],
    [".. inside", "real/../..", "EINVAL"],
    ["an absolute path", "/etc", "EINVAL"],
    [".", ".", "EINVAL"],
    ["an empty segment", "real//inner", "EINVAL"],
    ["a NUL", "real\0/inner", "EINVAL"],
  ])("refuses %s", async (_name, path, code) => {
    const outside = temporaryDirectory("outside");
    mkdirSync(join(outside, "inner"));
    const root = temporaryDirectory("scan");
    mkdirSync(join(root, "real/inner"), { recursive: true });
    symlinkSync(outside, join(root, "link"));
    await expect(scan(root, [bytesOf(path)], { recursive: true, xattrs: false })).rejects.toMatchObject({ code });
  });

  it("never follows a symlink that is swapped in for a directory during the scan", { timeout: 60_000 }, async () => {
    const outside = temporaryDirectory("outside");
    writeFileSync(join(outside, "secret"), "");
    const root = temporaryDirectory("scan");
    mkdirSync(join(root, "victim"));
    for (let i = 0; i < 50; i++) writeFileSync(join(root, "victim", `f${i}`), "");
    symlinkSync(outside, join(root, "trap"));
    const script = `
      const { renameSync } = require("node:fs");
      for (;;) {
        renameSync("victim", "saved"); renameSync("trap", "victim");
        renameSync("victim", "trap"); renameSync("saved", "victim");
      }`;
    const swapper = spawn(process.execPath, ["-e", script], { cwd: root, stdio: "ignore" });
    const outcomes = new Set<string>();
    try {
      const deadline = Date.now() + 10_000;
      // Until the swap was met in the act, and a few hundred times more.
      for (let round = 0; Date.now() < deadline && (round < 400 || outcomes.size < 2); round++) {
        const outcome = await pathsOf(root).then(
          (paths) => (paths.some((path) => path.endsWith("secret")) ? "followed" : "listed"),
          (error) => error.code,
        );
        outcomes.add(outcome);
      }
    } finally {
      swapper.kill("SIGKILL");
      await new Promise((resolve) => swapper.once("close", resolve));
    }
    expect(outcomes).toContain("listed");
    expect([...outcomes].filter((outcome) => !["listed", "ELOOP"].includes(outcome))).toEqual([]);
  });
});

describe("scan as root", needs("root"), () => {
  it("reads owners, devices and fifos", async () => {
    const root = temporaryDirectory("scan");
    writeFileSync(join(root, "owned"), "");
    chownSync(join(root, "owned"), 4_000_000_000, 12345);
    execFileSync("mkfifo", ["-m", "640", join(root, "pipe")]);
    execFileSync("mknod", ["-m", "600", join(root, "null"), "c", "1", "3"]);
    execFileSync("mknod", [join(root, "vdz"), "b", "259", "1000"]);
    const entries = await scanAll(root);
    expect(entries.map(({ path, type, uid, gid, mode, major, minor }) => [path, type, uid, gid, mode, major, minor])).toEqual([
      ["null", "char", 0, 0, 0o600, 1, 3],
      ["owned", "file", 4_000_000_000, 12345, 0o644, 0, 0],
      ["pipe", "fifo", 0, 0, 0o640, 0, 0],
      ["vdz", "block", 0, 0, 0o644, 259, 1000],
    ]);
  });
});

describe("scan of xattrs as root", needs("root", "python"), () => {
  /** Rows of path, name and value in hex. */
  const setXattrs = (rows: readonly (readonly [string, string, string])[]) => {
    const script =
      "import json,os,sys\nfor row in json.load(sys.stdin): os.setxattr(row[0], row[1], bytes.fromhex(row[2]), follow_symlinks=False)";
    execFileSync("python3", ["-c", script], { input: JSON.stringify(rows) });
  };
  // VFS_CAP_REVISION_2 with cap_net_raw, permitted and effective.
  const capability = "0100000200200000000000000000000000000000";

  it("reads those that belong to the content, of files, directories and links, and only when asked", async () => {
    const root = temporaryDirectory("scan");
    writeFileSync(join(root, "file"), "");
    mkdirSync(join(root, "directory"));
    symlinkSync("nowhere", join(root, "link"));
    setXattrs([
      [join(root, "file"), "security.capability", capability],
      [join(root, "file"), "user.binary", "00ff0a00"],
      [join(root, "file"), "user.empty", ""],
      [join(root, "file"), "security.other", "63"],
      [join(root, "directory"), "trusted.note", "61"],
      [join(root, "link"), "trusted.link", "62"],
    ]);
    const entries = await scanAll(root, [ROOT], { recursive: true, xattrs: true });
    expect(entries.map((entry) => [entry.path, entry.xattrs])).toEqual([
      ["directory", { "trusted.note": "a" }],
      [
        "file",
        {
          "security.capability": Buffer.from(capability, "hex").toString("latin1"),
          "user.binary": "\0\xff\n\0",
          "user.empty": "",
        },
      ],
      ["link", { "trusted.link": "b" }],
    ]);
    expect((await scanAll(root)).map((entry) => "xattrs" in entry)).toEqual([false, false, false]);
    const stated = decodeScan(await statMany(root, [bytesOf("file")], { xattrs: true }));
    expect(stated).toEqual([entries[1]]);
  });

  it("reads values and lists of more than its first buffer", async () => {
    const root = temporaryDirectory("scan");
    writeFileSync(join(root, "file"), "");
    const expected: Record<string, string> = { "user.long": "L".repeat(2000) };
    for (let i = 10; i < 40; i++) expected[`user.attribute-with-a-long-name-${i}`] = "v";
    setXattrs(Object.entries(expected).map(([name, value]) => [join(root, "file"), name, Buffer.from(value).toString("hex")]));
    const [entry] = await scanAll(root, [ROOT], { recursive: true, xattrs: true });
    expect(entry?.xattrs).toEqual(expected);
    expect(Object.keys(entry?.xattrs ?? {})).toEqual(Object.keys(expected).sort());
  });
});

describe("statMany", () => {
  it("answers for the paths that exist, in the given order, the root too", async () => {
    const root = temporaryDirectory("stat");
    mkdirSync(join(root, "d"));
    writeFileSync(join(root, "d/file"), "abc");
    symlinkSync("d", join(root, "link"));
    const names = ["d/file", "missing", "link", "link/file", "d/file/x", "", "d"].map(bytesOf);
    const entries = decodeScan(await statMany(root, names, { xattrs: false }));
    expect(entries.map(({ path, type }) => [path, type])).toEqual([
      ["d/file", "file"],
      ["link", "symlink"],
      ["", "directory"],
      ["d", "directory"],
    ]);
    const scanned = await scanAll(root);
    expect(entries.filter((entry) => entry.path !== "")).toEqual(
      ["d/file", "link", "d"].map((path) => scanned.find((entry) => entry.path === path)),
    );
    expect(await statMany(root, [], { xattrs: true })).toHaveLength(0);
  });

  it("refuses to leave the root", async () => {
    const root = temporaryDirectory("stat");
    await expect(statMany(root, [bytesOf("../x")], { xattrs: false })).rejects.toMatchObject({ code: "EINVAL", path: `${root}/../x` });
  });

  it("counts in doubles without loss", async () => {
    const root = temporaryDirectory("stat");
    execFileSync("truncate", ["-s", "5000000001", join(root, "sparse")]);
    const [entry] = decodeScan(await statMany(root, [bytesOf("sparse")], { xattrs: false }));
    expect(entry?.size).toBe(5_000_000_001);
    rmSync(join(root, "sparse"));
  });
});
