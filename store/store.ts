import { resolve } from "node:path";
import { isSystemError } from "../runtime-addon/index.ts";
import { type BlobStore, directoryBlobs } from "./blobs.ts";
import type { Digest } from "./digest.ts";
import { type ImageStore, imageStore } from "./images.ts";
import { type LayerStore, layerStore } from "./layers.ts";
import { type Lease, openLease, removeStale } from "./lease.ts";
import { openRoot } from "./open-root.ts";
import { storePaths } from "./store-paths.ts";
import { defaultUnpackLimits, type UnpackLimits } from "./unpack-limits.ts";

/**
 * Images, layers and blobs of one directory, which is an OCI image layout at any time. Any number of processes may use it at once. What
 * becomes visible is whole: every file appears by rename, blobs are flushed before anything names them.
 */
export interface Store extends AsyncDisposable {
  /** Absolute. */
  readonly root: string;
  readonly blobs: BlobStore;
  readonly layers: LayerStore;
  readonly images: ImageStore;
  /** Of whatever is unpacked for it. */
  readonly unpackLimits: UnpackLimits;
  /**
   * From here until close() these stay, if they are there: look whether they are *after* pinning. See Lease. In a store that this user cannot write to, or that is mounted read-only,
   * nothing is pinned: it can be read all the same, and what those who can write to it collect meanwhile is not found.
   */
  pin(...digests: readonly Digest[]): Promise<void>;
  /** A lease of the caller's own. */
  lease(): Promise<Lease>;
  /** A new empty directory on the store's file system; it goes when the store is closed, at the latest. */
  temp(kind: string): Promise<string>;
  /** A path on the store's file system where nothing is; what is made there goes when the store is closed, at the latest. */
  tempFile(kind: string): Promise<string>;
  /** Removes this process's temp directories. Idempotent. */
  close(): Promise<void>;
}

export interface OpenOptions {
  /** Absent ones: defaultUnpackLimits. */
  readonly unpackLimits?: Partial<UnpackLimits>;
}

/**
 * Opens the store in a directory, which becomes one when it is missing or empty. Opening an existing one costs one small read.
 * Throws STORE_TOO_NEW, NOT_A_STORE, STORE_DAMAGED, STORE_INACCESSIBLE.
 */
export async function openStore(directory: string, options: OpenOptions = {}): Promise<Store> {
  const root = resolve(directory);
  await openRoot(root);

  // Made with the first temp file or pin: what only lists or looks needs none.
  let own: Promise<{ lease: Lease; cleaning: Promise<void> }> | undefined;
  const ownLease = async (): Promise<Lease> => {
    own ??= openLease(root).then((lease) => {
      // A service to others, who left something: what cannot be done here is left to the next one, or to prune, which says why.
      const cleaning = removeStale(root).catch((error: unknown) => {
        if (!isSystemError(error)) throw error;
      });
      // Met in close().
      cleaning.catch(() => undefined);
      return { lease, cleaning };
    });
    return (await own).lease;
  };
  const tempFile = async (kind: string) => (await ownLease()).tempFile(kind);
  const close = async () => {
    if (own === undefined) return;
    // Whoever wanted the lease has heard why there is none.
    const made = await own.catch(() => undefined);
    await made?.lease.close();
    await made?.cleaning;
  };

  const unpackLimits = { ...defaultUnpackLimits, ...options.unpackLimits };
  const blobs = directoryBlobs(storePaths.blobs(root), () => tempFile("blob"));
  return {
    root,
    blobs,
    layers: layerStore(root, blobs, () => tempFile("layer"), unpackLimits),
    images: imageStore(root, blobs, () => tempFile("image")),
    unpackLimits,
    async pin(...digests) {
      try {
        await (await ownLease()).pin(...digests);
      } catch (error) {
        // A lease can neither be made where nothing can be written, nor would it be needed for what only this user could remove.
        if (!isSystemError(error, "EROFS", "EACCES", "EPERM")) throw error;
      }
    },
    lease: () => openLease(root),
    temp: async (kind) => (await ownLease()).temp(kind),
    tempFile,
    close,
    [Symbol.asyncDispose]: close,
  };
}
