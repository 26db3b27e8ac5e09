import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { bundleProgram } from "./bundled.ts";

// seccomp(2): openat2 (437 on every architecture) fails with argv[1], then the rest of argv is run.
const WITHOUT_OPENAT2 = `
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
code = b"".join(struct.pack("HBBI", *row) for row in [(0x20, 0, 0, 0), (0x15, 0, 1, 437), (0x06, 0, 0, 0x50000 | int(sys.argv[1])), (0x06, 0, 0, 0x7fff0000)])
program = ctypes.create_string_buffer(code)
filter = struct.pack("HxxxxxxQ", 4, ctypes.addressof(program))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.create_string_buffer(filter), 0, 0) == 0
os.execv(sys.argv[2], sys.argv[2:])
`;

describe("where openat2 is refused, by an old kernel or an old seccomp filter", needs("python"), () => {
  it.each([
    ["ENOSYS", 38],
    ["EPERM", 1],
  ])("reads and writes the same, and follows as little (%s)", (_name, errno) => {
    const outside = temporaryDirectory("outside");
    mkdirSync(join(outside, "d"));
    writeFileSync(join(outside, "d/victim"), "");
    const base = temporaryDirectory("openat2");
    const root = join(base, "root");
    mkdirSync(join(root, "a/b/c"), { recursive: true });
    writeFileSync(join(root, "a/b/c/file"), "content");
    symlinkSync(outside, join(root, "up"));
    symlinkSync(outside, join(root, "a/b/up"));
    const program = bundleProgram(
      base,
      `const [root] = args as [string];
       const bytes = runtime.bytesOf;
       const options = { recursive: true, xattrs: false };
       const attributes = { mode: 0o644, uid: process.getuid!(), gid: process.getgid!(), mtime: 1, mtimeNsec: 0 };
       const file = (path: string) => ({ kind: "file" as const, path: bytes(path), offset: 0, size: 1, ...attributes });
       const codeOf = (promise: Promise<unknown>) => promise.then(() => "done", (error) => error.code);
       const tried: Record<string, unknown> = {};
       for (const path of ["a/b/c", "up", "up/d", "a/b/up", "a/b/up/d", "a/b/c/file", "none/d", "../x"]) {
         tried[path] = [
           await codeOf(runtime.scan(root, [bytes(path)], options)),
           await codeOf(runtime.extract(root, root + "/a/b/c/file", [file(path + "/new")], { owners: true })),
         ];
       }
       const entries = runtime.decodeScan(await runtime.scan(root, [bytes("")], options));
       const digest = (await runtime.hashFiles(root, [bytes("a/b/c/file")])).toString("hex");
       return { tried, paths: entries.map((entry) => entry.path), digest };`,
    );
    const output = execFileSync("python3", ["-c", WITHOUT_OPENAT2, String(errno), process.execPath, program, root], { encoding: "utf8" });
    expect(JSON.parse(output)).toEqual({
      value: {
        tried: {
          "a/b/c": ["done", "done"],
          up: ["ELOOP", "ELOOP"],
          "up/d": ["ELOOP", "ELOOP"],
          "a/b/up": ["ELOOP", "ELOOP"],
          "a/b/up/d": ["ELOOP", "ELOOP"],
          "a/b/c/file": ["ENOTDIR", "ENOTDIR"],
          "none/d": ["ENOENT", "ENOENT"],
          "../x": ["EINVAL", "EINVAL"],
        },
        paths: ["a", "a/b", "a/b/c", "a/b/c/file", "a/b/c/new", "a/b/up", "up"],
        digest: "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73",
      },
    });
    expect(readdirSync(join(outside, "d"))).toEqual(["victim"]);
    expect(readdirSync(outside)).toEqual(["d"]);
  });
});
