import { createGunzip } from "node:zlib";
import { TsbuildError } from "./errors.ts";
import type { Abortable } from "./file-bytes.ts";
import { inflateSmallGzip, smallGzipBytes } from "./gzip-small.ts";
import { brokenCompression, throughStream } from "./stream-filter.ts";
import { startTool, throughTool } from "./tool-filter.ts";
import { unzstd } from "./zstd.ts";

export type Compression = "none" | "gzip" | "zstd" | "xz" | "bzip2";

const magics: readonly (readonly [Compression, readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["bzip2", [0x42, 0x5a, 0x68]],
];

const magicBytes = 6;
const inflateChunkBytes = 256 * 1024;

/** The inflater may run some chunks ahead of whoever reads: both have work to do. */
const inflateOptions = {
  chunkSize: inflateChunkBytes,
  readableHighWaterMark: 8 * inflateChunkBytes,
  writableHighWaterMark: 4 * inflateChunkBytes,
};

/** How these first bytes (six are enough) of a file are compressed. A zstd file may begin with a skippable frame (RFC 8878 §3.1.2). */
export function detectCompression(first: Uint8Array): Compression {
  for (const [kind, magic] of magics) if (magic.every((byte, i) => first[i] === byte)) return kind;
  const skippable = first.length >= 4 && ((first[0] ?? 0) & 0xf0) === 0x50 && first[1] === 0x2a && first[2] === 0x4d && first[3] === 0x18;
  return skippable ? "zstd" : "none";
}

/** What one compressed file may become. */
export interface PlainLimits {
  readonly plainBytes: number;
  /** Bytes out for a byte in, counted once more than `freeBytes` have come out. */
  readonly ratio: number;
  readonly freeBytes: number;
}

/** Deflate reaches 1032:1 at most, so the ratio stops only what zstd, xz and bzip2 make of almost nothing. */
export const defaultLimits: PlainLimits = { plainBytes: 256 * 2 ** 30, ratio: 1100, freeBytes: 2 ** 30 };

export interface PlainOptions extends Abortable {
  readonly limits?: PlainLimits | undefined;
  /** Length of the compressed file where it is known: a small one is inflated at once. The limits count what has come, whatever is said here. */
  readonly compressedBytes?: number | undefined;
}

/**
 * The plain bytes of a file that may be compressed, as its first bytes say. Throws INVALID_COMPRESSION for broken data, TOO_LARGE at the
 * limits, TOOL_MISSING for xz and bzip2 where the system has no such tool. Leaving early ends everything behind it.
 */
export async function* plainBytes(
  source: AsyncIterable<Uint8Array>,
  options: PlainOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    const head = await firstChunks(iterator);
    yield* decompressed(detectCompression(Buffer.concat(head)), rejoined(head, iterator), options);
  } finally {
    await iterator.return?.();
  }
}

/** The same for who inflates gzip himself, and keeps the limits by checkLimits: that is left as it is. The bytes must be read. */
export async function plainOrGzip(
  source: AsyncIterable<Uint8Array>,
  options: PlainOptions = {},
): Promise<{ readonly isGzip: boolean; readonly bytes: AsyncIterable<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]();
  const head = await firstChunks(iterator);
  const kind = detectCompression(Buffer.concat(head));
  const bytes = async function* () {
    try {
      yield* decompressed(kind === "gzip" ? "none" : kind, rejoined(head, iterator), options);
    } finally {
      await iterator.return?.();
    }
  };
  return { isGzip: kind === "gzip", bytes: bytes() };
}

async function firstChunks(iterator: AsyncIterator<Uint8Array>): Promise<Uint8Array[]> {
  const head: Uint8Array[] = [];
  let headBytes = 0;
  while (headBytes < magicBytes) {
    const next = await iterator.next();
    if (next.done) break;
    head.push(next.value);
    headBytes += next.value.length;
  }
  return head;
}

function decompressed(kind: Compression, chunks: AsyncIterable<Uint8Array>, options: PlainOptions): AsyncIterable<Uint8Array> {
  if (kind === "none") return chunks;
  const counter = { compressed: 0 };
  return limited(decompress(counted(chunks, counter), kind, options), counter, options.limits);
}

async function* rejoined(head: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  yield* head;
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
}

async function* counted(chunks: AsyncIterable<Uint8Array>, counter: { compressed: number }): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of chunks) {
    counter.compressed += chunk.length;
    yield chunk;
  }
}

async function* limited(
  chunks: AsyncIterable<Uint8Array>,
  counter: { readonly compressed: number },
  limits: PlainLimits | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  let plain = 0;
  for await (const chunk of chunks) {
    plain += chunk.length;
    checkLimits(plain, counter.compressed, limits);
    yield chunk;
  }
}

/** Throws TOO_LARGE where so many compressed bytes may not become so many plain ones. */
export function checkLimits(plain: number, compressed: number, limits: PlainLimits = defaultLimits): void {
  if (plain > limits.plainBytes) {
    throw tooLarge(`more than ${limits.plainBytes} bytes`, "the limit is max_layer_size under [store] in tsbuild.toml");
  }
  if (plain > limits.freeBytes && plain > compressed * limits.ratio) {
    throw tooLarge(`${compressed} bytes become more than ${plain} (a compression bomb)`);
  }
}

function tooLarge(why: string, hint?: string): TsbuildError {
  return new TsbuildError("TOO_LARGE", `decompressing: ${why}`, hint === undefined ? {} : { hint });
}

function decompress(
  chunks: AsyncIterable<Uint8Array>,
  kind: Exclude<Compression, "none">,
  options: PlainOptions,
): AsyncIterable<Uint8Array> {
  switch (kind) {
    case "gzip":
      return options.compressedBytes !== undefined && options.compressedBytes <= smallGzipBytes
        ? gunzipAtOnce(chunks)
        : throughStream(chunks, createGunzip(inflateOptions), kind);
    case "zstd":
      return unzstd(chunks);
    case "xz":
      return throughNeededTool(chunks, "xz", "xz-utils");
    case "bzip2":
      return throughNeededTool(chunks, "bzip2", "bzip2");
  }
}

async function* throughNeededTool(
  chunks: AsyncIterable<Uint8Array>,
  name: "xz" | "bzip2",
  packageName: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const tool = await startTool(name, ["-dc"]);
  if (tool === undefined) {
    throw new TsbuildError("TOOL_MISSING", `decompressing: ${name} data needs the program ${name}, which is not installed`, {
      hint: `apt-get install ${packageName}`,
    });
  }
  yield* throughTool(chunks, tool, name);
}

async function* gunzipAtOnce(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  let plain: Buffer;
  try {
    plain = inflateSmallGzip(Buffer.concat(all));
  } catch (error) {
    throw brokenCompression("gzip", error);
  }
  yield plain;
}
