import { closeSync, constants, fstatSync, mkdirSync, readFileSync, renameSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { isSystemError, lockFile, renameNoReplace } from "../runtime-addon/index.ts";
import { type CacheMark, hasDeadMark, markCopy } from "./cache-marks.ts";
import { type Digest, digestOf, hexOf } from "./digest.ts";
import type { Abortable } from "./file-bytes.ts";
import { openIfThere } from "./regular-file.ts";
import type { Store } from "./store.ts";
import { cachePinText, storePaths } from "./store-paths.ts";

/** Who may use a copy of the cache at the same time: everybody, one with a copy of his own where others have theirs, or one while the others wait. */
export type CacheSharing = "shared" | "private" | "locked";

/** How a copy is taken into use. */
export interface CacheUse extends Abortable {
  readonly sharing: CacheSharing;
  /** Removes a path with whatever owners and modes are in it. */
  readonly remove: (path: string) => Promise<void>;
  /** Hears once that others have it, with their process ids where those can be told. */
  readonly onWait: (pids: readonly number[]) => void;
  /** Hears that a copy was thrown away: whoever had marked it was killed before he looked through it. */
  readonly onDiscard: () => void;
}

export interface CacheRequest extends CacheUse {
  /** Tells the cache from others: callers with one name use one cache. */
  readonly name: Digest;
  /** What nobody uses of it is thrown away first. */
  readonly fresh?: boolean;
  /** Makes the directory `data` in an empty directory, for a copy that is new. */
  readonly make: (directory: string) => Promise<void>;
}

/** A copy of a cache that is in use until release(). */
export interface HeldCache {
  /** Its content; the path leads through nothing that a user of the cache can write to. */
  readonly directory: string;
  /** Says, durably, that it must be looked through before others may have it; who calls what this gives has done so. Without that the next who takes the copy throws it away. */
  mark(): Promise<() => void>;
  /** Takes the copy away from all that come later, in one rename, and removes it. Whoever has it now is left with what is not removed yet. */
  discard(): Promise<void>;
  release(): void;
}

/**
 * Takes a copy of a cache into use, which is made where there is none: a directory `cache-mounts/<name>-<number>` with the content and a file that its users have
 * flocked. A copy appears by rename, and what a killed process leaves is used by the next one. The cache is pinned until the store is closed. Rejects with
 * `signal.reason` when aborted while others have a locked one.
 */
export async function holdCache(store: Store, request: CacheRequest): Promise<HeldCache> {
  const { name, sharing, fresh } = request;
  const waits = sharing === "locked";
  // Before anything is looked for: what is pinned is not collected.
  await store.pin(digestOf(cachePinText(hexOf(name))));
  mkdirSync(storePaths.cacheMounts(store.root), { recursive: true, mode: 0o700 });
  if (fresh === true) await dropUnused(store, request);
  for (let number = 0; ; ) {
    const path = copyPath(store.root, name, number);
    const fd = openCopy(path);
    if (fd === undefined) {
      await makeCopy(store, path, request);
      continue;
    }
    const state = await taken(store, fd, path, request, waits);
    if (state === "taken") return held(store, fd, path, request);
    // Locked users all want the first copy; the others take the next one, as long as others have this.
    if (state === "in use" && !waits) number++;
  }
}

/** Takes the very copy into use that has this `directory`, waiting for who excludes that; undefined where it is there no more. Pinned as by holdCache. */
export async function holdCacheAt(store: Store, directory: string, use: CacheUse): Promise<HeldCache | undefined> {
  const [, name] = /^([0-9a-f]{64})-\d+\/data$/.exec(relative(storePaths.cacheMounts(store.root), directory)) ?? [];
  if (name === undefined) throw new RangeError(`${directory} is no copy of a cache`);
  await store.pin(digestOf(cachePinText(name)));
  const path = dirname(directory);
  const fd = openCopy(path);
  if (fd === undefined) return undefined;
  return (await taken(store, fd, path, use, true)) === "taken" ? held(store, fd, path, use) : undefined;
}

function copyPath(root: string, name: Digest, number: number): string {
  return join(storePaths.cacheMounts(root), `${hexOf(name)}-${number}`);
}

function openCopy(path: string): number | undefined {
  return openIfThere(join(path, "lock"), constants.O_RDWR);
}

async function makeCopy(store: Store, path: string, { make }: CacheRequest): Promise<void> {
  const made = await store.temp("cache");
  await make(made);
  writeFileSync(join(made, "lock"), "", { mode: 0o600 });
  try {
    renameNoReplace(made, path);
  } catch (error) {
    // Somebody was faster; ours goes with the temporary files.
    if (!isSystemError(error, "EEXIST")) throw error;
  }
}

type Taken = "taken" | "in use" | "gone";

/** Closes the lock of what it has not taken. */
async function taken(store: Store, fd: number, path: string, use: CacheUse, waits: boolean): Promise<Taken> {
  let state: Taken | undefined;
  try {
    state = await take(fd, path, use, waits);
    if (state !== "taken" || !(await hasDeadMark(path))) return state;
    state = await dropDead(store, fd, path, use);
    return state;
  } finally {
    if (state !== "taken") closeSync(fd);
  }
}

async function take(fd: number, path: string, { sharing, signal, onWait }: CacheUse, waits: boolean): Promise<Taken> {
  const mode = sharing === "shared" ? "shared" : "exclusive";
  if (!(await lockFile(fd, mode, { wait: false }))) {
    if (!waits) return "in use";
    onWait(lockHolders(fd));
    await lockFile(fd, mode, { wait: true, ...(signal === undefined ? {} : { signal }) });
  }
  return isStill(fd, path) ? "taken" : "gone";
}

/** Throws a copy away that others cannot have, but not while somebody has it still. */
async function dropDead(store: Store, fd: number, path: string, { remove, onDiscard }: CacheUse): Promise<Taken> {
  if (!(await lockFile(fd, "exclusive", { wait: false }))) return "in use";
  // While a shared lock becomes an exclusive one, there is none.
  if (!isStill(fd, path)) return "gone";
  await throwAway(store, path, remove);
  onDiscard();
  return "gone";
}

async function throwAway(store: Store, path: string, remove: CacheUse["remove"]): Promise<void> {
  const doomed = await store.tempFile("cache");
  renameSync(path, doomed);
  await remove(doomed);
}

/** Whether the open lock is the one that later users find: the copy may have been thrown away in between. */
function isStill(fd: number, path: string): boolean {
  const now = statSync(join(path, "lock"), { throwIfNoEntry: false, bigint: true });
  return now !== undefined && now.ino === fstatSync(fd, { bigint: true }).ino;
}

function held(store: Store, fd: number, path: string, { remove }: CacheUse): HeldCache {
  let open = true;
  const marks: CacheMark[] = [];
  markUsed(path);
  return {
    directory: join(path, "data"),
    async mark() {
      const mark = await markCopy(store, path);
      marks.push(mark);
      return mark.clear;
    },
    async discard() {
      // Others that share it may have done so.
      if (isStill(fd, path)) await throwAway(store, path, remove);
    },
    release() {
      if (!open) return;
      open = false;
      for (const mark of marks) mark.close();
      // Somebody who shares it may have discarded it.
      if (isStill(fd, path)) markUsed(path);
      closeSync(fd);
    },
  };
}

/** Its own mtime says when a copy was last used: nothing is made or removed in it afterwards. */
function markUsed(path: string): void {
  const now = Date.now() / 1000;
  utimesSync(path, now, now);
}

async function dropUnused(store: Store, { name, remove }: CacheRequest): Promise<void> {
  for (let number = 0; ; number++) {
    const path = copyPath(store.root, name, number);
    const fd = openCopy(path);
    if (fd === undefined) return;
    try {
      if (!(await lockFile(fd, "exclusive", { wait: false })) || !isStill(fd, path)) continue;
      await throwAway(store, path, remove);
    } finally {
      closeSync(fd);
    }
  }
}

/** The processes that have an open file flocked (proc_locks(5)); those of other pid namespaces cannot be told. */
function lockHolders(fd: number): readonly number[] {
  const inode = String(fstatSync(fd, { bigint: true }).ino);
  try {
    const pids = readFileSync("/proc/locks", "latin1")
      .split("\n")
      .map((line) => line.split(/\s+/))
      .filter(([, type, , , , file]) => type === "FLOCK" && file?.endsWith(`:${inode}`))
      .map(([, , , , pid]) => Number(pid));
    return [...new Set(pids)].filter((pid) => pid > 0);
  } catch (error) {
    if (isSystemError(error)) return [];
    throw error;
  }
}
