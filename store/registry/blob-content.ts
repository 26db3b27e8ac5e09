import type { Bytes } from "../blobs.ts";
import type { Abortable } from "../file-bytes.ts";
import type { Descriptor } from "../oci.ts";
import { RegistryError } from "./registry-error.ts";
import type { Repository, UploadContent } from "./repository.ts";

/** Where a blob can be had. */
export type BlobOrigin = Pick<Repository, "registry" | "name" | "download">;

/**
 * Content of a source that checks it from its first byte to its last: what lies before an offset is read again and thrown away, which only a broken upload that goes on
 * ever costs.
 */
export function contentFrom(open: (options: Abortable) => Bytes): UploadContent {
  return { open: (offset, options = {}) => after(offset, open(options)) };
}

/**
 * A blob that goes from one registry to another as it comes: nothing of it is written to the disk, and nothing is inflated. Where a place fails, the next one goes on from
 * the same byte. Throws IntegrityError, what the last place throws, and `signal.reason`.
 */
export function contentOfPlaces(places: readonly BlobOrigin[], blob: Descriptor, onRetry: (message: string) => void): UploadContent {
  return contentFrom((options) => fromPlaces(places, blob, { ...options, onRetry }));
}

async function* fromPlaces(
  places: readonly BlobOrigin[],
  blob: Descriptor,
  options: Abortable & { readonly onRetry: (message: string) => void },
): AsyncGenerator<Uint8Array, void, undefined> {
  let passed = 0;
  for (const [i, place] of places.entries()) {
    try {
      for await (const chunk of after(passed, place.download(blob, options))) {
        passed += chunk.length;
        yield chunk;
      }
      return;
    } catch (error) {
      // Wrong bytes have been handed on already.
      if (!(error instanceof RegistryError) || i === places.length - 1) throw error;
      options.onRetry(error.message);
    }
  }
}

async function* after(offset: number, source: Bytes): AsyncGenerator<Uint8Array, void, undefined> {
  let left = offset;
  for await (const chunk of source) {
    if (chunk.length > left) yield left === 0 ? chunk : chunk.subarray(left);
    left = Math.max(0, left - chunk.length);
  }
}
