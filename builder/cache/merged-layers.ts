import { canonicalJson } from "../../store/canonical-json.ts";
import { type Digest, digestOf, hexOf } from "../../store/digest.ts";
import { writerVersion } from "../../store/layer/tar-format.ts";
import type { LayerInfo } from "../../store/layers.ts";
import type { LayerRef } from "../../store/open-rootfs.ts";
import { readRecord, writeRecord } from "../../store/records.ts";
import type { Store } from "../../store/store.ts";

/** Layers that become one, and those below that decide what their removals mean; bottom first. */
export interface Merge {
  readonly base: readonly LayerRef[];
  readonly own: readonly LayerRef[];
}

interface MergeRecord {
  readonly merge: object;
  readonly layer: LayerInfo;
}

/** What these layers came to when they were merged before, if that is still there; then it is pinned. The record lies among those of steps, and keeps the layer as they do. */
export async function findMerged(store: Store, merge: Merge): Promise<LayerInfo | undefined> {
  const bytes = await readRecord(store, "steps", hexOf(keyOf(merge)));
  if (bytes === undefined) return undefined;
  const { layer } = JSON.parse(bytes.toString("utf8")) as MergeRecord;
  await store.pin(layer.diffId, layer.blob.digest);
  return (await store.blobs.has(layer.blob)) ? layer : undefined;
}

export async function rememberMerged(store: Store, merge: Merge, layer: LayerInfo): Promise<void> {
  const record: MergeRecord = { merge: treeOf(merge), layer };
  await writeRecord(store, "steps", hexOf(keyOf(merge)), Buffer.from(JSON.stringify(record), "utf8"));
}

function keyOf(merge: Merge): Digest {
  return digestOf(canonicalJson(treeOf(merge)));
}

/** All that the merged tar depends on. */
function treeOf({ base, own }: Merge): object {
  return { operation: "merge", base: base.map(({ diffId }) => diffId), own: own.map(({ diffId }) => diffId), writer: writerVersion };
}
