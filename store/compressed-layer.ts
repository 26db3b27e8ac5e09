import { createReadStream } from "node:fs";
import { isSystemError } from "../runtime-addon/index.ts";
import type { Bytes } from "./blobs.ts";
import { type CompressionRecord, recallCompressions, rememberCompression } from "./compression-records.ts";
import { compressorFor, type LayerCompression } from "./compressors.ts";
import type { Digest } from "./digest.ts";
import { discardFile } from "./discard.ts";
import { IntegrityError } from "./errors.ts";
import type { Abortable } from "./file-bytes.ts";
import type { Descriptor } from "./oci.ts";
import type { LayerRef } from "./open-rootfs.ts";
import { slots } from "./registry/slots.ts";
import type { Store } from "./store.ts";

const chunkBytes = 256 * 1024;

/** A layer's tar, compressed into a temp file of the store. */
export interface CompressedLayer {
  /** With OCI's media type. */
  readonly descriptor: Descriptor;
  /** Its bytes from an offset on, as often as they are wanted until `close`. Leaving the loop early releases the file. */
  open(offset: number, options?: Abortable): Bytes;
  /** Removes the file. Idempotent. */
  close(): Promise<void>;
}

// Each compression uses every core: one after the other, the first one is ready, and can be sent, the earliest.
const turns = slots(1);

/**
 * Compresses the layer's plain tar, which is checked against its diffId on the way, and remembers what came out. The same tar gives the same bytes
 * as long as the compressor is the same. The caller has the layer pinned. Throws NotFoundError, IntegrityError, system errors and `signal.reason`, and what
 * compressorFor throws.
 */
export async function compressedLayer(
  store: Store,
  { diffId }: Pick<LayerRef, "diffId">,
  compression: LayerCompression,
  { signal }: Abortable = {},
): Promise<CompressedLayer> {
  const compressor = await compressorFor(compression);
  const plainTar = await store.layers.plainTar(diffId);
  const file = await store.tempFile("compressing");
  const release = await turns.take({ signal });
  const { plainDigest, digest, size } = await compressor.compress(plainTar, file, { signal }).finally(release);
  const close = async () => discardFile(file);
  const descriptor = { mediaType: compressor.mediaType, digest, size };
  try {
    if (plainDigest !== diffId) throw new IntegrityError(`compressing layer ${diffId}`, diffId, plainDigest);
    await remember(store, diffId, { compressor: compressor.name, digest, size });
  } catch (error) {
    await close();
    throw error;
  }
  return { descriptor, open: (offset, options) => bytesFrom(file, offset, options), close };
}

/** What cannot be written is not remembered: the next time the layer is compressed again. */
async function remember(store: Store, diffId: Digest, record: CompressionRecord): Promise<void> {
  try {
    await rememberCompression(store, diffId, record);
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
}

/** What `compressedLayer` would come to, where it is known from an earlier time with the compressor that is in use now. */
export async function knownCompression(
  store: Pick<Store, "root">,
  diffId: Digest,
  compression: LayerCompression,
): Promise<Descriptor | undefined> {
  const { name, mediaType } = await compressorFor(compression);
  const known = recallCompressions(store, diffId).find(({ compressor }) => compressor === name);
  return known === undefined ? undefined : { mediaType, digest: known.digest, size: known.size };
}

/** A file's bytes from an offset on. Throws system errors and `signal.reason`. */
export async function* bytesFrom(path: string, start: number, { signal }: Abortable = {}): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of createReadStream(path, { start, highWaterMark: chunkBytes })) {
    signal?.throwIfAborted();
    yield chunk;
  }
}
