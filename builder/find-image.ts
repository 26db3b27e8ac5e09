import type { Digest } from "../store/digest.ts";
import { ImageNotFoundError, TsbuildError } from "../store/errors.ts";
import { parseImageQuery, queryName } from "../store/image-lookup.ts";
import type { ImageLayer } from "../store/images.ts";
import type { ImageConfig, Platform } from "../store/oci.ts";
import { openPinned } from "../store/pinned-image.ts";
import { machinePlatform } from "../store/platform.ts";
import { fullName, type Reference } from "../store/reference.ts";
import { type LayerFetcher, openLayerFetcher } from "../store/registry/layer-fetcher.ts";
import type { Registry } from "../store/registry/registry.ts";
import { RegistryError } from "../store/registry/registry-error.ts";
import { recallImage, rememberImage } from "../store/registry/remembered-images.ts";
import { type RemoteImage, resolveRemote } from "../store/registry/remote-image.ts";
import type { TransferSink } from "../store/registry/transfer-event.ts";
import { forgetName } from "../store/remembered-names.ts";
import type { Store } from "../store/store.ts";
import type { PullPolicy } from "./options.ts";

/** An image to stand on, to copy from or to run. Its layers need not be in the store yet: `fetch` brings them. */
export interface FoundImage {
  readonly config: ImageConfig;
  /** Bottom first. */
  readonly layers: readonly ImageLayer[];
}

/** Finds images in the store and, as the policy says, in registries. */
export interface ImageFinder {
  readonly fetcher: LayerFetcher;
  /** Throws ImageNotFoundError, PLATFORM_NOT_FOUND, NOT_AN_IMAGE, RegistryError. What it returns is pinned as far as it is in the store. */
  find(name: string, platform?: Platform): Promise<FoundImage>;
}

export interface FinderOptions {
  readonly pull: PullPolicy;
  /** What becomes of an image that a registry has: it is remembered, and its layers come when they are needed; or it is pulled into the store as a whole. */
  readonly take: "lazily" | "whole";
  /** Opened when a registry is asked for the first time. */
  readonly registry: () => Promise<Registry>;
  readonly onEvent: TransferSink;
  /** Says once what was done without. */
  readonly onNote: (message: string) => void;
  readonly signal: AbortSignal;
}

export function imageFinder(store: Store, options: FinderOptions): ImageFinder {
  const { pull, onEvent, signal } = options;
  const fetcher = openLayerFetcher({ store, onEvent, signal });

  /** Its manifest and config are kept and its layers can be fetched; none of them is yet. */
  const usable = async ({ layers, manifest, descriptor, listed, repository, config }: RemoteImage): Promise<FoundImage> => {
    await store.pin(
      listed.descriptor.digest,
      descriptor.digest,
      manifest.config.digest,
      ...layers.flatMap(({ diffId, blob }) => [diffId, blob.digest]),
    );
    fetcher.offer(layers, repository);
    return { config, layers };
  };

  const recalled = (reference: Reference, platform: Platform | undefined) =>
    recallImage(store, options.registry, reference, platform ?? machinePlatform());

  /** `orElse`: a registry can be asked for a platform that the store's index does not list. */
  const local = async (name: string, reference: Reference | undefined, platform: Platform | undefined, orElse: boolean) => {
    // What a registry said last is newer than a listed image: naming one makes the store forget it.
    const remembered = reference && (await recalled(reference, platform));
    if (remembered !== undefined) return usable(remembered);
    try {
      return await openPinned(store, name, platform);
    } catch (error) {
      if (error instanceof ImageNotFoundError) return undefined;
      if (orElse && error instanceof TsbuildError && error.code === "PLATFORM_NOT_FOUND") return undefined;
      throw error;
    }
  };

  const pullIfThere = async (registry: Registry, reference: Reference, platform: Platform | undefined): Promise<FoundImage | undefined> => {
    const { pullImage } = await import("../store/registry/pull.ts");
    try {
      await pullImage(store, registry, reference, { ...(platform === undefined ? {} : { platform }), signal, onEvent });
    } catch (error) {
      if (error instanceof RegistryError && error.code === "REGISTRY_NOT_FOUND") return undefined;
      throw error;
    }
    return openPinned(store, fullName(reference), platform);
  };

  /** Of what the store lists; undefined also for what cannot be read, as the registry's is as good. */
  const listedDigest = async (reference: Reference, platform: Platform | undefined): Promise<Digest | undefined> => {
    try {
      return (await store.images.resolve(fullName(reference), platform))?.descriptor.digest;
    } catch (error) {
      if (error instanceof TsbuildError) return undefined;
      throw error;
    }
  };

  const remote = async (reference: Reference, platform: Platform | undefined): Promise<FoundImage | undefined> => {
    const registry = await options.registry();
    if (options.take === "whole") return pullIfThere(registry, reference, platform);
    const known = await recalled(reference, platform);
    const image = await resolveRemote(registry, reference, platform ?? machinePlatform(), { signal, onEvent, known });
    if (image === undefined) return undefined;
    if ((await listedDigest(reference, platform)) === image.descriptor.digest) {
      // The store has all of this very image: nothing needs to be remembered.
      forgetName(store.root, reference);
      return openPinned(store, fullName(reference), platform);
    }
    await rememberImage(store, image);
    return usable(image);
  };

  const notFound = (name: string, asked: boolean): ImageNotFoundError => {
    const query = parseImageQuery(name);
    const reference = query.by === "name" ? query.reference : undefined;
    const where =
      asked && reference !== undefined
        ? `neither in the store ${store.root} nor in the registry ${reference.registry}`
        : `not in the store ${store.root}`;
    const why = asked || reference === undefined ? "" : "; registries are not asked (--pull=never)";
    return new ImageNotFoundError(`looking for image "${name}": it is ${where}${why}`, {
      hint: asked
        ? `see whether the name is right, and whether ${reference?.registry} wants a login (tsbuild login ${reference?.registry})`
        : `tsbuild images lists what is there; tsbuild import ROOTFS.tar ${query.by === "name" ? queryName(query) : "NAME"} makes one`,
    });
  };

  return {
    fetcher,
    async find(name, platform) {
      const query = parseImageQuery(name);
      const reference = query.by === "name" ? query.reference : undefined;
      // A digest means the same for ever, and an id is of this store.
      const policy = reference === undefined ? "never" : reference.digest !== undefined && pull !== "never" ? "missing" : pull;
      if (reference === undefined || policy === "never" || policy === "missing") {
        const found = await local(name, reference, platform, policy === "missing");
        if (found !== undefined) return found;
        if (reference === undefined || policy === "never") throw notFound(name, false);
        return (await remote(reference, platform)) ?? Promise.reject(notFound(name, true));
      }
      try {
        const found = await remote(reference, platform);
        if (found !== undefined) return found;
        if (policy === "always") throw notFound(name, true);
      } catch (error) {
        if (policy !== "newer" || !(error instanceof RegistryError)) throw error;
        const found = await local(name, reference, platform, true);
        if (found === undefined) throw error;
        options.onNote(`image "${name}": the store's is taken, since the registry did not answer: ${error.message}`);
        return found;
      }
      return (await local(name, reference, platform, true)) ?? Promise.reject(notFound(name, true));
    },
  };
}
