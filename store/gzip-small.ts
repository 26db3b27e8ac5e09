import { createRequire } from "node:module";
import { gunzipSync } from "node:zlib";

/** What is inflated at once: at deflate's best ratio (1032:1) 16 KiB become 16 MiB, some 30 ms. */
export const smallGzipBytes = 16 * 1024;

const gzipWindowBits = 31;
const chunkBytes = 64 * 1024;

/**
 * Inflates a whole gzip file of at most `smallGzipBytes` in one call, without the thread pool's round trips, which cost more than the work
 * itself does for a layer of a few files. zlib-sync does it where it is installed, node:zlib elsewhere and for all that is not one
 * member. Throws node:zlib's errors.
 */
export function inflateSmallGzip(bytes: Buffer): Buffer {
  return inflateOneMember(bytes) ?? gunzipSync(bytes);
}

/**
 * By zlib-sync, which stops at the end of the first member in silence: a file is one member exactly when that end needs its last byte.
 * Undefined for all others, for broken data, and without zlib-sync.
 */
function inflateOneMember(bytes: Buffer): Buffer | undefined {
  const library = zlibSync();
  if (library === null || bytes.length === 0) return undefined;
  const stream = new library.Inflate({ windowBits: gzipWindowBits, chunkSize: chunkBytes });
  stream.push(bytes.subarray(0, -1), library.Z_SYNC_FLUSH);
  const head = stream.result;
  if (stream.err !== library.Z_OK || !Buffer.isBuffer(head)) return undefined;
  stream.push(bytes.subarray(-1), library.Z_SYNC_FLUSH);
  const tail = stream.result;
  return stream.err === library.Z_STREAM_END && Buffer.isBuffer(tail) ? Buffer.concat([head, tail]) : undefined;
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
  readonly Z_OK: number;
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
