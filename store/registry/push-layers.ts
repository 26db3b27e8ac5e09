import { NotFoundError } from "../errors.ts";
import { formedLayer } from "../formed-layer.ts";
import { formChange, type LayerForm } from "../layer-form.ts";
import type { Descriptor } from "../oci.ts";
import type { LayerRef } from "../open-rootfs.ts";
import type { Store } from "../store.ts";
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
  const { blob, diffId } = layer;
  const origins = fetcher?.placesOf(layer) ?? [];
  const common = { blob, origins: origins.map(placeOf), close: async () => undefined };
  const isStored = await store.blobs.has(blob);
  // Of no other is it asked, which would be a look at the disk for each layer.
  const mayBeOurs = blob.digest === diffId && isStored && origins.length === 0;
  const isOurs = mayBeOurs && !(await places.cameFromRegistry(blob.digest));
  const change = formChange(layer, isOurs, options);
  if (change !== "none") {
    if (!isStored) await fetcher?.fetch([layer], { signal });
    const formed = await formedLayer(store, layer, change, { signal });
    return { blob: formed.blob, origins: [], contentFor: () => formed, close: formed.close };
  }
  if (isStored) return { ...common, contentFor: () => contentFrom((options) => store.blobs.open(blob, options)) };
  if (origins.length > 0) return { ...common, contentFor: (report) => contentOfPlaces(origins, blob, report.retry) };
  throw new NotFoundError(`pushing layer ${blob.digest}: it is not in the store ${store.root}, and no registry is known to have it`);
}

function placeOf({ registry, name }: Pick<Repository, "registry" | "name">): BlobPlace {
  return { registry, repository: name };
}
