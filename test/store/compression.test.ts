import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { defaultLimits, detectCompression, type PlainLimits, plainBytes } from "../../store/compression.ts";
import { inflateSmallGzip } from "../../store/gzip-small.ts";
import { unzstd } from "../../store/zstd.ts";
import { allOf, chunked } from "../conformance/blob-store.suite.ts";
import { needs } from "../support/needs.ts";

const through = (tool: string, args: readonly string[], input: Uint8Array) => execFileSync(tool, args, { input, maxBuffer: 1 << 28 });
const text = Buffer.from("All happy families are alike; ".repeat(20_000));
const noise = randomBytes(1_000_003);
const samples: readonly (readonly [string, Buffer])[] = [
  ["nothing", Buffer.alloc(0)],
  ["one byte", Buffer.from("x")],
  ["text", text],
  ["noise", noise],
];
const cut = (bytes: Buffer, size: number) =>
  chunked(...Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size)));
const plain = async (bytes: Buffer, options = {}) => allOf(plainBytes(cut(bytes, 10_007), options));

const tools = [
  ["gzip", (bytes: Buffer) => gzipSync(bytes)],
  ["zstd", (bytes: Buffer) => through("zstd", ["-qc"], bytes)],
  ["xz", (bytes: Buffer) => through("xz", ["-c"], bytes)],
  ["bzip2", (bytes: Buffer) => through("bzip2", ["-c"], bytes)],
] as const;

describe("plainBytes", needs("zstd", "xz", "bzip2"), () => {
  it.each(tools)("undoes %s, whatever the sizes, in several parts too", async (kind, compress) => {
    for (const [, bytes] of samples) {
      expect(detectCompression(compress(bytes))).toBe(kind);
      expect((await plain(compress(bytes))).equals(bytes)).toBe(true);
    }
    expect(
      (await plain(Buffer.concat([compress(text), compress(Buffer.alloc(0)), compress(noise)]))).equals(Buffer.concat([text, noise])),
    ).toBe(true);
    expect((await allOf(plainBytes(cut(compress(Buffer.from("short")), 1)))).toString()).toBe("short");
  });

  it.each(samples)("passes %s on as it is", async (_, bytes) => {
    expect((await plain(bytes)).equals(bytes)).toBe(true);
  });

  it.each(tools)("tells of %s data that is cut short or broken, and ends the source", async (kind, compress) => {
    const good = compress(noise);
    for (const bad of [
      good.subarray(0, good.length - 5000),
      Buffer.concat([good.subarray(0, 600_000), Buffer.alloc(1000, 0xff), good.subarray(601_000)]),
    ]) {
      const source = cut(bad, 10_007);
      await expect(allOf(plainBytes(source))).rejects.toMatchObject({
        code: "INVALID_COMPRESSION",
        message: expect.stringContaining(`decompressing: the ${kind} data is broken: `),
      });
      expect(source.ended).toBe(true);
    }
  });

  it.each(tools)("passes on what stops the source of %s, and leaves no process", async (_, compress) => {
    const bytes = compress(noise);
    const source = chunked(bytes.subarray(0, 300_000), new Error("line cut"));
    await expect(allOf(plainBytes(source))).rejects.toThrow("line cut");
  });

  it.each(tools)("may be left early: %s", async (_, compress) => {
    const source = cut(compress(noise), 10_007);
    for await (const chunk of plainBytes(source)) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    expect(source.ended).toBe(true);
  });

  it.each<[name: string, bytes: Buffer, limits: PlainLimits, why: string, compressedBytes?: number]>([
    [
      "a zstd bomb",
      through("zstd", ["-qc", "-19"], Buffer.alloc(32 << 20)),
      { ...defaultLimits, freeBytes: 1 << 20 },
      "a compression bomb",
    ],
    [
      "a bomb that says it were long",
      through("zstd", ["-qc", "-19"], Buffer.alloc(32 << 20)),
      { ...defaultLimits, freeBytes: 1 << 20 },
      "a compression bomb",
      1 << 30,
    ],
    ["an xz bomb", through("xz", ["-c"], Buffer.alloc(32 << 20)), { ...defaultLimits, freeBytes: 1 << 20 }, "a compression bomb"],
    [
      "a gzip file of more than the limit",
      gzipSync(Buffer.alloc(32 << 20)),
      { ...defaultLimits, plainBytes: 10 << 20 },
      "more than 10485760 bytes",
    ],
  ])("stops %s", async (_, bytes, limits, why, compressedBytes) => {
    await expect(plain(bytes, { limits, compressedBytes })).rejects.toMatchObject({
      code: "TOO_LARGE",
      message: expect.stringContaining(why),
    });
  });

  it("lets deflate's best ratio pass", async () => {
    const bytes = gzipSync(Buffer.alloc(32 << 20), { level: 9 });
    expect((await plain(bytes, { limits: { ...defaultLimits, freeBytes: 1 << 20 } })).length).toBe(32 << 20);
  });

  it("inflates a small file at once, members and all", async () => {
    const two = Buffer.concat([gzipSync("aaa"), gzipSync("bbb")]);
    const same = Buffer.concat([gzipSync("aaa"), gzipSync("aaa")]);
    expect(inflateSmallGzip(same).toString()).toBe("aaaaaa");
    expect(inflateSmallGzip(gzipSync("aaa")).toString()).toBe("aaa");
    expect(inflateSmallGzip(two).toString()).toBe("aaabbb");
    expect(inflateSmallGzip(gzipSync("")).toString()).toBe("");
    const zeros = gzipSync(Buffer.alloc(10 << 20));
    expect(inflateSmallGzip(zeros).equals(Buffer.alloc(10 << 20))).toBe(true);
    expect((await allOf(plainBytes(chunked(two), { compressedBytes: two.length }))).toString()).toBe("aaabbb");
    for (const bad of [two.subarray(0, two.length - 3), Buffer.concat([two.subarray(0, 12), Buffer.from("??"), two.subarray(14)])]) {
      await expect(allOf(plainBytes(chunked(bad), { compressedBytes: bad.length }))).rejects.toMatchObject({ code: "INVALID_COMPRESSION" });
    }
  });
});

describe("unzstd", needs("zstd"), () => {
  it.each([["tool"], ["script"]] as const)("gives the same by %s", async (decoder) => {
    for (const [, bytes] of samples) {
      expect((await allOf(unzstd(cut(through("zstd", ["-qc"], bytes), 1009), [decoder]))).equals(bytes)).toBe(true);
    }
    const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
    const frames = Buffer.concat([skippable, through("zstd", ["-qc"], text), skippable, through("zstd", ["-qc"], noise)]);
    expect(detectCompression(frames)).toBe("zstd");
    expect((await allOf(unzstd(cut(frames, 70_001), [decoder]))).equals(Buffer.concat([text, noise]))).toBe(true);
  });

  it("refuses windows that a script is too slow for", async () => {
    const wide = through("zstd", ["-qc", "--long=27"], Buffer.alloc(1000));
    // Of unknown length, so that the frame names its window.
    expect((await allOf(unzstd(chunked(wide), ["tool"]))).length).toBe(1000);
    await expect(allOf(unzstd(chunked(wide), ["script"]))).rejects.toMatchObject({
      code: "UNSUPPORTED_COMPRESSION",
      message: "decompressing: the zstd data needs a window of 134217728 bytes",
    });
  });
});
