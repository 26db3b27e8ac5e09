import { checkLimits, type PlainOptions, plainOrGzip } from "./compression.ts";
import { readLayer } from "./layer/tar-read.ts";
import type { Tree } from "./layer/tree.ts";
import { brokenCompression } from "./stream-filter.ts";

/** Reads a layer's blob, whatever its first bytes say that it is compressed with. Throws what readLayer and plainBytes throw. */
export async function readLayerBlob(blob: AsyncIterable<Uint8Array>, options: PlainOptions = {}): Promise<{ readonly tree: Tree }> {
  const { isGzip, bytes } = await plainOrGzip(blob, options);
  const gzip = {
    inflated: (plainBytes: number, gzipBytes: number) => checkLimits(plainBytes, gzipBytes, options.limits),
    broken: (why: string) => brokenCompression("gzip", new Error(why)),
  };
  return readLayer(bytes, isGzip ? { gzip } : {});
}
