import { join } from "node:path";
import type { Digest } from "../digest.ts";
import { TsbuildError } from "../errors.ts";
import type { Store } from "../store.ts";
import { storePaths } from "../store-paths.ts";
import { type Measure, namesIn, openMeasure } from "./allocated.ts";
import { type CacheKind, cacheKinds, fileItems, folderItems } from "./cache-items.ts";
import { collectGarbage, type Freed, freedKinds } from "./collect.ts";
import { storedContent } from "./content.ts";
import { containerReferences, imageReferences } from "./references.ts";

export const usageKinds = ["images", "layers", ...cacheKinds, "containers", "temp", "trash", "other"] as const;
export type UsageKind = (typeof usageKinds)[number];

/** Allocated bytes, as du counts them. */
export interface Usage {
  /**
   * "images": documents, blobs and trees of the images; "layers": blobs and trees that no image has; "containers": what kept containers changed; "temp": of processes; "other": index.json, locks and the directories
   * themselves. The rest is what CacheKind says.
   */
  readonly kind: UsageKind;
  /** Images, or files, directories and layers. */
  readonly count: number;
  readonly bytes: number;
  /** What prune --all would free of it. */
  readonly reclaimableBytes: number;
}

/** What takes the room of a store. The sum of all is what `du -s` says. What is behind a document that cannot be read counts as no image's, and as nothing that
 * prune would free, for it refuses. `onNote` hears what could not be measured. */
export async function storeUsage(store: Store, onNote?: (message: string) => void): Promise<readonly Usage[]> {
  const { root } = store;
  const measure = openMeasure(onNote);
  const freed = await freedByPrune(store);
  const images = await imageReferences(store, () => undefined);
  const containers = await containerReferences(root, measure, () => undefined);
  const { blobs, layers, unpacked } = await storedContent(root, measure, { exact: true });
  const items = [...fileItems(root).values(), ...(await folderItems(root, measure)), ...unpacked];
  const imageBlobs = new Set(images.flatMap((image) => [...image.blobs]));
  const imageLayers = new Set(images.flatMap((image) => [...image.layers]));
  const ofImages = sumOf(blobs, (digest) => imageBlobs.has(digest)) + sumOf(layers, (digest) => imageLayers.has(digest));
  const cached = sumOf(blobs, (digest) => !imageBlobs.has(digest)) + sumOf(layers, (digest) => !imageLayers.has(digest));
  const cachedCount = new Set([
    ...[...blobs.keys()].filter((digest) => !imageBlobs.has(digest)),
    ...[...layers.keys()].filter((digest) => !imageLayers.has(digest)),
  ]).size;
  const temps = await contentOf(storePaths.tmp(root), measure);
  const trash = await contentOf(storePaths.trash(root), measure);
  const cacheRow = (kind: CacheKind): Usage => {
    const own = items.filter((item) => item.kind === kind);
    const bytes = own.reduce((sum, item) => sum + item.bytes, 0);
    return { kind, count: own.length, bytes, reclaimableBytes: Math.min(bytes, freed[kind]) };
  };
  // Of what collecting calls layers, that which is no image's comes first.
  const ofLayers = Math.min(cached, freed.layers);
  const rows: readonly Usage[] = [
    { kind: "images", count: images.length, bytes: ofImages, reclaimableBytes: Math.min(ofImages, freed.layers - ofLayers) },
    { kind: "layers", count: cachedCount, bytes: cached, reclaimableBytes: ofLayers },
    ...cacheKinds.map(cacheRow),
    { kind: "containers", count: containers.length, bytes: containers.reduce((sum, { bytes }) => sum + bytes, 0), reclaimableBytes: 0 },
    { kind: "temp", ...temps, reclaimableBytes: Math.max(0, freed.temp - trash.bytes) },
    { kind: "trash", ...trash, reclaimableBytes: trash.bytes },
  ];
  const other = (await measure(root)) - rows.reduce((sum, { bytes }) => sum + bytes, 0);
  return [...rows, { kind: "other", count: 0, bytes: Math.max(0, other), reclaimableBytes: 0 }];
}

async function freedByPrune(store: Store): Promise<Freed["bytes"]> {
  try {
    return (await collectGarbage(store, { all: true, dryRun: true })).bytes;
  } catch (error) {
    if (error instanceof TsbuildError && (error.code === "INTEGRITY" || error.code === "INVALID_DOCUMENT"))
      return Object.fromEntries(freedKinds.map((kind) => [kind, 0])) as Freed["bytes"];
    throw error;
  }
}

async function contentOf(folder: string, measure: Measure): Promise<{ readonly count: number; readonly bytes: number }> {
  const names = namesIn(folder);
  let bytes = 0;
  for (const name of names) bytes += await measure(join(folder, name));
  return { count: names.length, bytes };
}

function sumOf(sizes: ReadonlyMap<Digest, number>, counts: (digest: Digest) => boolean): number {
  let sum = 0;
  for (const [digest, bytes] of sizes) if (counts(digest)) sum += bytes;
  return sum;
}
