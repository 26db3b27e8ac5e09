import { IntegrityError } from "../store/errors.ts";
import type { Abortable } from "../store/file-bytes.ts";
import { quotePath } from "../store/layer/entry-path.ts";
import { mergeLayers } from "../store/layer/merge.ts";
import { writeLayer } from "../store/layer/tar-write.ts";
import type { LayerInfo } from "../store/layers.ts";
import type { HistoryEntry } from "../store/oci.ts";
import { type LayerRef, openLayers, openRootfs } from "../store/open-rootfs.ts";
import type { LayerFetcher } from "../store/registry/layer-fetcher.ts";
import type { Store } from "../store/store.ts";
import { findMerged, type Merge, rememberMerged } from "./cache/merged-layers.ts";
import type { FinishedImage } from "./deliver.ts";
import type { BuildPlan, StageWork } from "./plan/build-plan.ts";

export interface SquashOptions extends Abortable {
  /** How many layers at the bottom stay as they are. */
  readonly keep: number;
  readonly fetcher: () => Promise<LayerFetcher>;
}

/**
 * The image with its layers above those that stay merged into one: files that were made and removed again are in none. Its history keeps all rows, of which only the last has the layer.
 * Steps and their records are not touched, so that the next build finds them, and what layers were merged into is remembered. One layer stays what it is. Throws IntegrityError and what fetching and writing layers throw.
 */
export async function squash<Image extends FinishedImage>(
  store: Store,
  image: Image,
  { keep, fetcher, signal }: SquashOptions,
): Promise<Image> {
  const { layers, config } = image;
  const [base, own] = [layers.slice(0, keep), layers.slice(keep)];
  if (own.length < 2) return image;
  const merged = (await findMerged(store, { base, own })) ?? (await merge(store, { base, own }, { fetcher, signal }));
  const all = [...base, merged];
  return {
    ...image,
    layers: all,
    config: {
      ...config,
      rootfs: { ...config.rootfs, diff_ids: all.map(({ diffId }) => diffId) },
      ...(config.history === undefined ? {} : { history: squashedHistory(config.history, keep, own.length) }),
    },
  };
}

/** How many layers a target's base image has, below all stages of this build. */
export function baseLayersBelow({ stages }: Pick<BuildPlan, "stages">, target: StageWork): number {
  const { base, baseLayers } = target;
  if (base.kind !== "stage") return baseLayers.length;
  const parent = stages.find(({ index }) => index === base.stage);
  if (parent === undefined) throw new RangeError(`stage ${base.stage} was not planned`);
  return baseLayersBelow({ stages }, parent);
}

async function merge(store: Store, layers: Merge, { fetcher, signal }: Omit<SquashOptions, "keep">): Promise<LayerInfo> {
  const { base, own } = layers;
  const missing: LayerRef[] = [];
  for (const layer of [...base, ...own]) if (!(await store.layers.hasAs(layer.diffId, layer.blob))) missing.push(layer);
  if (missing.length > 0) await (await fetcher()).fetch(missing, { signal });
  const merged = await mergedLayer(store, base, own, signal);
  await rememberMerged(store, layers, merged);
  return merged;
}

async function mergedLayer(
  store: Store,
  base: readonly LayerRef[],
  own: readonly LayerRef[],
  signal: AbortSignal | undefined,
): Promise<LayerInfo> {
  const entries = await mergeLayers(await openLayers(store.layers, base), await openLayers(store.layers, own));
  const tempTar = await store.tempFile("squash");
  const tree = await writeLayer(entries, tempTar, {
    sync: true,
    store: store.root,
    limits: store.unpackLimits,
    ignoreMtime: () => false,
    signal,
  });
  const before = await openRootfs(store.layers, [...base, ...own]);
  for (const entry of tree.entries) {
    if (entry.kind !== "file") continue;
    const { path, mode, uid, gid, mtime, mtimeNsec, size } = entry;
    // By its path alone: the entry's own digest is the one in question.
    const expected = before.digest({ kind: "file", path, mode, uid, gid, mtime, mtimeNsec, size });
    if (expected !== entry.digest) throw new IntegrityError(`merging layers: ${quotePath(path)}`, expected, entry.digest);
  }
  await store.pin(tree.diffId);
  return store.layers.add(tree, { tempTar });
}

function squashedHistory(history: readonly HistoryEntry[], keep: number, count: number): readonly HistoryEntry[] {
  let filled = 0;
  const rows = history.map((row): HistoryEntry => {
    if (row.empty_layer !== true) filled += 1;
    return row.empty_layer === true || filled <= keep ? row : { ...row, empty_layer: true };
  });
  const created = history.at(-1)?.created;
  return [...rows, { ...(created === undefined ? {} : { created }), comment: `${count} layers merged into one` }];
}
