import { createRequire } from "node:module";
import { gunzipSync } from "node:zlib";

/** What is inflated at once: at deflate's best ratio (1032:1) 16 KiB become 16 MiB, some 30 ms. */
export const smallGzipBytes = 16 * 1024;

const gzipWindowBits = 31;
const trailerBytes = 8;

/**
 * Inflates a whole gzip file of at most `smallGzipBytes` in one call, without the thread pool's round trips, which cost more than the work
 * itself does for a layer of a few files. zlib-sync does it where it is installed, node:zlib elsewhere and for all that is not one
 * member. Throws node:zlib's errors.
 */
export function inflateSmallGzip(bytes: Buffer): Buffer {
  const inflate = zlibSync();
  if (inflate !== null) {
    const stream = new inflate.Inflate({ windowBits: gzipWindowBits, chunkSize: 64 * 1024 });
    stream.push(bytes, inflate.Z_SYNC_FLUSH);
    const { result } = stream;
    // It stops at the end of the first member in silence: the length in the file's last four bytes tells whether that was all.
    if (
      stream.err === inflate.Z_STREAM_END &&
      Buffer.isBuffer(result) &&
      bytes.length > trailerBytes &&
      bytes.readUInt32LE(bytes.length - 4) === result.length
    ) {
      return result;
    }
  }
  return gunzipSync(bytes);
}

/** The part of zlib-sync that is used; it reports errors in `err`, never by throwing. */
interface ZlibSync {
  readonly Inflate: new (options: {
    windowBits: number;
    chunkSize: number;
  }) => {
    push(bytes: Buffer, flush: number): void;
    readonly err: number;
    readonly result: Buffer | string | null;
  };
  readonly Z_SYNC_FLUSH: number;
  readonly Z_STREAM_END: number;
}

let loaded: ZlibSync | null | undefined;

/** An optional dependency that must be compiled on installation: null where that was not done. */
function zlibSync(): ZlibSync | null {
  if (loaded === undefined) {
    try {
      loaded = createRequire(import.meta.url)("zlib-sync") as ZlibSync;
    } catch {
      // Missing, or built for another Node: node:zlib does the same.
      loaded = null;
    }
  }
  return loaded;
}
