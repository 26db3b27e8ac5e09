import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { digestOf } from "../../store/digest.ts";
import { zstdFile, zstdInUse } from "../../store/zstd-file.ts";
import { needs } from "../support/needs.ts";
import { sampleBytes } from "../support/sample-bytes.ts";
import { temporaryDirectory } from "../support/temporary.ts";

describe("a file compressed with zstd", needs("zstd"), () => {
  it("has the same bytes on one processor as on all, and every time", async () => {
    const directory = temporaryDirectory("zstd");
    const from = join(directory, "plain");
    const plain = sampleBytes(24 * 2 ** 20);
    writeFileSync(from, plain);
    const encoder = await zstdInUse(["tool"]);
    expect(encoder.name).toMatch(/^zstd-\d+\.\d+\.\d+-jobs$/);
    const written = await zstdFile(from, join(directory, "one"), { level: 3, encoder });
    const again = await zstdFile(from, join(directory, "two"), { level: 3, encoder });
    expect(again).toEqual(written);
    expect(written.plainDigest).toBe(digestOf(plain));
    const cpu = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
    const args = ["--cpu-list", cpu, "zstd", "-q", "-c", "-T0", "--ultra", "-3"];
    const onOne = execFileSync("taskset", args, { input: plain, maxBuffer: 2 ** 28 });
    expect(digestOf(onOne)).toBe(written.digest);
  });

  it("says what is missing where nothing can do it", async () => {
    await expect(zstdInUse([])).rejects.toMatchObject({
      code: "TOOL_MISSING",
      message: "compressing: zstd needs the program zstd, which is not installed",
      hint: "apt-get install zstd, or Node 22.15 or later",
    });
  });
});
