import { nativeAddon } from "./binding.ts";

/** A stretch of a tar without the contents of its files. */
export interface SkimmedTar {
  /** What is left of the tar: headers, and whatever is not surely a file's content. */
  readonly rest: Buffer;
  /** Two numbers for each content that is left out, in order: where it stood, in bytes of `rest`, and how many bytes it has with the zeros behind it. */
  readonly contents: Float64Array;
  /** 32 bytes of SHA-256 for each of them. */
  readonly digests: Buffer;
  /** Bytes of the tar so far. */
  readonly plainBytes: number;
  /** Why the rest of the gzip data cannot be read. */
  readonly broken?: string;
}

/** A tar that comes by, plain or as gzip. */
export interface TarReader {
  /**
   * Reads these bytes, which must stay as they are until the promise settles. One call at a time. With `more` in the answer it is to be called again, with nothing or
   * with more: an answer covers at most 8 MiB of what gzip becomes. After `broken` nothing is read.
   */
  push(chunks: readonly Uint8Array[]): Promise<SkimmedTar & { readonly more: boolean }>;
  /** Says that the bytes are over; `digest` is the SHA-256 of the whole tar, in hex. A content that has not ended is told as far as it came. */
  finish(): SkimmedTar & { readonly digest: string };
}

/**
 * Hashes a tar and the contents of its files in one pass, on threads beside the caller's, with a few MiB of memory: who knows what a tar means needs to look at the rest only. Where
 * contents begin and end is found out from plain headers alone; from the first one on that something else may have a say in, or that is none, `rest` has everything.
 */
export function openTarReader({ gzip }: { readonly gzip: boolean }): TarReader {
  const reader = new (nativeAddon().TarReader)(gzip);
  return {
    push: (chunks) => reader.push(chunks),
    finish() {
      const { digest, ...skimmed } = reader.finish();
      return { ...skimmed, digest: digest.toString("hex") };
    },
  };
}
