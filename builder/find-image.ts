import { ImageNotFoundError, TsbuildError } from "../store/errors.ts";
import { parseImageQuery, queryName } from "../store/image-lookup.ts";
import type { Platform } from "../store/oci.ts";
import { openPinned } from "../store/pinned-image.ts";
import { type Reference, refuseScratch } from "../store/reference.ts";
import type { LayerFetcher } from "../store/registry/layer-fetcher.ts";
import { RegistryError } from "../store/registry/registry-error.ts";
import { isRemembered } from "../store/remembered-names.ts";
import type { Store } from "../store/store.ts";
import type { FinderOptions, FoundImage } from "./found-image.ts";
import type { RemoteImages } from "./remote-images.ts";

/** Finds images in the store and, as the policy says, in registries, and in image layouts that were handed in. */
export interface ImageFinder {
  /** Knows where the layers of all images found so far can be had. */
  fetcher(): Promise<LayerFetcher>;
  /** Throws ImageNotFoundError, PLATFORM_NOT_FOUND, NOT_AN_IMAGE, RegistryError. What it returns is pinned as far as it is in the store. */
  find(name: string, platform?: Platform): Promise<FoundImage>;
}

export function imageFinder(store: Store, options: FinderOptions): ImageFinder {
  let opened: Promise<RemoteImages> | undefined;
  const load = async () => (await import("./remote-images.ts")).remoteImages(store, options);
  /** Loaded when it is needed: a build whose bases are all in the store never comes here. */
  const remotes = (): Promise<RemoteImages> => {
    opened ??= load();
    return opened;
  };

  /** `orElse`: a registry can be asked for a platform that the store's index does not list. */
  const local = async (name: string, reference: Reference | undefined, platform: Platform | undefined, orElse: boolean) => {
    // What a registry said last is newer than a listed image: naming one makes the store forget it.
    if (reference !== undefined && isRemembered(store.root, reference)) {
      const recalled = await (await remotes()).recall(reference, platform);
      if (recalled !== undefined) return recalled;
    }
    try {
      return await openPinned(store, name, platform);
    } catch (error) {
      if (error instanceof ImageNotFoundError) return undefined;
      if (orElse && error instanceof TsbuildError && error.code === "PLATFORM_NOT_FOUND") return undefined;
      throw error;
    }
  };

  const ask = async (reference: Reference, platform: Platform | undefined) => {
    refuseScratch(reference);
    return (await remotes()).ask(reference, platform);
  };

  return {
    fetcher: async () => (await remotes()).fetcher,
    async find(name, platform) {
      if (options.layouts?.has(name)) return (await import("./layout-image.ts")).findInLayout(store, name, platform, options.signal);
      const query = parseImageQuery(name);
      const reference = query.by === "name" ? query.reference : undefined;
      // An id is of this store.
      if (reference === undefined || options.pull === "never") {
        return (await local(name, reference, platform, false)) ?? Promise.reject(notInStore(store, name));
      }
      // A digest means the same for ever.
      if (options.pull === "missing" || reference.digest !== undefined) {
        const found = (await local(name, reference, platform, true)) ?? (await ask(reference, platform));
        return found ?? Promise.reject(nowhere(store, name, reference));
      }
      try {
        const found = await ask(reference, platform);
        if (found !== undefined) return found;
        if (options.pull === "always") throw nowhere(store, name, reference);
      } catch (error) {
        if (options.pull !== "newer" || !(error instanceof RegistryError)) throw error;
        const found = await local(name, reference, platform, true);
        if (found === undefined) throw error;
        options.onNote(`image "${name}": the store's is taken, since the registry did not answer: ${error.message}`);
        return found;
      }
      return (await local(name, reference, platform, true)) ?? Promise.reject(nowhere(store, name, reference));
    },
  };
}

function notInStore({ root }: Store, name: string): ImageNotFoundError {
  const query = parseImageQuery(name);
  const why = query.by === "name" ? "; registries are not asked (--pull=never)" : "";
  return new ImageNotFoundError(`looking for image "${name}": it is not in the store ${root}${why}`, {
    hint:
      query.by === "name"
        ? `tsbuild images lists what is there; tsbuild pull ${queryName(query)} fetches it, tsbuild import ROOTFS.tar ${queryName(query)} makes one`
        : "tsbuild images lists what is there",
  });
}

function nowhere({ root }: Store, name: string, { registry }: Reference): ImageNotFoundError {
  return new ImageNotFoundError(`looking for image "${name}": it is neither in the store ${root} nor in the registry ${registry}`, {
    hint: `see whether the name is right, and whether ${registry} wants a login (tsbuild login ${registry})`,
  });
}
