import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { beforeEach, describe, expect, it } from "vitest";
import { FileChangedError, gzipFile, gzipLibrary } from "../../runtime-addon/index.ts";
import { gzipMembers } from "../support/gzip-members.ts";
import { needs } from "../support/needs.ts";
import { sampleBytes } from "../support/sample-bytes.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { bundleProgram } from "./bundled.ts";

const blockBytes = 65_536;
const form = { level: 6, blockBytes };
const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

let directory: string;
let from: string;
let to: string;
beforeEach(() => {
  directory = temporaryDirectory("deflate");
  from = join(directory, "plain");
  to = join(directory, "plain.gz");
});

/** A file without content that takes seconds to compress, and no room. */
function hugeFile(): void {
  writeFileSync(from, "");
  truncateSync(from, 16 * 2 ** 30);
}

async function begun(): Promise<void> {
  while (!existsSync(to)) await setImmediate();
}

describe("gzipFile", needs("libdeflate"), () => {
  it("is of a library that says its version", () => {
    expect(gzipLibrary()).toMatch(/^libdeflate-\d+\.\d+$/);
  });

  it.each<[name: string, size: number, members: readonly number[]]>([
    ["an empty file", 0, [0]],
    ["one byte", 1, [1]],
    ["a byte less than a block", blockBytes - 1, [blockBytes - 1]],
    ["exactly a block", blockBytes, [blockBytes]],
    ["a byte more", blockBytes + 1, [blockBytes, 1]],
    ["exactly many blocks", 40 * blockBytes, Array(40).fill(blockBytes)],
    ["many blocks and a rest", 40 * blockBytes + 512, [...Array(40).fill(blockBytes), 512]],
  ])("makes a member of each block of %s", async (_name, size, members) => {
    const plain = sampleBytes(size);
    writeFileSync(from, plain);
    const result = await gzipFile(from, to, form);
    const file = readFileSync(to);
    expect(result).toEqual({ plainDigest: sha256(plain), digest: sha256(file), size: file.length });
    expect(gunzipSync(file).equals(plain)).toBe(true);
    // RFC 1952 §2.3: no flags, no time, unknown system.
    expect(gzipMembers(file)).toEqual(members.map((plainBytes) => ({ header: "1f8b08000000000000ff", plainBytes })));
  });

  it("gives the same bytes on one CPU, and every time", () => {
    const program = bundleProgram(
      directory,
      `const [from, to] = args as [string, string];
       const digests = new Set<string>();
       for (let i = 0; i < 5; i++) digests.add((await runtime.gzipFile(from, to + i, { level: 6, blockBytes: ${blockBytes} })).digest);
       return [...digests];`,
    );
    writeFileSync(from, sampleBytes(100 * blockBytes));
    const cpu = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
    const everywhere = execFileSync(process.execPath, [program, from, `${to}-all-`], { encoding: "utf8" });
    const onOne = execFileSync("taskset", ["--cpu-list", cpu, process.execPath, program, from, `${to}-one-`], { encoding: "utf8" });
    expect(onOne).toBe(everywhere);
    expect(JSON.parse(everywhere).value).toHaveLength(1);
  });

  it("does it with several files at once", async () => {
    const plain = sampleBytes(30 * blockBytes);
    const names = Array.from({ length: 6 }, (_, i) => `${from}-${i}`);
    for (const [i, name] of names.entries()) writeFileSync(name, plain.subarray(i * blockBytes));
    await Promise.all(names.map((name) => gzipFile(name, `${name}.gz`, form)));
    for (const [i, name] of names.entries())
      expect(gunzipSync(readFileSync(`${name}.gz`)).equals(plain.subarray(i * blockBytes))).toBe(true);
  });

  it.each([0, 13, Number.NaN])("refuses level %d", async (level) => {
    await expect(gzipFile(from, to, { level, blockBytes })).rejects.toThrow(new RangeError(`level ${level} is not 1 to 12`));
  });

  it.each([0, 1.5, -1])("refuses blocks of %d bytes", async (bytes) => {
    await expect(gzipFile(from, to, { level: 6, blockBytes: bytes })).rejects.toThrow(
      new RangeError(`blockBytes ${bytes} is no number of bytes`),
    );
  });
});

describe("gzipFile, when it fails,", needs("libdeflate"), () => {
  it("names a source that is not there, and makes no file", async () => {
    const error = await gzipFile(from, to, form).catch((reason) => reason);
    expect({ ...error }).toEqual({ code: "ENOENT", errno: -2, syscall: "open", path: from });
    expect(existsSync(to)).toBe(false);
  });

  it("leaves a file alone that is in its way", async () => {
    writeFileSync(from, "plain");
    writeFileSync(to, "another's");
    await expect(gzipFile(from, to, form)).rejects.toMatchObject({ code: "EEXIST", syscall: "open", path: to });
    expect(readFileSync(to, "utf8")).toBe("another's");
  });

  it.each([
    ["a directory", (path: string) => mkdirSync(path)],
    ["a FIFO, at which it does not wait,", (path: string) => execFileSync("mkfifo", [path])],
  ])("calls %s changed", async (_name, make) => {
    make(from);
    const error = await gzipFile(from, to, form).catch((reason) => reason);
    expect(error).toBeInstanceOf(FileChangedError);
    expect(error.message).toBe(`reading ${from}: file changed: it is not a regular file`);
    expect(existsSync(to)).toBe(false);
  });

  it("notices a source that is cut meanwhile", async () => {
    hugeFile();
    const done = gzipFile(from, to, form);
    await begun();
    truncateSync(from, 0);
    await expect(done).rejects.toMatchObject({ code: "FILE_CHANGED", path: from });
    expect(existsSync(to)).toBe(false);
  });

  it("removes what it wrote at the process's file size limit", () => {
    const program = bundleProgram(
      directory,
      `const [from, to] = args as [string, string];
       return runtime.gzipFile(from, to, { level: 6, blockBytes: ${blockBytes} });`,
    );
    writeFileSync(from, sampleBytes(64 * blockBytes));
    const outcome = execFileSync("prlimit", ["--fsize=1000000", process.execPath, program, from, to], { encoding: "utf8" });
    expect(JSON.parse(outcome)).toEqual({ error: { code: "EFBIG", errno: -27, syscall: "write", path: to } });
    expect(existsSync(to)).toBe(false);
  });
});

describe("gzipFile with a signal", needs("libdeflate"), () => {
  const reason = new Error("no longer wanted");

  it("does nothing when it is aborted already", async () => {
    writeFileSync(from, "plain");
    await expect(gzipFile(from, to, { ...form, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(existsSync(to)).toBe(false);
  });

  it("stops in the middle, and removes what it wrote", async () => {
    hugeFile();
    const controller = new AbortController();
    const done = gzipFile(from, to, { ...form, signal: controller.signal });
    await begun();
    controller.abort(reason);
    await expect(done).rejects.toBe(reason);
    expect(existsSync(to)).toBe(false);
  });

  it("keeps a finished file when it is aborted afterwards", async () => {
    writeFileSync(from, "plain");
    const controller = new AbortController();
    await gzipFile(from, to, { ...form, signal: controller.signal });
    controller.abort(reason);
    expect(gunzipSync(readFileSync(to)).toString()).toBe("plain");
  });
});

const UID = 54_321;

describe("without a thread to be had", needs("root", "libdeflate"), () => {
  it("gives the same bytes", async () => {
    const program = bundleProgram(
      directory,
      `const { execFileSync } = await import("node:child_process");
       const { promises } = await import("node:fs");
       const [from, to] = args as [string, string];
       // Node's own pool comes first; from then on this user may start nothing.
       await promises.stat(from);
       execFileSync("prlimit", ["--pid", String(process.pid), "--nproc=1:1"]);
       return runtime.gzipFile(from, to, { level: 6, blockBytes: ${blockBytes} });`,
    );
    writeFileSync(from, sampleBytes(20 * blockBytes));
    const expected = await gzipFile(from, to, form);
    rmSync(to);
    chmodSync(directory, 0o755);
    const out = join(directory, "out");
    mkdirSync(out);
    chownSync(out, UID, UID);
    const argv = ["--reuid", String(UID), "--regid", String(UID), "--clear-groups", process.execPath, program, from, join(out, "gz")];
    expect(JSON.parse(execFileSync("setpriv", argv, { encoding: "utf8" }))).toEqual({ value: expected });
  });
});
