import type { Digest } from "../digest.ts";
import type { CacheItem, CacheKind } from "./cache-items.ts";
import type { StoredContent } from "./content.ts";
import type { References } from "./references.ts";

/** What there is, and what must stay. */
export interface Inventory extends StoredContent {
  /** All of the cache. */
  readonly items: readonly CacheItem[];
  /** By images. */
  readonly kept: References;
  /** By running processes: blobs, layers, downloads and repositories. */
  readonly pinned: ReadonlySet<Digest>;
  /** Whether a blob is there now; it may be newer than `blobs`. */
  readonly hasBlob: (digest: Digest) => boolean;
}

export interface Choice {
  /** The cache that may go. Absent: none of it. */
  readonly kinds: ReadonlySet<CacheKind>;
  /** All of these kinds that was not used since then goes (milliseconds since the epoch). */
  readonly unusedSinceMs?: number;
  /** Of the rest the longest unused goes until so many bytes are freed in all. */
  readonly bytesToFree: number;
}

/** What goes; each path goes whole. */
export interface Selection {
  readonly items: readonly CacheItem[];
  readonly layers: readonly Digest[];
  readonly blobs: readonly Digest[];
  /** Allocated, of all of it. */
  readonly bytes: Readonly<Record<CacheKind | "layers", number>>;
}

/**
 * Decides what goes: what nothing names, and of the cache what is chosen, in the order of its last use. A layer goes with the last item that named it, where no image has it. What is
 * pinned stays, with all that keeps it.
 */
export function select({ blobs, layers, unpacked, items, kept, pinned, hasBlob }: Inventory, choice: Choice): Selection {
  const uses = { blobs: new Map<Digest, number>(), layers: new Map<Digest, number>() };
  const keepers = new Map<string, number>();
  for (const item of items) {
    if (item.keeps !== undefined) count(keepers, item.keeps, 1);
    for (const digest of new Set(item.blobs)) count(uses.blobs, digest, 1);
    for (const digest of new Set(item.layers)) count(uses.layers, digest, 1);
  }
  const isKept = {
    blobs: (digest: Digest) => kept.blobs.has(digest) || pinned.has(digest),
    layers: (digest: Digest) => kept.layers.has(digest) || pinned.has(digest),
  };
  const gone = new Set<CacheItem>();
  const bytes = { steps: 0, directories: 0, remote: 0, downloads: 0, git: 0, "cache-mounts": 0, failed: 0, layers: 0 };
  let freed = 0;
  const free = (kind: keyof typeof bytes, size: number) => {
    bytes[kind] += size;
    freed += size;
  };
  const dead = { blobs: new Set<Digest>(), layers: new Set<Digest>() };
  const followers = groupBy(items, ({ follows }) => follows);
  const byPath = new Map(items.map((item) => [item.path, item]));
  const insides = groupBy(unpacked, ({ inLayer }) => inLayer);

  /** Whether it leads to what is gone, and nothing keeps it. */
  const isLost = ({ path, follows }: CacheItem): boolean => {
    if (follows === undefined || (keepers.get(path) ?? 0) > 0) return false;
    const followed = byPath.get(follows);
    return followed === undefined || gone.has(followed);
  };
  const drop = (item: CacheItem): void => {
    if (gone.has(item)) return;
    gone.add(item);
    free(item.kind, item.bytes);
    if (item.keeps !== undefined) count(keepers, item.keeps, -1);
    const left = [...(followers.get(item.path) ?? []), byPath.get(item.keeps ?? "")];
    for (const follower of left) if (follower !== undefined && isLost(follower)) drop(follower);
    for (const digest of new Set(item.blobs)) if (count(uses.blobs, digest, -1) === 0) dropBlob(digest);
    for (const digest of new Set(item.layers)) if (count(uses.layers, digest, -1) === 0) dropLayer(digest);
  };
  const dropBlob = (digest: Digest): void => {
    const size = blobs.get(digest);
    if (size === undefined || isKept.blobs(digest) || dead.blobs.has(digest)) return;
    dead.blobs.add(digest);
    free("layers", size);
  };
  const dropLayer = (digest: Digest): void => {
    const size = layers.get(digest);
    if (size === undefined || isKept.layers(digest) || dead.layers.has(digest)) return;
    dead.layers.add(digest);
    free("layers", size);
    for (const item of insides.get(digest) ?? []) drop(item);
  };

  for (const item of items) {
    const lost = item.needsBlobs === true && item.blobs.some((digest) => !blobs.has(digest) && !hasBlob(digest));
    if (item.torn === true || lost || isLost(item)) drop(item);
  }
  for (const digest of blobs.keys()) if (!uses.blobs.has(digest)) dropBlob(digest);
  for (const digest of layers.keys()) if (!uses.layers.has(digest)) dropLayer(digest);

  const candidates = [...items, ...unpacked].filter(
    ({ kind, follows, pinnedBy }) => choice.kinds.has(kind) && follows === undefined && !(pinnedBy !== undefined && pinned.has(pinnedBy)),
  );
  const isOfStored = ({ ofBlob }: CacheItem): boolean => ofBlob !== undefined && blobs.has(ofBlob) && !dead.blobs.has(ofBlob);
  const late = new Set(candidates.filter(isOfStored));
  // Of equal age first what is made again without running anything. What stays with a blob has its turn when it is known whether that stays.
  candidates.sort((a, b) => Number(late.has(a)) - Number(late.has(b)) || a.usedMs - b.usedMs || rank(a) - rank(b));
  const { unusedSinceMs, bytesToFree } = choice;
  for (const item of candidates) {
    if (isOfStored(item)) continue;
    if ((unusedSinceMs !== undefined && item.usedMs < unusedSinceMs) || freed < bytesToFree) drop(item);
  }
  return { items: [...gone], layers: [...dead.layers], blobs: [...dead.blobs], bytes };
}

function rank({ kind }: CacheItem): number {
  return kind === "directories" ? 0 : 1;
}

function count<K>(uses: Map<K, number>, key: K, by: number): number {
  const value = (uses.get(key) ?? 0) + by;
  uses.set(key, value);
  return value;
}

function groupBy<K>(items: readonly CacheItem[], keyOf: (item: CacheItem) => K | undefined): ReadonlyMap<K, readonly CacheItem[]> {
  const groups = new Map<K, CacheItem[]>();
  for (const item of items) {
    const key = keyOf(item);
    if (key === undefined) continue;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
