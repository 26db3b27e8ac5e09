import { type Rootfs, stackRootfs } from "./layer/rootfs.ts";
import type { LayerInfo, LayerStore } from "./layers.ts";

/** A layer as an image or a step names it. */
export type LayerRef = Pick<LayerInfo, "diffId" | "blob">;

/** Stacks the trees of these layers, bottom first; a layer whose blob another tool brought is checked and indexed first. */
export async function openRootfs(layers: LayerStore, refs: readonly LayerRef[]): Promise<Rootfs> {
  const trees = await Promise.all(
    refs.map(async ({ diffId, blob }) => {
      if (!(await layers.has(diffId))) await layers.ensure(diffId, blob);
      return layers.tree(diffId);
    }),
  );
  return stackRootfs(trees.map((tree) => ({ tree, tar: () => layers.plainTar(tree.diffId) })));
}
