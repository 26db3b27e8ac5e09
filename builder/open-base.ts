import { ImageNotFoundError } from "../store/errors.ts";
import { parseImageQuery, queryName } from "../store/image-lookup.ts";
import type { Image } from "../store/images.ts";
import type { Platform } from "../store/oci.ts";
import { openPinned } from "../store/pinned-image.ts";
import type { Store } from "../store/store.ts";

/** Opens and pins an image that a build stands on or that shall run. Where it is not there the error says that nobody else was asked. */
export async function openBase(store: Store, name: string, platform?: Platform): Promise<Image> {
  try {
    return await openPinned(store, name, platform);
  } catch (error) {
    if (!(error instanceof ImageNotFoundError)) throw error;
    const query = parseImageQuery(name);
    throw new ImageNotFoundError(`${error.message}; registries are not asked (this version has no client for them)`, {
      hint: `tsbuild images lists what is there; tsbuild import ROOTFS.tar ${query.by === "name" ? queryName(query) : "NAME"} makes one`,
    });
  }
}
