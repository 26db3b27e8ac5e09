import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { beforeEach, describe, expect, it } from "vitest";
import { gzipLibrary } from "../../runtime-addon/index.ts";
import { plainBytes } from "../../store/compression.ts";
import { digestOf } from "../../store/digest.ts";
import { fileBytes } from "../../store/file-bytes.ts";
import { type GzipLibrary, gzipBlocks, gzipCompressor, gzipLibraryInUse } from "../../store/gzip-blocks.ts";
import { gzipMembers } from "../support/gzip-members.ts";
import { sampleBytes } from "../support/sample-bytes.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { ended, storeProgram } from "./store-process.ts";

const mebibyte = 2 ** 20;
const libraries: readonly GzipLibrary[] = gzipLibrary() === undefined ? ["node"] : ["native", "node"];

let directory: string;
let from: string;
let to: string;
beforeEach(() => {
  directory = temporaryDirectory("gzip");
  from = join(directory, "plain");
  to = join(directory, "plain.gz");
});

it("is done by the addon where it can", () => {
  expect(gzipLibraryInUse()).toBe(libraries[0]);
  expect(gzipCompressor()).toBe(gzipCompressor(libraries[0]));
});

describe.each(libraries)("gzip by the %s library", (library) => {
  it("names the compressor by all that its output depends on", () => {
    expect(gzipCompressor(library)).toMatch(library === "native" ? /^libdeflate-\d+\.\d+-6-1MiB$/ : /^zlib-\d+\.\d+[^ ]*-6-1MiB$/);
  });

  it.each<[name: string, plain: Buffer, members: readonly number[]]>([
    ["nothing", Buffer.alloc(0), [0]],
    ["a tar of no entries", Buffer.alloc(1024), [1024]],
    ["exactly 1 MiB", sampleBytes(mebibyte), [mebibyte]],
    ["exactly 7 MiB", sampleBytes(7 * mebibyte), Array(7).fill(mebibyte)],
    ["7 MiB and a tar block", sampleBytes(7 * mebibyte + 512), [...Array(7).fill(mebibyte), 512]],
    ["5 MiB that become next to nothing", Buffer.alloc(5 * mebibyte), Array(5).fill(mebibyte)],
  ])("makes of %s a member for each MiB, and every reader finds all of it", async (_name, plain, members) => {
    writeFileSync(from, plain);
    const result = await gzipBlocks(from, to, {}, library);
    const file = readFileSync(to);
    expect(result).toEqual({ plainDigest: digestOf(plain), digest: digestOf(file), size: file.length });
    expect(gzipMembers(file)).toEqual(members.map((plainSize) => ({ header: "1f8b08000000000000ff", plainBytes: plainSize })));
    expect(gunzipSync(file).equals(plain)).toBe(true);
    expect(execFileSync("gzip", ["-dc", to], { maxBuffer: 2 ** 25 }).equals(plain)).toBe(true);
    for (const compressedBytes of [undefined, file.length]) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of plainBytes(fileBytes(to), { compressedBytes })) chunks.push(chunk);
      expect(Buffer.concat(chunks).equals(plain)).toBe(true);
    }
  });

  it("gives the same bytes on one core, with one thread in Node's pool, and every time", { timeout: 60_000 }, async () => {
    writeFileSync(from, sampleBytes(9 * mebibyte + 12_345));
    const { digest } = await gzipBlocks(from, to, {}, library);
    const program = storeProgram(
      directory,
      `import { gzipBlocks } from "store/gzip-blocks.ts";
       const [from, to, library] = process.argv.slice(2);
       for (let i = 0; i < 3; i++) console.log((await gzipBlocks(from, to + i, {}, library)).digest);`,
    );
    const cpu = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
    const onOne = ["taskset", "--cpu-list", cpu, "env", "UV_THREADPOOL_SIZE=1"];
    const file = join(directory, "program.mjs");
    const { stdout } = await ended(program.start(from, `${to}-`, library));
    const [command = "", ...args] = [...onOne, process.execPath, file, from, `${to}-one-`, library];
    expect(stdout).toBe(`${digest}\n`.repeat(3));
    expect(execFileSync(command, args, { encoding: "utf8" })).toBe(stdout);
  });

  it("says what is wrong with a source that is not there, and makes no file", async () => {
    await expect(gzipBlocks(from, to, {}, library)).rejects.toMatchObject({ code: "ENOENT", syscall: "open", path: from });
    expect(existsSync(to)).toBe(false);
  });

  it("leaves a file alone that is in its way", async () => {
    writeFileSync(from, "plain");
    writeFileSync(to, "another's");
    await expect(gzipBlocks(from, to, {}, library)).rejects.toMatchObject({ code: "EEXIST", path: to });
    expect(readFileSync(to, "utf8")).toBe("another's");
  });

  it("stops when it is aborted, and removes what it wrote", async () => {
    const reason = new Error("no longer wanted");
    writeFileSync(from, "");
    truncateSync(from, 16 * 2 ** 30);
    await expect(gzipBlocks(from, to, { signal: AbortSignal.abort(reason) }, library)).rejects.toBe(reason);
    expect(existsSync(to)).toBe(false);
    const controller = new AbortController();
    const done = gzipBlocks(from, to, { signal: controller.signal }, library);
    while (!existsSync(to)) await setImmediate();
    controller.abort(reason);
    await expect(done).rejects.toBe(reason);
    expect(existsSync(to)).toBe(false);
  });
});
