import { lstatSync, readFileSync, type Stats } from "node:fs";
import { basename, join } from "node:path";
import { isSystemError } from "../../runtime-addon/index.ts";
import { type Digest, digestOf, hexOf, isDigest } from "../digest.ts";
import { TsbuildError } from "../errors.ts";
import { failedSteps } from "../failed-steps.ts";
import { recordBody } from "../records.ts";
import { cachePinText, failedPinText, gitPinText, storePaths } from "../store-paths.ts";
import { type Measure, namesIn } from "./allocated.ts";
import { referencesIn } from "./references.ts";

/**
 * Parts of the cache. "steps": results of steps with the layers that only they keep, and what goes with them; "directories": unpacked layers; "remote": what registries said names
 * mean with the layers that were fetched for it, where blobs are, what layers come to when compressed; "downloads": files of the web; "git": repositories; "cache-mounts": directories that RUN steps keep for later ones; "failed": what failed steps left.
 */
export const cacheKinds = ["steps", "directories", "remote", "downloads", "git", "cache-mounts", "failed"] as const;
export type CacheKind = (typeof cacheKinds)[number];

/** Something that may be thrown away alone: a file or a directory. */
export interface CacheItem {
  readonly kind: CacheKind;
  readonly path: string;
  /** Allocated. */
  readonly bytes: number;
  /** Since the epoch. */
  readonly usedMs: number;
  /** What it keeps. */
  readonly blobs: readonly Digest[];
  readonly layers: readonly Digest[];
  /** Nothing can ever use it: it is torn. */
  readonly torn?: boolean;
  /** Whether it is worth nothing once a blob that it names is gone. */
  readonly needsBlobs?: boolean;
  /** Another item's path, without which this one is worth nothing unless others keep it. */
  readonly follows?: string;
  /** The path of one that follows others: it stays as long as this one does. */
  readonly keeps?: string;
  /** What it says is of this blob, which it stays with. */
  readonly ofBlob?: Digest;
  /** It stays while this is pinned, and where it lies in the layer's folder it goes with the layer. */
  readonly pinnedBy?: Digest;
  readonly inLayer?: Digest;
}

/** What was read of files before, so that reading again costs only a look at each. */
export type KnownItems = ReadonlyMap<string, CacheItem & { readonly version: string }>;
export type ReadItems = Map<string, CacheItem & { readonly version: string }>;

const hexName = /^[0-9a-f]{64}$/;
const fanName = /^[0-9a-f]{2}$/;

type Content = Pick<CacheItem, "blobs" | "layers" | "torn" | "needsBlobs" | "follows" | "keeps" | "ofBlob" | "pinnedBy">;
const nothing: Content = { blobs: [], layers: [] };

/** All files of the cache but unpacked layers and repositories, which take longer to measure. */
export function fileItems(root: string, known: KnownItems = new Map()): ReadItems {
  const items: ReadItems = new Map();
  const add = (kind: CacheKind, path: string, contentOf: (bytes: () => Buffer) => Content) => {
    const item = readItem(kind, path, contentOf, known.get(path));
    if (item !== undefined) items.set(path, item);
  };
  const steps = storePaths.steps(root);
  const stepPath = (key: string) => join(steps, key.slice(0, 2), key);
  const operationPath = (key: string) => join(steps, "by-op", key.slice(0, 2), key);
  for (const path of fanned(steps)) add("steps", path, (bytes) => stepContent(bytes(), operationPath));
  for (const area of ["by-op", "by-content"]) {
    for (const path of fanned(join(steps, area))) add("steps", path, (bytes) => followerContent(bytes(), stepPath));
  }
  for (const area of ["nodes", "roots", "contexts"]) for (const path of fanned(join(steps, area))) add("steps", path, () => nothing);
  for (const name of namesIn(storePaths.remote(root))) {
    const folder = join(storePaths.remote(root), name);
    for (const platform of namesIn(folder)) add("remote", join(folder, platform), rememberedContent);
  }
  const places = storePaths.places(root);
  for (const name of namesIn(places)) add("remote", join(places, name), () => placeContent(name));
  const compressed = storePaths.compressed(root);
  for (const name of namesIn(compressed)) add("remote", join(compressed, name), () => nothing);
  const downloads = storePaths.downloads(root);
  for (const path of fanned(downloads)) add("downloads", path, () => downloadContent(path));
  for (const path of fanned(join(downloads, "urls"))) {
    add("downloads", path, (bytes) => urlContent(bytes(), (hex) => join(downloads, hex.slice(0, 2), hex)));
  }
  return items;
}

/** Repositories, measured whole. */
async function gitItems(root: string, measure: Measure): Promise<readonly CacheItem[]> {
  const folder = storePaths.git(root);
  const items: CacheItem[] = [];
  for (const name of namesIn(folder)) {
    const path = join(folder, name);
    const found = statOf(path);
    if (!/^[0-9a-f]{32}$/.test(name) || found === undefined) continue;
    const pinnedBy = digestOf(gitPinText(name));
    items.push({ kind: "git", path, bytes: await measure(path), usedMs: found.mtimeMs, ...nothing, pinnedBy });
  }
  return items;
}

/** Copies of cache mounts, measured whole. */
async function cacheMountItems(root: string, measure: Measure): Promise<readonly CacheItem[]> {
  const folder = storePaths.cacheMounts(root);
  const items: CacheItem[] = [];
  for (const copy of namesIn(folder)) {
    const path = join(folder, copy);
    const [, name] = /^([0-9a-f]{64})-\d+$/.exec(copy) ?? [];
    const found = statOf(path);
    if (name === undefined || found === undefined) continue;
    const pinnedBy = digestOf(cachePinText(name));
    items.push({ kind: "cache-mounts", path, bytes: await measure(path), usedMs: found.mtimeMs, ...nothing, pinnedBy });
  }
  return items;
}

/** What failed steps left, measured whole. */
async function failedItems(root: string, measure: Measure): Promise<readonly CacheItem[]> {
  const items: CacheItem[] = [];
  for (const { directory, state } of failedSteps(root)) {
    const found = statOf(directory);
    if (found === undefined) continue;
    const layers = state?.layers ?? [];
    items.push({
      kind: "failed",
      path: directory,
      bytes: await measure(directory),
      usedMs: found.mtimeMs,
      blobs: layers.map(({ blob }) => blob.digest),
      layers: layers.map(({ diffId }) => diffId),
      pinnedBy: digestOf(failedPinText(basename(directory))),
      ...(state === undefined ? { torn: true } : {}),
    });
  }
  return items;
}

/** All that is measured whole: repositories, cache mounts and what failed steps left. */
export async function folderItems(root: string, measure: Measure): Promise<readonly CacheItem[]> {
  return [...(await gitItems(root, measure)), ...(await cacheMountItems(root, measure)), ...(await failedItems(root, measure))];
}

/** Whether it was used or replaced since it was read. */
export function hasChanged({ path, usedMs }: CacheItem): boolean {
  return statOf(path)?.mtimeMs !== usedMs;
}

function fanned(folder: string): readonly string[] {
  return namesIn(folder)
    .filter((name) => fanName.test(name))
    .flatMap((fan) =>
      namesIn(join(folder, fan))
        .filter((name) => hexName.test(name))
        .map((name) => join(folder, fan, name)),
    );
}

function readItem(
  kind: CacheKind,
  path: string,
  contentOf: (bytes: () => Buffer) => Content,
  known: (CacheItem & { readonly version: string }) | undefined,
): (CacheItem & { readonly version: string }) | undefined {
  const found = statOf(path);
  if (found === undefined) return undefined;
  const version = `${found.ino} ${found.mtimeMs} ${found.size}`;
  if (known?.version === version) return known;
  const bytes = found.blocks * 512;
  try {
    return { kind, path, bytes, usedMs: found.mtimeMs, version, ...contentOf(() => readFileSync(path)) };
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return undefined;
    throw error;
  }
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

const torn: Content = { ...nothing, torn: true };

function stepContent(bytes: Buffer, operationPath: (key: string) => string): Content {
  const body = recordBody(bytes);
  const record = body === undefined ? undefined : jsonOf(body);
  const layer = record?.layer as { diffId?: unknown; blob?: { digest?: unknown } } | undefined;
  const [diffId, blob, operation] = [String(layer?.diffId), String(layer?.blob?.digest), String(record?.operation)];
  if (!isDigest(diffId) || !isDigest(blob)) return torn;
  const keeps = isDigest(operation) ? { keeps: operationPath(hexOf(operation)) } : {};
  return { blobs: [blob], layers: [diffId], needsBlobs: true, ...keeps };
}

function followerContent(bytes: Buffer, stepPath: (key: string) => string): Content {
  const key = recordBody(bytes)?.toString("utf8") ?? "";
  return isDigest(key) ? { ...nothing, follows: stepPath(hexOf(key)) } : torn;
}

/** The layers of a remembered base image, of which some may never have been fetched. */
function rememberedContent(bytes: () => Buffer): Content {
  const documents = jsonOf(bytes())?.documents;
  if (!Array.isArray(documents)) return torn;
  const blobs: Digest[] = [];
  const layers: Digest[] = [];
  for (const text of documents) {
    try {
      const found = referencesIn(Buffer.from(String(text), "base64"), "a remembered image");
      blobs.push(...found.descriptors.map(({ digest }) => digest));
      layers.push(...found.diffIds);
    } catch (error) {
      if (error instanceof TsbuildError) return torn;
      throw error;
    }
  }
  return { blobs, layers };
}

/** Where a blob came from tells those of others from ours, whose form may change on the way out: as long as it is here that must be known. */
function placeContent(name: string): Content {
  const digest = `sha256:${name}`;
  return isDigest(digest) ? { ...nothing, ofBlob: digest } : nothing;
}

function downloadContent(path: string): Content {
  const digest = `sha256:${path.slice(-64)}`;
  return isDigest(digest) ? { ...nothing, pinnedBy: digest } : torn;
}

function urlContent(bytes: Buffer, contentPath: (hex: string) => string): Content {
  const digest = String(jsonOf(bytes)?.digest);
  return isDigest(digest) ? { ...nothing, follows: contentPath(hexOf(digest)) } : torn;
}

function jsonOf(bytes: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
