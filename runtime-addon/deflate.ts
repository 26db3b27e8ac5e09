import { nativeAddon } from "./binding.ts";
import { rethrowChanges } from "./file-changed.ts";
import { finishJob } from "./native-job.ts";
import { usableCpus } from "./usable-cpus.ts";

export interface GzipOptions {
  /** 1 (fastest) to 12 (smallest). */
  readonly level: number;
  /** Plain bytes of each gzip member but the last. */
  readonly blockBytes: number;
  /** Stops the work within about a block's time: rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface GzippedFile {
  /** SHA-256 of the plain bytes as they were read, in hex. */
  readonly plainDigest: string;
  /** SHA-256 of the gzip file, in hex. */
  readonly digest: string;
  /** Bytes of the gzip file. */
  readonly size: number;
}

/**
 * One thread at a time hashes and writes what all have compressed, about 1.2 GB/s of plain bytes, and each compresses some 60 MB/s at level 6: more would
 * wait for it, with nearly 5 MiB of blocks each.
 */
const mostThreads = 24;

/** The library that `gzipFile` compresses with, "libdeflate-1.14"; undefined where the addon was built without it. */
export function gzipLibrary(): string | undefined {
  return nativeAddon().gzipLibrary;
}

/**
 * Compresses a regular file into a new one at `to`, on all CPUs: each block becomes a gzip member of its own (RFC 1952 §2.2: members follow one
 * another), without name or time; an empty file is one empty member. The bytes depend on the library, its level and the block size alone. Takes
 * a few blocks of memory for each thread. Rejects with a system error or FILE_CHANGED, and leaves no file then. Needs `gzipLibrary()`.
 */
export async function gzipFile(from: string, to: string, { level, blockBytes, signal }: GzipOptions): Promise<GzippedFile> {
  if (!(level >= 1 && level <= 12)) throw new RangeError(`level ${level} is not 1 to 12`);
  if (!(Number.isSafeInteger(blockBytes) && blockBytes >= 1)) throw new RangeError(`blockBytes ${blockBytes} is no number of bytes`);
  const start = () => nativeAddon().gzipFile(from, to, level, blockBytes, Math.min(usableCpus(), mostThreads));
  const { plainDigest, digest, size } = await rethrowChanges(finishJob(start, signal));
  return { plainDigest: plainDigest.toString("hex"), digest: digest.toString("hex"), size };
}
