import { lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isSystemError } from "../../runtime-addon/index.ts";
import { writeCacheFile } from "../atomic-file.ts";
import { digestOf, hexOf } from "../digest.ts";
import type { Abortable } from "../file-bytes.ts";
import type { Store } from "../store.ts";
import { storePaths } from "../store-paths.ts";
import { namesIn } from "./allocated.ts";
import { collectGarbage, type Freed, freeBytes, type GarbagePolicy } from "./collect.ts";
import type { OnUnreadable } from "./references.ts";
import type { RemoveTree } from "./trash.ts";

/** What a store is kept to; absent: not limited. */
export type StoreLimits = Pick<GarbagePolicy, "maxStoreBytes" | "minFreeBytes" | "maxAgeSeconds">;

export interface KeepOptions extends Abortable {
  /** As of GarbagePolicy. */
  readonly onUnreadable?: OnUnreadable;
  readonly onNote?: (message: string) => void;
  readonly removeTree?: RemoveTree;
  /** Milliseconds; absent: the clock. */
  readonly nowMs?: number;
}

/** So long nothing is looked for by its age, and for room that is missing, where nothing was added. */
const againMs = { age: 86_400_000, room: 3_600_000 };

/**
 * Brings a store within its limits, if images and running processes let it. Where nothing came or went since the last time that costs a small read and a look at
 * some directories: their mtimes are compared with those then. Undefined where nothing was to be done.
 */
export async function keepLimits(store: Store, limits: StoreLimits, options: KeepOptions = {}): Promise<Freed | undefined> {
  const { nowMs = Date.now(), signal, removeTree, onUnreadable, onNote } = options;
  if (Object.values(limits).every((limit) => limit === undefined) || !isDue(store.root, limits, nowMs)) return undefined;
  const freed = await collectGarbage(store, {
    ...limits,
    nowMs,
    ...(signal && { signal }),
    ...(removeTree && { removeTree }),
    ...(onUnreadable && { onUnreadable }),
    ...(onNote && { onNote }),
  });
  const bytes = Buffer.from(`${nowMs} ${limitsText(limits)} ${contentState(store.root)}\n`);
  await writeCacheFile(() => store.tempFile("collected"), storePaths.collected(store.root), bytes);
  return freed;
}

function isDue(root: string, limits: StoreLimits, nowMs: number): boolean {
  const [at, asked, state] = readCollected(root).split(" ");
  const agoMs = Math.abs(nowMs - Number(at));
  // Also where the file is missing or torn.
  if (asked !== limitsText(limits) || state !== contentState(root) || !(agoMs < againMs.age)) return true;
  return limits.minFreeBytes !== undefined && agoMs >= againMs.room && freeBytes(root) < limits.minFreeBytes;
}

function limitsText({ maxStoreBytes, minFreeBytes, maxAgeSeconds }: StoreLimits): string {
  return [maxStoreBytes, minFreeBytes, maxAgeSeconds].map((limit) => limit ?? "").join(",");
}

/** Changes with whatever appears in, or leaves, the folders that hold nearly all of the store's bytes, and with the use of directories that grow. */
function contentState(root: string): string {
  const { blobs, layers, downloads, git, cacheMounts, failed, containers } = storePaths;
  const folders = [blobs, layers, downloads, git, cacheMounts, failed, containers].map((path) => path(root));
  const growing = [downloads, git, cacheMounts].flatMap((path) => namesIn(path(root)).map((name) => join(path(root), name)));
  return hexOf(digestOf([...folders, ...growing].map((path) => `${path} ${mtimeOf(path)}`).join("\n")));
}

function mtimeOf(path: string): bigint | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false })?.mtimeNs;
}

function readCollected(root: string): string {
  try {
    return readFileSync(storePaths.collected(root), "latin1").trim();
  } catch (error) {
    if (isSystemError(error)) return "";
    throw error;
  }
}
