import { TsbuildError } from "../errors.ts";
import type { Abortable } from "../file-bytes.ts";
import type { Image } from "../images.ts";
import type { Descriptor, Platform } from "../oci.ts";
import { machinePlatform } from "../platform.ts";
import { fullName, type Reference } from "../reference.ts";
import { askedName } from "../remembered-names.ts";
import type { Store } from "../store.ts";
import { blobPlaces } from "./blob-places.ts";
import { openLayerFetcher } from "./layer-fetcher.ts";
import type { Registry } from "./registry.ts";
import { noSuchImageHint, RegistryError } from "./registry-error.ts";
import { currentDigest, type RemoteImage, resolveRemote } from "./remote-image.ts";
import type { Repository } from "./repository.ts";
import type { TransferSink } from "./transfer-event.ts";

export interface PullOptions extends Abortable {
  /** Absent: this machine's. */
  readonly platform?: Platform | undefined;
  readonly onEvent?: TransferSink | undefined;
}

export interface PulledImage extends Image {
  /** The store had all of it under this name. */
  readonly upToDate: boolean;
}

/**
 * Brings an image of a registry whole into the store, under its name. All bytes stay as they are: where the name means an index of several platforms, the index is listed, and digests
 * are the registry's; other platforms can be added by another pull. A name with a digest gives no tag: the image is found by the same name with digest. Blobs, then trees, then
 * manifest and name: what is visible is whole, and what was fetched before a failure need not be fetched again. Throws REGISTRY_NOT_FOUND, and as resolveRemote and LayerFetcher.fetch.
 */
export async function pullImage(store: Store, registry: Registry, reference: Reference, options: PullOptions = {}): Promise<PulledImage> {
  const { platform = machinePlatform(), signal, onEvent } = options;
  const name = askedName(reference);
  const repository = registry.repository(reference);
  const stored = await storedImage(store, name, platform);
  if (stored !== undefined && (await currentDigest(repository, reference, { signal })) === stored.listed.digest)
    return { ...stored, upToDate: !(await fetchMissing(store, repository, stored, { signal, onEvent })) };

  const image = await resolveRemote(registry, reference, platform, { signal, onEvent });
  if (image === undefined) {
    throw new RegistryError("REGISTRY_NOT_FOUND", `pulling ${fullName(reference)}: the registry has no such image`, {
      hint: noSuchImageHint,
    });
  }
  await store.pin(...image.indexes.map(({ descriptor }) => descriptor.digest), image.descriptor.digest, image.manifest.config.digest);
  await fetchMissing(store, repository, image, { signal, onEvent });
  const pulled = await store.images.putRaw({
    manifestType: image.descriptor.mediaType,
    rawManifest: image.rawManifest,
    rawConfig: image.rawConfig,
    names: [name],
    indexes: image.indexes.map(({ descriptor, bytes }) => ({ mediaType: descriptor.mediaType, bytes })),
  });
  return { ...pulled, upToDate: false };
}

/** Undefined also for one that cannot be read: the registry's is as good. */
async function storedImage(store: Store, name: string, platform: Platform): Promise<Image | undefined> {
  try {
    return await store.images.resolve(name, platform);
  } catch (error) {
    if (error instanceof TsbuildError) return undefined;
    throw error;
  }
}

/** True when there was something to fetch. */
async function fetchMissing(
  store: Store,
  repository: Repository,
  { layers }: Pick<RemoteImage, "layers">,
  { signal, onEvent }: Pick<PullOptions, "signal" | "onEvent">,
): Promise<boolean> {
  const blobs = layers.map(({ blob }) => blob);
  const isMissing = await anyMissing(store, blobs);
  const fetcher = openLayerFetcher({ store, onEvent });
  fetcher.offer(layers, repository);
  await fetcher.fetch(layers, { exactBlobs: true, signal });
  await blobPlaces(store).add(
    blobs.map(({ digest }) => digest),
    { registry: repository.registry, repository: repository.name },
    "received",
  );
  return isMissing;
}

async function anyMissing(store: Store, blobs: readonly Descriptor[]): Promise<boolean> {
  for (const blob of blobs) if (!(await store.blobs.has(blob))) return true;
  return false;
}
