import type { Transform } from "node:stream";
import zlib from "node:zlib";
import { TsbuildError } from "./errors.ts";
import { brokenCompression, throughStream } from "./stream-filter.ts";
import { startTool, throughTool } from "./tool-filter.ts";

/** Larger windows are too slow in JavaScript; decoders need not support them (RFC 8878 §3.1.1.1.2). */
const maxScriptWindowBytes = 8 * 2 ** 20;
const maxHeaderBytes = 18;
const pushBytes = 64 * 1024;

export type ZstdDecoder = "node" | "tool" | "script";

/**
 * Decompresses zstd by the fastest decoder at hand: node:zlib's own (Node ≥ 22.15), the system's `zstd`, else fzstd, which works on the
 * calling thread. Throws INVALID_COMPRESSION, and UNSUPPORTED_COMPRESSION for windows that only the others can do.
 */
export async function* unzstd(
  chunks: AsyncIterable<Uint8Array>,
  allowed: readonly ZstdDecoder[] = ["node", "tool", "script"],
): AsyncGenerator<Uint8Array, void, undefined> {
  const native = (zlib as { createZstdDecompress?: (options: object) => Transform }).createZstdDecompress;
  if (allowed.includes("node") && native !== undefined) return yield* throughStream(chunks, native({ chunkSize: 256 * 1024 }), "zstd");
  const tool = allowed.includes("tool") ? await startTool("zstd", ["-dcq"]) : undefined;
  if (tool !== undefined) return yield* throughTool(chunks, tool, "zstd");
  yield* inScript(chunks);
}

async function* inScript(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const { Decompress } = await import("fzstd");
  let out: Uint8Array[] = [];
  const decoder = new Decompress((chunk) => {
    if (chunk.length > 0) out.push(chunk);
  });
  const push = (bytes: Uint8Array, last: boolean) => {
    try {
      decoder.push(bytes, last);
    } catch (error) {
      throw brokenCompression("zstd", error);
    }
    const done = out;
    out = [];
    return done;
  };
  let head: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of chunks) {
    let bytes: Uint8Array = chunk;
    if (head !== undefined) {
      head = Buffer.concat([head, chunk]);
      if (head.length < maxHeaderBytes) continue;
      checkWindow(head);
      bytes = head;
      head = undefined;
    }
    for (let offset = 0; offset < bytes.length; offset += pushBytes) yield* push(bytes.subarray(offset, offset + pushBytes), false);
  }
  if (head !== undefined) yield* push(head, false);
  yield* push(new Uint8Array(0), true);
}

/** Of the first frame: Window_Descriptor, or the content size of a single-segment frame (RFC 8878 §3.1.1.1). */
function checkWindow(head: Buffer): void {
  if (head.readUInt32LE(0) !== 0xfd2fb528) return;
  const descriptor = head.readUInt8(4);
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const sizeBytes = [1, 2, 4, 8][descriptor >> 6] ?? 8;
  let window: number;
  if ((descriptor & 0x20) === 0) {
    const byte = head.readUInt8(5);
    window = 2 ** (10 + (byte >> 3)) * (1 + (byte & 7) / 8);
  } else {
    const at = 5 + dictionaryBytes;
    window = sizeBytes === 8 ? Number(head.readBigUInt64LE(at)) : head.readUIntLE(at, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
  }
  if (window <= maxScriptWindowBytes) return;
  throw new TsbuildError("UNSUPPORTED_COMPRESSION", `decompressing: the zstd data needs a window of ${window} bytes`, {
    hint: "install the program zstd (apt-get install zstd), or use Node 22.15 or later",
  });
}
