import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { digestOf } from "../../../store/digest.ts";
import { layerCollector, type TarInode } from "../../../store/layer/layer-collector.ts";
import { tarParser } from "../../../store/layer/tar-parse.ts";
import { readTar } from "../../../store/layer/tar-read.ts";
import { readLayerBlob } from "../../../store/layer-blob.ts";
import { random } from "../../builder/dockerfile/random.ts";
import { sampleBytes } from "../../support/sample-bytes.ts";
import { chunked, pax, raw, trailer } from "./samples.ts";

/** What the parser alone makes of a tar. */
async function parsed(tar: Buffer) {
  const collector = layerCollector<TarInode>();
  const size = await readTar(chunked(tar), collector);
  return { diffId: digestOf(tar), size, entries: collector.entries() };
}

const small = (count: number) => Array.from({ length: count }, (_, i) => raw({ name: `f${i}` }, sampleBytes((i * 37) % 1500)));
const base256 = Buffer.concat([Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5])]).toString("latin1");

/** TSBUILD_FUZZ=N reads so many. */
const seeds = Number(process.env.TSBUILD_FUZZ ?? 400);
const firstSeed = process.env.TSBUILD_FUZZ === undefined ? 1 : Date.now() % 1_000_000;

/** A few entries of all kinds; in most archives some header has a byte changed, its checksum put right, and some archives are cut short. */
function randomTar(draw: (below: number) => number): Buffer {
  const types = ["0", "0", "0", "1", "2", "3", "5", "6", "\0", "7", "S", "V"];
  const parts = Array.from({ length: 1 + draw(6) }, (_, i) => {
    const content = sampleBytes(draw(3) === 0 ? 0 : draw(1600));
    if (draw(6) === 0) return pax({ path: `long${i}`, ...(draw(3) === 0 ? { size: String(draw(700)) } : {}) }, draw(4) === 0 ? "g" : "x");
    const type = types[draw(types.length)] ?? "0";
    const entry = raw({ name: draw(8) === 0 ? ".wh.f0" : `f${draw(5)}`, type, linkName: "f0", major: "0000001\0" }, content);
    return draw(2) === 0 ? withChangedHeader(entry, draw) : entry;
  });
  const tar = Buffer.concat([...parts, ...(draw(8) === 0 ? [] : [trailer]), ...(draw(8) === 0 ? [sampleBytes(600)] : [])]);
  return draw(6) === 0 ? tar.subarray(0, draw(tar.length)) : tar;
}

function withChangedHeader(entry: Buffer, draw: (below: number) => number): Buffer {
  const changed = Buffer.from(entry);
  changed[draw(512)] = [0, 32, 48, 55, 56, 47, 128, 255, 65][draw(9)] ?? 0;
  changed.fill(" ", 148, 156);
  const sum = changed.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  changed.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return changed;
}

describe("a tar is read as the parser alone reads it:", () => {
  it.each<[name: string, parts: readonly Buffer[]]>([
    ["no entry", []],
    ["many small files", small(300)],
    ["a file larger than all that is read at once", [raw({ name: "large" }, sampleBytes(10 << 20)), ...small(3)]],
    [
      "directories, links, devices and old types",
      ["7", "1", "2", "3", "5", "6", "\0", "V"].map((type, i) => raw({ name: `n${i}`, type, linkName: "n0", major: "0000001\0" })),
    ],
    ["a long name and attributes", [pax({ path: "p".repeat(120), "SCHILY.xattr.user.a": "size" }), raw({}, "content"), ...small(5)]],
    ["a size in an extended header", [pax({ size: "7" }), raw({ name: "a", size: 0 }, "content"), ...small(5)]],
    ["a size in a global header", [...small(2), pax({ size: "600" }, "g"), raw({ name: "a", size: 0 }, sampleBytes(600))]],
    ["a size in a file's name", [pax({ path: "a size=3" }), raw({}, "content"), ...small(5)]],
    ["a size in binary", [raw({ name: "a", sizeField: base256 }, "hello"), ...small(5)]],
    ["a sparse file", [pax({ "GNU.sparse.size": "900", "GNU.sparse.map": "100,5" }), raw({ name: "s" }, "holes"), ...small(5)]],
    ["a link that has a size", [raw({ name: "a" }, "x"), raw({ name: "l", type: "1", linkName: "a", size: 5000 }), ...small(2)]],
    ["content where a removal is", [raw({ name: ".wh.gone" }, "nobody reads this"), ...small(2)]],
    ["entries behind the end", [...small(2), trailer, ...small(300)]],
  ])("%s", async (_name, parts) => {
    const tar = Buffer.concat([...parts, trailer]);
    const expected = await parsed(tar);
    const gzip = gzipSync(tar, { level: 1 });
    for (const [form, bytes, chunkBytes] of [
      ["plain", tar, 777],
      ["plain", tar, 1 << 20],
      ["gzip", gzip, 777],
      ["gzip", gzip, 1 << 20],
    ] as const) {
      const { tree } = await readLayerBlob(chunked(bytes, tar.length > 1 << 20 ? Math.max(chunkBytes, 1 << 16) : chunkBytes));
      const { contentId: _, ...read } = tree;
      expect(read, `${form} in chunks of ${chunkBytes}`).toEqual(expected);
    }
  });

  it(`in ${seeds} random archives, broken or not (seeds from ${firstSeed})`, async () => {
    let read = 0;
    for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
      const draw = random(seed);
      const tar = randomTar(draw);
      const bytes = draw(2) === 0 ? tar : gzipSync(tar, { level: 1 });
      const expected = await parsed(tar).catch(() => undefined);
      const blob = await readLayerBlob(chunked(bytes, 1 + draw(3000))).catch(() => undefined);
      if (blob === undefined || expected === undefined) {
        // What one refuses the other does too.
        expect({ seed, native: blob?.tree, parser: expected }).toEqual({ seed, native: undefined, parser: undefined });
        continue;
      }
      const { contentId: _, ...tree } = blob.tree;
      expect({ seed, ...tree }).toEqual({ seed, ...expected });
      read++;
    }
    expect(read).toBeGreaterThan(seeds / 10);
  });

  it.each<[name: string, tar: Buffer]>([
    ["inside a content", raw({ name: "a" }, sampleBytes(1000)).subarray(0, 900)],
    ["inside the zeros behind a content", raw({ name: "a" }, sampleBytes(1000)).subarray(0, 1530)],
    ["inside a header", Buffer.concat([...small(3), raw({}).subarray(0, 100)])],
    ["with what is no header", Buffer.concat([...small(40), Buffer.alloc(2048, "no header ")])],
    ["inside an extended header", pax({ path: "p".repeat(900) }).subarray(0, 700)],
  ])("one that ends too early, %s", async (_name, tar) => {
    const failure = await parsed(tar).then(
      () => undefined,
      (error: Error) => error,
    );
    await expect(readLayerBlob(chunked(tar, 333))).rejects.toMatchObject({ code: "INVALID_TAR", message: failure?.message });
    await expect(readLayerBlob(chunked(gzipSync(tar)))).rejects.toMatchObject({ code: "INVALID_TAR", message: failure?.message });
  });
});

describe("gzip", () => {
  const tar = Buffer.concat([...small(20), trailer]);
  const gzip = gzipSync(tar);

  it.each([1, 100, 1 << 20])("of many members is one tar, in chunks of %i bytes", async (chunkBytes) => {
    const members = Buffer.concat([0, 1, 2, 3].map((i) => gzipSync(tar.subarray(i * 4000, i === 3 ? tar.length : (i + 1) * 4000))));
    expect((await readLayerBlob(chunked(members, chunkBytes))).tree.diffId).toBe(digestOf(tar));
  });

  it("may have zeros behind it, and anything behind those", async () => {
    const padded = Buffer.concat([gzip, Buffer.alloc(600), Buffer.from("and more")]);
    for (const bytes of [100, 1 << 20]) expect((await readLayerBlob(chunked(padded, bytes))).tree.diffId).toBe(digestOf(tar));
  });

  it.each<[name: string, bytes: Buffer, why: string]>([
    ["cut off", gzip.subarray(0, -20), "unexpected end of file"],
    ["cut off in its end", gzip.subarray(0, -3), "unexpected end of file"],
    ["nothing but its first bytes", gzip.subarray(0, 8), "unexpected end of file"],
    ["with other bytes behind it", Buffer.concat([gzip, Buffer.from("garbage")]), "incorrect header check"],
    ["with a wrong sum", Buffer.concat([gzip.subarray(0, -8), Buffer.alloc(8, 1)]), "incorrect data check"],
  ])("%s is broken", async (_name, bytes, why) => {
    for (const chunkBytes of [7, 1 << 20]) {
      await expect(readLayerBlob(chunked(bytes, chunkBytes))).rejects.toMatchObject({
        code: "INVALID_COMPRESSION",
        message: `decompressing: the gzip data is broken: ${why}`,
      });
    }
  });

  it("attack: a bomb ends at the limits", async () => {
    const bomb = gzipSync(raw({ name: "zeros" }, Buffer.alloc(64 << 20)));
    const limits = { plainBytes: 20 << 20, ratio: 1100, freeBytes: 2 ** 30 };
    await expect(readLayerBlob(chunked(bomb), { limits })).rejects.toMatchObject({
      code: "TOO_LARGE",
      message: "decompressing: more than 20971520 bytes",
    });
    await expect(readLayerBlob(chunked(bomb), { limits: { plainBytes: 2 ** 40, ratio: 100, freeBytes: 1000 } })).rejects.toThrow(
      /^decompressing: \d+ bytes become more than \d+ \(a compression bomb\)$/,
    );
  });
});

describe("reading ends at once", () => {
  it("where the tar is broken, though the next bytes never come", async () => {
    const endless = async function* () {
      yield Buffer.alloc(1024, "no tar ");
      await new Promise<never>(() => undefined);
    };
    await expect(readLayerBlob(endless())).rejects.toMatchObject({ code: "INVALID_TAR" });
  });

  it("where the source fails, with its error", async () => {
    const failing = async function* () {
      yield* small(3);
      throw new Error("line cut");
    };
    await expect(readLayerBlob(failing())).rejects.toThrow("line cut");
  });

  it("and closes the source", async () => {
    let closed: () => void = () => undefined;
    const closing = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const source = async function* () {
      try {
        for (;;) yield Buffer.alloc(1024, "no tar ");
      } finally {
        closed();
      }
    };
    await expect(readLayerBlob(source())).rejects.toMatchObject({ code: "INVALID_TAR" });
    await closing;
  });
});

describe("a skipped content", () => {
  const parser = (...bytes: readonly Buffer[]) => {
    const made = tarParser({ entry() {}, content() {}, contentEnd() {} });
    for (const part of bytes) made.push(part);
    return made;
  };
  const header = raw({ name: "a" }, "content").subarray(0, 512);

  it.each([
    ["where a header is wanted", parser(), 512],
    ["behind an empty file", parser(raw({})), 512],
    ["of more bytes than the header says", parser(header), 513],
  ])("is refused %s", (_name, made, bytes) => {
    expect(() => made.skip(bytes, digestOf(""))).toThrow(RangeError);
  });

  it("leaves the archive unfinished where bytes are missing", () => {
    const made = parser(header);
    made.skip(100, digestOf(""));
    expect(() => made.end()).toThrow("reading a tar: at byte 612: the archive ends inside an entry");
  });
});
