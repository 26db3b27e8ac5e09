import { existsSync, statfsSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Digest, hexOf } from "../digest.ts";
import type { TsbuildError } from "../errors.ts";
import type { Abortable } from "../file-bytes.ts";
import { readLayerInfo } from "../layer-info.ts";
import { updateStoreIndex } from "../layout.ts";
import { removeStale } from "../lease.ts";
import { withLock } from "../lock.ts";
import type { Store } from "../store.ts";
import { storePaths } from "../store-paths.ts";
import { type Measure, namesIn, openMeasure } from "./allocated.ts";
import { type CacheItem, type CacheKind, cacheKinds, fileItems, folderItems, hasChanged, type KnownItems } from "./cache-items.ts";
import { type StoredContent, storedContent } from "./content.ts";
import { livingPins } from "./pins.ts";
import { containerReferences, imageReferences, type OnUnreadable, type References } from "./references.ts";
import { type Choice, type Selection, select } from "./select.ts";
import { emptyTrash, moveToTrash, type RemoveTree } from "./trash.ts";

/** What of the cache goes besides what nothing can use any more. Nothing of it: only that. */
export interface GarbagePolicy extends Abortable {
  /** All cache that no process uses, and the images without a name. */
  readonly all?: boolean;
  /** Only these kinds of cache; without a limit below all of them. Absent: every kind. */
  readonly kinds?: readonly CacheKind[];
  /** What was not used for so many seconds. */
  readonly maxAgeSeconds?: number;
  /** The longest unused, until so many bytes of cache are left: of all that is there besides the images. */
  readonly keepBytes?: number;
  /** The longest unused, until the store as a whole takes no more bytes than this, if the images let it. */
  readonly maxStoreBytes?: number;
  /** The longest unused, until so many bytes of the file system are free. */
  readonly minFreeBytes?: number;
  /**
   * Hears of images and containers whose documents cannot be read, which are then no error: nobody knows what they need, so that every blob and layer stays, with the records that lead to
   * them, and only the rest of the cache goes.
   */
  readonly onUnreadable?: OnUnreadable;
  /** Hears of directories of which some could not be measured; they are collected like others. */
  readonly onNote?: (message: string) => void;
  /** Only says what would go. */
  readonly dryRun?: boolean;
  /** Milliseconds; absent: the clock. */
  readonly nowMs?: number;
  /** Removes what this user may not (files with mapped owners). Absent: it waits in trash/ for somebody who may. */
  readonly removeTree?: RemoveTree;
}

export const freedKinds = ["layers", ...cacheKinds, "temp"] as const;
export type FreedKind = (typeof freedKinds)[number];

/** What went, in allocated bytes. */
export interface Freed {
  /** "layers": blobs and trees, also documents of images that are gone; "temp": what ended processes left, and the trash. */
  readonly bytes: Readonly<Record<FreedKind, number>>;
  readonly count: Readonly<Record<FreedKind, number>>;
  /** Images without a name that were taken off the list. */
  readonly images: readonly Digest[];
  readonly totalBytes: number;
  /** Of the store as it is left. */
  readonly storeBytes: number;
  /** What of it images, and what is in use, do not let go. */
  readonly heldBytes: number;
}

/**
 * Removes what nothing needs, and what the policy chooses of the cache. Never what a name, a running process or a kept record of the cache needs. May be killed at any instant, and run
 * in several processes at once. What is there is measured and read first, without a lock; the lock, for which whoever pins waits, is held only while what changed since is looked at
 * again and what goes is renamed into trash/; its removal follows. Records go before the layers that they name. Throws INTEGRITY or INVALID_DOCUMENT where a listed image's documents
 * cannot be read, for what it needs is unknown then; see onUnreadable.
 */
export async function collectGarbage(store: Store, policy: GarbagePolicy = {}): Promise<Freed> {
  const { root } = store;
  const { signal } = policy;
  signal?.throwIfAborted();
  const measure = openMeasure(policy.onNote);
  const content = await storedContent(root, measure);
  const known = fileItems(root);
  const surveyed = { content, known, folders: await folderItems(root, measure), measure };
  signal?.throwIfAborted();
  if (policy.dryRun === true) {
    return freedOf(await planOf(store, surveyed, policy), await sizeOf(await staleTemps(root), measure), content);
  }
  const stale = await staleTemps(root);
  const temp = await sizeOf(stale, measure);
  // By way of the trash, since some of it may be of mapped owners.
  for (const path of stale) if (dirname(path) === storePaths.tmp(root)) moveToTrash(root, path);
  await removeStale(root);
  const plan = await withLock(
    storePaths.lock(root),
    "exclusive",
    async () => {
      const found = await planOf(store, surveyed, policy);
      const dropped = new Set(found.images);
      if (dropped.size > 0) {
        await updateStoreIndex(
          root,
          () => store.tempFile("index"),
          (entries) => entries.filter(({ digest }) => !dropped.has(digest)),
        );
      }
      // What stands on something goes before it: a crash in between leaves garbage, and nothing that is missing.
      for (const { path } of [...found.selection.items].sort(byKind)) moveToTrash(root, path);
      for (const diffId of found.selection.layers) moveToTrash(root, join(storePaths.layers(root), hexOf(diffId)));
      for (const digest of found.selection.blobs) moveToTrash(root, blobPath(root, digest));
      return found;
    },
    { signal },
  );
  await emptyTrash(root, policy.removeTree);
  return freedOf(plan, temp, content);
}

interface Survey {
  readonly content: StoredContent;
  readonly known: KnownItems;
  /** Repositories, cache mounts and what failed steps left. */
  readonly folders: readonly CacheItem[];
  readonly measure: Measure;
}

interface Plan {
  readonly selection: Selection;
  readonly images: readonly Digest[];
  /** Allocated bytes before. */
  readonly storeBytes: number;
  readonly heldBytes: number;
}

async function planOf(store: Store, { content, known, folders, measure }: Survey, policy: GarbagePolicy): Promise<Plan> {
  const { root } = store;
  const tmp = storePaths.tmp(root);
  // Leases first: what ended before has written its records, and its images.
  const pins = await livingPins(root);
  let isUnknown = false;
  const onUnreadable =
    policy.onUnreadable &&
    ((error: TsbuildError) => {
      isUnknown = true;
      policy.onUnreadable?.(error);
    });
  const listed = await imageReferences(store, onUnreadable);
  const containers = await containerReferences(root, measure, onUnreadable);
  const dropped = policy.all === true ? listed.filter(({ isNamed, listed: digest }) => !isNamed && !pins.digests.has(digest)) : [];
  const kept = isUnknown ? everythingIn(content) : union([...listed.filter((image) => !dropped.includes(image)), ...containers]);
  // What was used since it was read is not among what may go; what is new was not measured, and names what must stay.
  const items = [...fileItems(root, known).values(), ...folders.filter((item) => !hasChanged(item))];
  const unpacked = content.unpacked;
  const inventory = {
    ...content,
    unpacked,
    items,
    kept,
    pinned: withForms(root, pins.digests),
    hasBlob: (digest: Digest) => existsSync(blobPath(root, digest)),
  };
  const cacheBytes = sumOf(select(inventory, everything).bytes);
  const temps = await sizeOf(
    namesIn(tmp).map((id) => join(tmp, id)),
    measure,
  );
  const storeBytes =
    sumValues(content.blobs) +
    sumValues(content.layers) +
    [...items, ...unpacked].reduce((sum, { bytes }) => sum + bytes, 0) +
    containers.reduce((sum, { bytes }) => sum + bytes, 0) +
    temps.bytes;
  const choice = choiceOf(root, policy, cacheBytes, storeBytes);
  const selection = select(inventory, isUnknown ? { ...choice, kinds: withoutRecords(choice.kinds) } : choice);
  return { selection, images: dropped.map(({ listed: digest }) => digest), storeBytes, heldBytes: storeBytes - cacheBytes };
}

const everything: Choice = { kinds: new Set(cacheKinds), bytesToFree: Number.POSITIVE_INFINITY };

function choiceOf(root: string, policy: GarbagePolicy, cacheBytes: number, storeBytes: number): Choice {
  const { all, kinds, maxAgeSeconds, keepBytes, maxStoreBytes, minFreeBytes, nowMs = Date.now() } = policy;
  const limits = [
    ...(keepBytes === undefined ? [] : [cacheBytes - keepBytes]),
    ...(maxStoreBytes === undefined ? [] : [storeBytes - maxStoreBytes]),
    ...(minFreeBytes === undefined ? [] : [minFreeBytes - freeBytes(root)]),
  ];
  const isLimited = limits.length > 0 || maxAgeSeconds !== undefined;
  const whole = !isLimited && (all === true || kinds !== undefined);
  return {
    kinds: new Set(kinds ?? cacheKinds),
    ...(maxAgeSeconds === undefined ? {} : { unusedSinceMs: nowMs - maxAgeSeconds * 1000 }),
    bytesToFree: whole ? Number.POSITIVE_INFINITY : Math.max(0, ...limits),
  };
}

function blobPath(root: string, digest: Digest): string {
  return join(storePaths.blobs(root), hexOf(digest));
}

/** Bytes of the store's file system that ordinary users may still write, whoever asks. */
export function freeBytes(root: string): number {
  const { bavail, bsize } = statfsSync(root);
  return bavail * bsize;
}

/** A layer that is pinned by its diffId stays in every form that its tar has here. */
function withForms(root: string, pinned: ReadonlySet<Digest>): ReadonlySet<Digest> {
  const all = new Set(pinned);
  for (const digest of pinned) {
    const info = readLayerInfo(join(storePaths.layers(root), hexOf(digest), "info"), digest);
    for (const blob of info?.blobs ?? []) all.add(blob.digest);
  }
  return all;
}

function everythingIn({ blobs, layers }: StoredContent): References {
  return { blobs: new Set(blobs.keys()), layers: new Set(layers.keys()) };
}

/** Without the layers that they lead to, records that go free nothing worth their loss. */
function withoutRecords(kinds: ReadonlySet<CacheKind>): ReadonlySet<CacheKind> {
  return new Set([...kinds].filter((kind) => kind !== "steps" && kind !== "remote"));
}

function union(images: readonly References[]): References {
  return {
    blobs: new Set(images.flatMap(({ blobs }) => [...blobs])),
    layers: new Set(images.flatMap(({ layers }) => [...layers])),
  };
}

const order: readonly string[] = ["steps", "remote", "downloads", "git", "cache-mounts", "failed", "directories"];

/** URLs' records and other followers before what they follow. */
function byKind(a: CacheItem, b: CacheItem): number {
  return order.indexOf(a.kind) - order.indexOf(b.kind) || Number(a.follows === undefined) - Number(b.follows === undefined);
}

interface Bytes {
  readonly bytes: number;
  readonly count: number;
}

/** Temp directories of ended processes, and what is in the trash. */
async function staleTemps(root: string): Promise<readonly string[]> {
  const [tmp, trash] = [storePaths.tmp(root), storePaths.trash(root)];
  // Before the leases are looked at: a lease is made before its temp directory.
  const ids = namesIn(tmp);
  const { leases } = await livingPins(root);
  return [...ids.filter((id) => !leases.has(id)).map((id) => join(tmp, id)), ...namesIn(trash).map((name) => join(trash, name))];
}

async function sizeOf(paths: readonly string[], measure: Measure): Promise<Bytes> {
  let bytes = 0;
  for (const path of paths) bytes += await measure(path);
  return { bytes, count: paths.length };
}

function freedOf({ selection, images, storeBytes, heldBytes }: Plan, temp: Bytes, content: StoredContent): Freed {
  const bytes = { ...selection.bytes, temp: temp.bytes };
  const countOf = (kind: CacheKind) => selection.items.filter((item) => item.kind === kind).length;
  const whole = new Set(selection.layers);
  return {
    bytes,
    count: {
      layers: whole.size + selection.blobs.filter((digest) => !whole.has(digest) && content.blobs.has(digest)).length,
      steps: countOf("steps"),
      directories: countOf("directories"),
      remote: countOf("remote"),
      downloads: countOf("downloads"),
      git: countOf("git"),
      "cache-mounts": countOf("cache-mounts"),
      failed: countOf("failed"),
      temp: temp.count,
    },
    images,
    totalBytes: sumOf(bytes),
    storeBytes: storeBytes - sumOf(selection.bytes),
    heldBytes,
  };
}

function sumOf(bytes: Readonly<Record<string, number>>): number {
  return Object.values(bytes).reduce((sum, value) => sum + value, 0);
}

function sumValues(bytes: ReadonlyMap<unknown, number>): number {
  return [...bytes.values()].reduce((sum, value) => sum + value, 0);
}
