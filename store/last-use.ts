import { closeSync, fstatSync, futimesSync, openSync, readFileSync, type Stats, statSync, utimesSync } from "node:fs";
import { isSystemError } from "../runtime-addon/index.ts";

/**
 * When a part of the cache was last used is the mtime of its file, which is set anew at a use. At most once an hour: a warm build reads hundreds of records, and
 * a write of each inode would cost more than the reading, while nobody collects by the minute. It needs no file of its own, and no lock.
 */
const grainMs = 3_600_000;

/** Reads a file of the cache and marks it as used. */
export function readUsed(path: string): Buffer {
  const fd = openSync(path, "r");
  try {
    const now = Date.now();
    // What is marked late, or not at all in a store that cannot be written, is only collected earlier.
    if (isDue(fstatSync(fd), now)) tolerating(() => futimesSync(fd, now / 1000, now / 1000));
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Marks what is at this path, if something is, as used. */
export function markUsed(path: string): void {
  const now = Date.now();
  const found = statSync(path, { throwIfNoEntry: false });
  if (found !== undefined && isDue(found, now)) tolerating(() => utimesSync(path, now / 1000, now / 1000));
}

/** A time in the future counts as wrong. */
function isDue({ mtimeMs }: Stats, nowMs: number): boolean {
  return Math.abs(nowMs - mtimeMs) > grainMs;
}

function tolerating(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
}
