import type { Digest } from "./digest.ts";
import { type Rootfs, type RootfsLayer, stackRootfs } from "./layer/rootfs.ts";
import type { Tree } from "./layer/tree.ts";
import type { LayerInfo, LayerStore } from "./layers.ts";

/** A layer as an image or a step names it. */
export type LayerRef = Pick<LayerInfo, "diffId" | "blob">;

/**
 * Stacks the trees of these layers, bottom first. A layer whose blob another tool brought, or that is known as another blob only, is checked and indexed first: whoever wrote an image's
 * config could name any layer of the store in it.
 */
export async function openRootfs(layers: LayerStore, refs: readonly LayerRef[]): Promise<Rootfs> {
  return stackRootfs(await openLayers(layers, refs));
}

/** The layers alone, checked likewise. */
export async function openLayers(layers: LayerStore, refs: readonly LayerRef[]): Promise<readonly RootfsLayer[]> {
  const missing = async ({ diffId, blob }: LayerRef) => {
    if (!(await layers.hasAs(diffId, blob))) await layers.ensure(diffId, blob);
  };
  await Promise.all(refs.map(missing));
  return Promise.all(refs.map(({ diffId }) => rootfsLayer(layers, diffId)));
}

/** The same for layers that are known to be in the store. */
export async function stackLayers(layers: LayerStore, diffIds: readonly Digest[]): Promise<Rootfs> {
  return stackRootfs(await storedLayers(layers, diffIds));
}

/** These layers alone, known likewise. */
export async function storedLayers(layers: LayerStore, diffIds: readonly Digest[]): Promise<readonly RootfsLayer[]> {
  return Promise.all(diffIds.map((diffId) => rootfsLayer(layers, diffId)));
}

async function rootfsLayer(layers: LayerStore, diffId: Digest): Promise<RootfsLayer> {
  const tree = await keptTree(layers, diffId);
  let tar: Promise<string> | undefined;
  return {
    tree,
    tar() {
      tar ??= layers.contents(diffId);
      return tar;
    },
  };
}

const kept = new WeakMap<LayerStore, Map<Digest, Promise<Tree>>>();

/** A layer's tree, read once: it never changes, and a build stacks the same few layers again and again. */
export function keptTree(layers: LayerStore, diffId: Digest): Promise<Tree> {
  const trees = kept.get(layers) ?? new Map<Digest, Promise<Tree>>();
  kept.set(layers, trees);
  const known = trees.get(diffId);
  if (known !== undefined) return known;
  const read = layers.tree(diffId);
  trees.set(diffId, read);
  read.catch(() => trees.delete(diffId));
  return read;
}
