import { type CompressedLayer, compressedLayer, knownCompression } from "../compressed-layer.ts";
import type { LayerCompression } from "../compressors.ts";
import { IntegrityError, NotFoundError } from "../errors.ts";
import { type Abortable, fileBytes } from "../file-bytes.ts";
import { formChange, type LayerForm } from "../layer-form.ts";
import { type Descriptor, mediaTypes } from "../oci.ts";
import type { LayerRef } from "../open-rootfs.ts";
import type { Store } from "../store.ts";
import { verified } from "../verified.ts";
import { contentFrom, contentOfPlaces } from "./blob-content.ts";
import { type BlobPlace, type BlobPlaces, blobPlaces } from "./blob-places.ts";
import { isForeign } from "./foreign-layer.ts";
import type { LayerFetcher } from "./layer-fetcher.ts";
import { type PushingOptions, pushBlob } from "./push-blob.ts";
import type { Repository, UploadContent } from "./repository.ts";
import { together } from "./together.ts";
import type { TransferReport } from "./transfer-report.ts";

export interface LayerPushOptions extends PushingOptions, LayerForm {
  /** Knows where layers can be had that the store lacks. */
  readonly fetcher?: LayerFetcher | undefined;
  /** Layers at once. */
  readonly parallel: number;
}

/** A layer's blob as it is sent. */
interface LayerSource {
  readonly blob: Descriptor;
  /** Where the registries have it, as far as the layer's origin tells. */
  readonly origins: readonly BlobPlace[];
  contentFor(report: TransferReport): UploadContent;
  close(): Promise<void>;
}

/**
 * Makes sure that all these repositories have the layers, and answers how each of them is called there, in order. What the store has as a plain tar is compressed, but only when no
 * registry turns out to have the result: what it would be is remembered from the last time. Blobs that are compressed already stay as they are, and so do those that came from a
 * registry, unless the form is forced: then those of another are brought into the store and written anew. A layer that is not in the store is mounted from where it came, or goes straight from there to here. Foreign layers are not sent. The first failure ends the others. Throws NotFoundError for a layer that is
 * nowhere, what compressing throws, IntegrityError, RegistryError, and `signal.reason`.
 */
export async function pushLayers(
  store: Store,
  repositories: readonly Repository[],
  layers: readonly LayerRef[],
  options: LayerPushOptions,
): Promise<readonly Descriptor[]> {
  const places = blobPlaces(store);
  const distinct = new Map(layers.map((layer) => [layer.blob.digest, layer]));
  // The largest first: it is the one that all wait for in the end.
  const order = [...distinct.values()].sort((a, b) => b.blob.size - a.blob.size);
  const sent = await together(order, options.parallel, options.signal, (layer, signal) =>
    pushLayer(store, repositories, places, layer, { ...options, signal }),
  );
  const blobs = new Map(order.map((layer, i) => [layer.blob.digest, sent[i] ?? layer.blob]));
  return layers.map(({ blob }) => blobs.get(blob.digest) ?? blob);
}

async function pushLayer(
  store: Store,
  repositories: readonly Repository[],
  places: BlobPlaces,
  layer: LayerRef,
  options: LayerPushOptions,
): Promise<Descriptor> {
  if (isForeign(layer.blob)) return layer.blob;
  const source = await sourceOf(store, places, layer, options);
  const { blob } = source;
  try {
    const mountFrom = [...source.origins, ...(await places.of(blob.digest))];
    for (const repository of repositories) {
      await pushBlob(repository, blob, source.contentFor, { ...options, mountFrom });
      const place = placeOf(repository);
      mountFrom.unshift(place);
      await places.add([blob.digest], place, "sent");
    }
    return blob;
  } finally {
    await source.close();
  }
}

async function sourceOf(store: Store, places: BlobPlaces, layer: LayerRef, options: LayerPushOptions): Promise<LayerSource> {
  const { fetcher, signal } = options;
  const { blob } = layer;
  const origins = fetcher?.placesOf(layer) ?? [];
  const common = { blob, origins: origins.map(placeOf), close: async () => undefined };
  const isStored = await store.blobs.has(blob);
  const isOurs = isStored && origins.length === 0 && !(await places.cameFromRegistry(blob.digest));
  const change = formChange(layer, isOurs, options);
  if (change !== "none") {
    if (!isStored) await fetcher?.fetch([layer], { signal });
    return change === "plain" ? plain(store, layer, signal) : compressed(store, layer, change, signal);
  }
  if (isStored) return { ...common, contentFor: () => contentFrom((options) => store.blobs.open(blob, options)) };
  if (origins.length > 0) return { ...common, contentFor: (report) => contentOfPlaces(origins, blob, report.retry) };
  throw new NotFoundError(`pushing layer ${blob.digest}: it is not in the store ${store.root}, and no registry is known to have it`);
}

/** A tar that another tool put there, or one that is known in another form only, is checked first. */
async function ensureLayer(store: Store, { diffId, blob }: LayerRef, signal: AbortSignal | undefined): Promise<void> {
  if (!(await store.layers.hasAs(diffId, blob))) await store.layers.ensure(diffId, blob, { signal });
}

async function plain(store: Store, layer: LayerRef, signal: AbortSignal | undefined): Promise<LayerSource> {
  await ensureLayer(store, layer, signal);
  const file = await store.layers.plainTar(layer.diffId);
  const { size } = await store.layers.tree(layer.diffId);
  const blob = { mediaType: mediaTypes.layer, digest: layer.diffId, size };
  const open = (options?: Abortable) => verified(fileBytes(file, options), blob);
  return { blob, origins: [], contentFor: () => contentFrom(open), close: async () => undefined };
}

/** Compressed at once when nobody knows what comes out, else when its bytes are first asked for. */
async function compressed(
  store: Store,
  layer: LayerRef,
  compression: LayerCompression,
  signal: AbortSignal | undefined,
): Promise<LayerSource> {
  const compress = async () => {
    await ensureLayer(store, layer, signal);
    return compressedLayer(store, layer, compression, { signal });
  };
  const known = await knownCompression(store, layer.diffId, compression);
  if (known !== undefined) return compressedWhenAsked(known, layer, compress);
  const made = await compress();
  return { blob: made.descriptor, origins: [], contentFor: () => made, close: made.close };
}

function compressedWhenAsked(blob: Descriptor, { diffId }: LayerRef, compress: () => Promise<CompressedLayer>): LayerSource {
  let made: Promise<CompressedLayer> | undefined;
  const content: UploadContent = {
    async *open(offset, options) {
      made ??= compress();
      const { descriptor, open } = await made;
      if (descriptor.digest !== blob.digest) throw new IntegrityError(`compressing layer ${diffId}`, blob.digest, descriptor.digest);
      yield* open(offset, options);
    },
  };
  return {
    blob,
    origins: [],
    contentFor: () => content,
    // Whoever wanted the bytes has heard why there are none.
    close: async () => (await made?.catch(() => undefined))?.close(),
  };
}

function placeOf({ registry, name }: Pick<Repository, "registry" | "name">): BlobPlace {
  return { registry, repository: name };
}
