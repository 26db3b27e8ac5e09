import { TsbuildError } from "../errors.ts";
import { type ImageLayer, imageOf, type RawImage } from "../images.ts";
import { parseListedName } from "../listed-names.ts";
import { isIndexType, parseManifest } from "../oci-parse.ts";
import type { Store } from "../store.ts";
import { blobPlaces } from "./blob-places.ts";
import type { ImageGraph, ImageReader } from "./image-graph.ts";
import { openLayerFetcher } from "./layer-fetcher.ts";
import { isImage } from "./manifest-type.ts";
import type { PushingOptions } from "./push-blob.ts";
import { readConfig } from "./read-config.ts";
import type { RemoteManifest, Repository } from "./repository.ts";
import { together } from "./together.ts";

export interface ToStoreOptions extends PushingOptions {
  /** Where the image comes from, if that is a registry: then its layers are fetched as a pull does it. */
  readonly repository?: Repository | undefined;
}

/** Blobs at once that come from the disk. */
const parallel = 4;

/**
 * Copies an image into the store under these names, byte for byte: blobs, then the layers' trees, then manifests, then the names. Throws INVALID_REFERENCE, NOT_AN_IMAGE for what has no image in it,
 * IntegrityError, what reading a layer throws, and as LayerFetcher.fetch.
 */
export async function copyToStore(
  store: Store,
  graph: ImageGraph,
  reader: ImageReader,
  names: readonly string[],
  options: ToStoreOptions,
): Promise<void> {
  const { signal } = options;
  const { root } = graph;
  // Before anything is fetched that could not be named afterwards.
  for (const name of names) parseListedName(name, root.descriptor.digest);
  await store.pin(...graph.documents.map(({ descriptor }) => descriptor.digest), ...graph.blobs.map(({ digest }) => digest));
  const images: StorableImage[] = [];
  for (const document of graph.documents) images.push(...(await storableOf(document, reader, options)));
  const [first] = images;
  if (first === undefined) throw new TsbuildError("NOT_AN_IMAGE", `storing ${reader.label}: there is no image in it that could be run`);

  const layers = images.flatMap((image) => image.layers);
  const isLayer = new Set(layers.map(({ blob }) => blob.digest));
  if (options.repository === undefined) await putLayers(store, layers, reader, signal);
  else {
    const fetcher = openLayerFetcher({ store, onEvent: options.onEvent });
    fetcher.offer(layers, options.repository);
    await fetcher.fetch(layers, { exactBlobs: true, signal });
    const { registry, name } = options.repository;
    await blobPlaces(store).add(isLayer, { registry, repository: name }, "received");
  }
  const others = graph.blobs.filter(({ digest }) => !isLayer.has(digest));
  await together(others, parallel, signal, (blob, own) => store.blobs.put(blob, reader.download(blob, { signal: own })));
  for (const { descriptor, bytes } of graph.documents) {
    if (descriptor.digest !== root.descriptor.digest) await store.blobs.putBytes(descriptor.mediaType, bytes);
  }
  const indexes = graph.documents.toReversed().filter(({ descriptor }) => isIndexType(descriptor.mediaType));
  const { rawConfig, manifestType, rawManifest } = first;
  await store.images.putRaw({
    manifestType,
    rawManifest,
    rawConfig,
    names,
    indexes: indexes.map(({ descriptor, bytes }) => ({ mediaType: descriptor.mediaType, bytes })),
  });
}

type StorableImage = Pick<RawImage, "manifestType" | "rawManifest" | "rawConfig"> & { readonly layers: readonly ImageLayer[] };

/** None of what is no manifest of an image: an index, an artifact, an attestation. */
async function storableOf(
  { descriptor, bytes }: RemoteManifest,
  reader: ImageReader,
  { signal }: ToStoreOptions,
): Promise<readonly StorableImage[]> {
  if (isIndexType(descriptor.mediaType)) return [];
  const manifest = parseManifest(bytes, descriptor.digest);
  if (!isImage(manifest)) return [];
  const rawConfig = await readConfig(manifest.config, () => reader.download(manifest.config, { signal }));
  const { layers } = imageOf(descriptor, bytes, rawConfig);
  return [{ manifestType: descriptor.mediaType, rawManifest: bytes, rawConfig, layers }];
}

async function putLayers(store: Store, layers: readonly ImageLayer[], reader: ImageReader, signal: AbortSignal | undefined): Promise<void> {
  const distinct = new Map(layers.map((layer) => [`${layer.diffId} ${layer.blob.digest}`, layer]));
  await store.pin(...layers.map(({ diffId }) => diffId));
  await together([...distinct.values()], parallel, signal, async ({ diffId, blob }, own) => {
    if (!(await store.blobs.has(blob))) await store.blobs.put(blob, reader.download(blob, { signal: own }));
    await store.layers.ensure(diffId, blob, { signal: own });
  });
}
