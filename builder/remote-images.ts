import type { Digest } from "../store/digest.ts";
import { TsbuildError } from "../store/errors.ts";
import type { Platform } from "../store/oci.ts";
import { openPinned } from "../store/pinned-image.ts";
import { machinePlatform } from "../store/platform.ts";
import { fullName, type Reference } from "../store/reference.ts";
import { type LayerFetcher, openLayerFetcher } from "../store/registry/layer-fetcher.ts";
import { pullImage } from "../store/registry/pull.ts";
import { RegistryError } from "../store/registry/registry-error.ts";
import { recallImage, rememberImage } from "../store/registry/remembered-images.ts";
import { type RemoteImage, resolveRemote } from "../store/registry/remote-image.ts";
import { forgetName } from "../store/remembered-names.ts";
import type { Store } from "../store/store.ts";
import type { FinderOptions, FoundImage } from "./found-image.ts";

/** Images of registries, as one build or run sees them. Undefined stands for what is not there. */
export interface RemoteImages {
  readonly fetcher: LayerFetcher;
  /** What a registry said of the name before; nobody is asked. */
  recall(reference: Reference, platform?: Platform): Promise<FoundImage | undefined>;
  /** What a registry says of it now. Throws RegistryError, PLATFORM_NOT_FOUND, NOT_AN_IMAGE. */
  ask(reference: Reference, platform?: Platform): Promise<FoundImage | undefined>;
}

export function remoteImages(store: Store, { take, registry, onEvent, signal }: FinderOptions): RemoteImages {
  const fetcher = openLayerFetcher({ store, onEvent, signal });

  /** Its manifest and config are kept and its layers can be fetched; none of them is yet. */
  const usable = async ({ reference, listed, layers, repository, config, descriptor }: RemoteImage): Promise<FoundImage> => {
    await store.pin(...layers.flatMap(({ diffId, blob }) => [diffId, blob.digest]));
    fetcher.offer(layers, repository);
    const { registry: host, repository: name } = reference;
    return { config, layers, descriptor, digestName: fullName({ registry: host, repository: name, digest: listed.descriptor.digest }) };
  };

  const recalled = (reference: Reference, platform = machinePlatform()) => recallImage(store, registry, reference, platform);

  /** Of what the store lists; undefined also for what cannot be read, as the registry's is as good. */
  const listedDigest = async (reference: Reference, platform: Platform | undefined): Promise<Digest | undefined> => {
    try {
      return (await store.images.resolve(fullName(reference), platform))?.descriptor.digest;
    } catch (error) {
      if (error instanceof TsbuildError) return undefined;
      throw error;
    }
  };

  const askLazily = async (reference: Reference, platform: Platform | undefined): Promise<FoundImage | undefined> => {
    const known = await recalled(reference, platform);
    const image = await resolveRemote(await registry(), reference, platform ?? machinePlatform(), { signal, onEvent, known });
    if (image === undefined) return undefined;
    if ((await listedDigest(reference, platform)) === image.descriptor.digest) {
      // The store has all of this very image: nothing needs to be remembered.
      forgetName(store.root, reference);
      return openPinned(store, fullName(reference), platform);
    }
    await rememberImage(store, image);
    return usable(image);
  };

  const pullWhole = async (reference: Reference, platform: Platform | undefined): Promise<FoundImage | undefined> => {
    try {
      await pullImage(store, await registry(), reference, { platform, signal, onEvent });
    } catch (error) {
      if (error instanceof RegistryError && error.code === "REGISTRY_NOT_FOUND") return undefined;
      throw error;
    }
    return openPinned(store, fullName(reference), platform);
  };

  return {
    fetcher,
    async recall(reference, platform) {
      const known = await recalled(reference, platform);
      return known && usable(known);
    },
    ask: take === "whole" ? pullWhole : askLazily,
  };
}
