import type { Bytes } from "./blobs.ts";
import { bytesFrom, type CompressedLayer, compressedLayer, knownCompression } from "./compressed-layer.ts";
import { IntegrityError } from "./errors.ts";
import { type Abortable, fileBytes } from "./file-bytes.ts";
import type { FormChange } from "./layer-form.ts";
import { type Descriptor, mediaTypes } from "./oci.ts";
import type { LayerRef } from "./open-rootfs.ts";
import type { Store } from "./store.ts";
import { verified } from "./verified.ts";

/** A layer of the store in another form than it is kept in. */
export interface FormedLayer {
  readonly blob: Descriptor;
  /** Its bytes from an offset on, as often as they are wanted until `close`. */
  open(offset: number, options?: Abortable): Bytes;
  /** Idempotent. */
  close(): Promise<void>;
}

/**
 * What is compressed is so at once when nobody knows what comes out, else when its bytes are first asked for. The caller has the layer pinned. Throws NotFoundError, IntegrityError, what
 * compressing and reading a layer throw, and `signal.reason`.
 */
export async function formedLayer(
  store: Store,
  layer: LayerRef,
  change: Exclude<FormChange, "none">,
  { signal }: Abortable = {},
): Promise<FormedLayer> {
  const { diffId, blob } = layer;
  // A tar that another tool put there is checked first.
  const ensure = async () => {
    if (!(await store.layers.hasAs(diffId, blob))) await store.layers.ensure(diffId, blob, { signal });
  };
  if (change === "plain") {
    await ensure();
    return plainLayer(store, layer);
  }
  const compress = async () => {
    await ensure();
    return compressedLayer(store, layer, change, { signal });
  };
  const known = await knownCompression(store, diffId, change);
  if (known !== undefined) return compressedWhenAsked(known, layer, compress);
  const { descriptor, open, close } = await compress();
  return { blob: descriptor, open, close };
}

async function plainLayer(store: Store, { diffId }: LayerRef): Promise<FormedLayer> {
  const file = await store.layers.plainTar(diffId);
  const { size } = await store.layers.tree(diffId);
  const blob = { mediaType: mediaTypes.layer, digest: diffId, size };
  return {
    blob,
    open: (offset, options) => (offset === 0 ? verified(fileBytes(file, options), blob) : bytesFrom(file, offset, options)),
    close: async () => undefined,
  };
}

function compressedWhenAsked(blob: Descriptor, { diffId }: LayerRef, compress: () => Promise<CompressedLayer>): FormedLayer {
  let made: Promise<CompressedLayer> | undefined;
  return {
    blob,
    async *open(offset, options) {
      made ??= compress();
      const { descriptor, open } = await made;
      if (descriptor.digest !== blob.digest) throw new IntegrityError(`compressing layer ${diffId}`, blob.digest, descriptor.digest);
      yield* open(offset, options);
    },
    // Whoever wanted the bytes has heard why there are none.
    close: async () => (await made?.catch(() => undefined))?.close(),
  };
}
