import type { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { TsbuildError } from "./errors.ts";

/**
 * Chunks sent through one of node:zlib's streams, whose work is done on the thread pool. Errors of the source come out as they are, the
 * stream's own as INVALID_COMPRESSION. Leaving early destroys the stream and ends the source.
 */
export async function* throughStream(
  chunks: AsyncIterable<Uint8Array>,
  stream: Transform,
  kind: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const feeding = pipeline(chunks, stream);
  // Whatever stops it reaches the reader below too.
  feeding.catch(() => undefined);
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (error) {
    throw isZlibError(error) ? brokenCompression(kind, error) : error;
  } finally {
    stream.destroy();
    await feeding.catch(() => undefined);
  }
}

function isZlibError(error: unknown): boolean {
  return (
    error instanceof Error &&
    typeof (error as { code?: unknown }).code === "string" &&
    /^(Z|ZSTD)_/.test((error as { code?: string }).code ?? "")
  );
}

export function brokenCompression(kind: string, cause: unknown): TsbuildError {
  return new TsbuildError(
    "INVALID_COMPRESSION",
    `decompressing: the ${kind} data is broken: ${cause instanceof Error ? cause.message : String(cause)}`,
    { cause },
  );
}
