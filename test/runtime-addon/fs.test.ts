import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fchmodSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  type AttributeChange,
  bytesOf,
  decodeScan,
  removePaths,
  removeTree,
  renameNoReplace,
  setAttributes,
  statMany,
  syncFileSystem,
} from "../../runtime-addon/index.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { bundleProgram } from "./bundled.ts";

describe("removeTree", () => {
  it("removes a tree, a file, and nothing", async () => {
    const base = temporaryDirectory("remove");
    for (let i = 0; i < 30; i++) {
      mkdirSync(join(base, `tree/d${i}/e/f`), { recursive: true });
      for (let j = 0; j < 40; j++) writeFileSync(join(base, `tree/d${i}/e/${"n".repeat(200)}${j}`), "");
    }
    writeFileSync(join(base, "file"), "");
    for (const name of ["tree", "file", "missing", "missing/below"]) await removeTree(join(base, name));
    expect(readdirSync(base)).toEqual([]);
  });

  it("removes links, not what they point to", async () => {
    const base = temporaryDirectory("remove");
    mkdirSync(join(base, "kept/inner"), { recursive: true });
    writeFileSync(join(base, "kept/file"), "");
    mkdirSync(join(base, "tree"));
    symlinkSync("../kept", join(base, "tree/directory"));
    symlinkSync(join(base, "kept/file"), join(base, "tree/file"));
    symlinkSync("kept", join(base, "link"));
    await removeTree(join(base, "tree"));
    await removeTree(join(base, "link"));
    expect(readdirSync(base)).toEqual(["kept"]);
    expect(readdirSync(join(base, "kept"))).toEqual(["file", "inner"]);
  });

  it("removes directories deeper than any path can name", { timeout: 60_000 }, async () => {
    const base = temporaryDirectory("remove");
    // Far past PATH_MAX, and past a limit of 1024 open files.
    const script = `const fs = require("node:fs");
      for (let level = 0; level < 3000; level++) { fs.mkdirSync("a".repeat(20)); process.chdir("a".repeat(20)); fs.writeFileSync("f", ""); }`;
    mkdirSync(join(base, "tree"));
    execFileSync(process.execPath, ["-e", script], { cwd: join(base, "tree") });
    mkdirSync(join(base, "tree/.deep-0"));
    await removeTree(join(base, "tree"));
    expect(readdirSync(base)).toEqual([]);
  });

  it("says what it could not remove", async () => {
    const base = temporaryDirectory("remove");
    writeFileSync(join(base, "file"), "");
    const error = await removeTree(join(base, "file/below")).catch((reason) => ({ ...reason }));
    expect(error).toEqual({ code: "ENOTDIR", errno: -20, syscall: "unlink", path: join(base, "file/below") });
  });

  it("does not go into a mount point's parent twice: a mounted directory is an error that names it", needs("privateMounts"), () => {
    const base = temporaryDirectory("remove");
    mkdirSync(join(base, "tree/a/mounted"), { recursive: true });
    const program = bundleProgram(base, "await runtime.removeTree(args[0]!);");
    const script = 'mount -t tmpfs none "$1/a/mounted"; echo kept > "$1/a/mounted/file"; exec "$2" "$3" "$1"';
    const output = execFileSync("unshare", ["--mount", "sh", "-ec", script, "sh", join(base, "tree"), process.execPath, program], {
      encoding: "utf8",
    });
    expect(JSON.parse(output)).toEqual({ error: { code: "EBUSY", errno: -16, syscall: "rmdir", path: join(base, "tree/a/mounted") } });
  });

  it("makes unwritable directories of one's own writable, and stops at those of others", needs("root"), () => {
    const uid = 54_322;
    const base = temporaryDirectory("remove");
    const program = bundleProgram(base, "await runtime.removeTree(args[0]!);");
    mkdirSync(join(base, "own/a/b/empty"), { recursive: true });
    writeFileSync(join(base, "own/a/b/file"), "");
    mkdirSync(join(base, "own/foreign"));
    writeFileSync(join(base, "own/foreign/file"), "");
    for (const path of ["own", "own/a", "own/a/b", "own/a/b/empty", "own/a/b/file"]) chownSync(join(base, path), uid, uid);
    for (const path of ["own/a/b/empty", "own/a/b", "own/a"]) chmodSync(join(base, path), path === "own/a" ? 0o500 : 0o000);
    const run = () =>
      JSON.parse(
        execFileSync(
          "setpriv",
          ["--reuid", String(uid), "--regid", String(uid), "--clear-groups", process.execPath, program, join(base, "own")],
          {
            encoding: "utf8",
          },
        ),
      );
    expect(run()).toEqual({ error: { code: "EACCES", errno: -13, syscall: "unlink", path: join(base, "own/foreign/file") } });
    expect(readFileSync(join(base, "own/foreign/file"), "utf8")).toBe("");
    execFileSync("rm", ["-r", join(base, "own/foreign")]);
    chownSync(base, uid, uid);
    expect(run()).toEqual({});
    expect(existsSync(join(base, "own"))).toBe(false);
  });
});

describe("removePaths", () => {
  it("removes files and empty directories in order, links themselves", async () => {
    const root = temporaryDirectory("remove");
    mkdirSync(join(root, "d/e"), { recursive: true });
    writeFileSync(join(root, "d/e/f"), "");
    writeFileSync(join(root, "kept"), "");
    symlinkSync("kept", join(root, "link"));
    await removePaths(root, ["d/e/f", "d/e", "link", "d"].map(bytesOf));
    expect(readdirSync(root)).toEqual(["kept"]);
    await removePaths(root, []);
  });

  it.each([
    ["a directory with something in it", "d", "ENOTEMPTY", "rmdir"],
    ["a missing file", "missing", "ENOENT", "unlink"],
    ["the root itself", "", "EINVAL", "unlink"],
    ["..", "d/..", "EINVAL", "open"],
    ["what lies behind a symlink", "up/victim", "ELOOP", "open"],
  ])("refuses %s", async (_name, path, code, syscall) => {
    const outside = temporaryDirectory("outside");
    writeFileSync(join(outside, "victim"), "");
    const root = temporaryDirectory("remove");
    mkdirSync(join(root, "d"));
    writeFileSync(join(root, "d/file"), "");
    symlinkSync(outside, join(root, "up"));
    await expect(removePaths(root, [bytesOf(path)])).rejects.toMatchObject({ code, syscall });
    expect(readdirSync(outside)).toEqual(["victim"]);
    expect(readdirSync(root)).toEqual(["d", "up"]);
  });
});

describe("setAttributes", () => {
  const change = (path: string, more: Omit<AttributeChange, "path">): AttributeChange => ({ path: bytesOf(path), ...more });

  it("sets what is given and keeps the rest, of the root too", async () => {
    const root = temporaryDirectory("attributes");
    mkdirSync(join(root, "d"));
    for (const name of ["d/mode", "d/time", "d/none"]) writeFileSync(join(root, name), "", { mode: 0o600 });
    const times = new Date(1_000_000_000_000);
    for (const name of ["d/mode", "d/time", "d/none"]) execFileSync("touch", ["-d", times.toISOString(), join(root, name)]);
    await setAttributes(root, [
      change("d/mode", { mode: 0o4755 }),
      change("d/time", { mtime: -5, mtimeNsec: 7 }),
      change("d/none", {}),
      change("", { mtime: 12 }),
    ]);
    const entries = decodeScan(await statMany(root, ["d/mode", "d/time", "d/none", ""].map(bytesOf), { xattrs: false }));
    expect(entries.map((entry) => [entry.mode, entry.mtime, entry.mtimeNsec])).toEqual([
      [0o4755, 1_000_000_000, 0],
      [0o600, -5, 7],
      [0o600, 1_000_000_000, 0],
      [0o755, 12, 0],
    ]);
  });

  it("sets a symlink's own time, and refuses to set its mode", async () => {
    const root = temporaryDirectory("attributes");
    writeFileSync(join(root, "file"), "");
    symlinkSync("file", join(root, "link"));
    const before = statSync(join(root, "file"));
    await setAttributes(root, [change("link", { mtime: 99 })]);
    await expect(setAttributes(root, [change("link", { mode: 0o777 })])).rejects.toMatchObject({ code: "ENOTSUP", syscall: "fchmodat" });
    expect(lstatSync(join(root, "link")).mtimeMs).toBe(99_000);
    const after = statSync(join(root, "file"));
    expect([after.mode, after.mtimeMs, after.ctimeMs]).toEqual([before.mode, before.mtimeMs, before.ctimeMs]);
  });

  it("does not reach through a symlink, nor out of the root", async () => {
    const outside = temporaryDirectory("outside");
    writeFileSync(join(outside, "victim"), "", { mode: 0o600 });
    const root = temporaryDirectory("attributes");
    symlinkSync(outside, join(root, "up"));
    await expect(setAttributes(root, [change("up/victim", { mode: 0o777 })])).rejects.toMatchObject({ code: "ELOOP" });
    await expect(setAttributes(root, [change("../x", { mode: 0o777 })])).rejects.toMatchObject({ code: "EINVAL" });
    expect(statSync(join(outside, "victim")).mode & 0o777).toBe(0o600);
  });

  it("sets owner before mode, so that setuid stays", needs("root"), async () => {
    const root = temporaryDirectory("attributes");
    writeFileSync(join(root, "file"), "");
    symlinkSync("file", join(root, "link"));
    await setAttributes(root, [change("file", { uid: 1, gid: 2, mode: 0o6755 }), change("link", { gid: 3 })]);
    const entries = decodeScan(await statMany(root, ["file", "link"].map(bytesOf), { xattrs: false }));
    expect(entries.map((entry) => [entry.uid, entry.gid, entry.mode])).toEqual([
      [1, 2, 0o6755],
      [0, 3, 0o777],
    ]);
    await setAttributes(root, [change("file", { gid: 5 })]);
    expect([statSync(join(root, "file")).uid, statSync(join(root, "file")).gid]).toEqual([1, 5]);
  });
});

describe("renameNoReplace", () => {
  it("renames, and refuses to replace a file or a directory", () => {
    const base = temporaryDirectory("rename");
    mkdirSync(join(base, "empty"));
    mkdirSync(join(base, "d"));
    writeFileSync(join(base, "file"), "kept");
    writeFileSync(join(base, "other"), "other");
    renameNoReplace(join(base, "d"), join(base, "moved"));
    const attempt = (from: string, to: string) => {
      try {
        renameNoReplace(join(base, from), join(base, to));
      } catch (error) {
        return { ...(error as object) };
      }
      return undefined;
    };
    expect(attempt("moved", "empty")).toEqual({
      code: "EEXIST",
      errno: -17,
      syscall: "renameat2",
      path: join(base, "moved"),
      dest: join(base, "empty"),
    });
    expect(attempt("other", "file")).toMatchObject({ code: "EEXIST" });
    expect(attempt("missing", "new")).toMatchObject({ code: "ENOENT" });
    expect(readdirSync(base)).toEqual(["empty", "file", "moved", "other"]);
    expect(readFileSync(join(base, "file"), "utf8")).toBe("kept");
  });
});

describe("syncFileSystem", () => {
  it("syncs an open file's file system, and refuses what is not open", async () => {
    const base = temporaryDirectory("sync");
    const fd = openSync(base, "r");
    try {
      await expect(syncFileSystem(fd)).resolves.toBeUndefined();
    } finally {
      closeSync(fd);
    }
    await expect(syncFileSystem(-1)).rejects.toMatchObject({ code: "EBADF", syscall: "syncfs" });
    expect(() => fchmodSync(fd, 0o755)).toThrow("EBADF");
  });
});
