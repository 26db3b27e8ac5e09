import type { Image } from "./images.ts";
import { wastedBytes } from "./layer/wasted.ts";
import { keptTree, openRootfs } from "./open-rootfs.ts";
import type { Store } from "./store.ts";

/**
 * For each layer of an image, bottom first, the bytes of its files that layers above it replace or remove. Layers of other tools are checked and indexed
 * first. Throws as openRootfs, and system errors where the store cannot be written.
 */
export async function layerWaste({ layers: store }: Pick<Store, "layers">, { layers }: Pick<Image, "layers">): Promise<readonly number[]> {
  await openRootfs(store, layers);
  return wastedBytes(await Promise.all(layers.map(({ diffId }) => keptTree(store, diffId))));
}
