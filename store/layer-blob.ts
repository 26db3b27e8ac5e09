import { checkLimits, type PlainOptions, plainOrGzip } from "./compression.ts";
import { readLayer } from "./layer/tar-read.ts";
import type { Tree } from "./layer/tree.ts";
import { brokenCompression } from "./stream-filter.ts";
import { defaultUnpackLimits, plainLimitsOf, type UnpackLimits } from "./unpack-limits.ts";

export interface BlobOptions extends PlainOptions {
  /** Absent: the defaults. `limits` goes before it. */
  readonly unpackLimits?: UnpackLimits;
}

/** Reads a layer's blob, whatever its first bytes say that it is compressed with. Throws what readLayer and plainBytes throw. */
export async function readLayerBlob(blob: AsyncIterable<Uint8Array>, options: BlobOptions = {}): Promise<{ readonly tree: Tree }> {
  const { unpackLimits = defaultUnpackLimits, limits = plainLimitsOf(unpackLimits) } = options;
  const { isGzip, bytes } = await plainOrGzip(blob, { ...options, limits });
  const gzip = {
    inflated: (plainBytes: number, gzipBytes: number) => checkLimits(plainBytes, gzipBytes, limits),
    broken: (why: string) => brokenCompression("gzip", new Error(why)),
  };
  return readLayer(bytes, { limits: unpackLimits, ...(isGzip ? { gzip } : {}) });
}
