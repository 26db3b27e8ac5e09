import { lstatSync, readdirSync, type Stats } from "node:fs";
import { isSystemError } from "../../runtime-addon/index.ts";

/** Files with several names, which count once. */
export type SeenFiles = Set<string>;

/**
 * Bytes that a file, or a directory with all that is in it, takes on its file system: what `du` counts, which is not the sum of the lengths. What vanishes meanwhile, or may not be
 * looked into (files of mapped owners), counts as nothing.
 */
export function allocatedBytes(path: string, seen: SeenFiles = new Set()): number {
  return bytesBelow(Buffer.from(path), seen);
}

/** As allocatedBytes, of the directory or file alone. */
export function ownBytes(path: string): number {
  const found = statOf(path);
  return found === undefined ? 0 : blockBytes(found);
}

/** Names in a directory of the store's own; none where it is missing, is no directory or may not be read. */
export function namesIn(path: string): readonly string[] {
  return unlessGone(() => readdirSync(path)) ?? [];
}

/** Paths are bytes: unpacked files may have names of any. */
function bytesBelow(path: Buffer, seen: SeenFiles): number {
  const found = statOf(path);
  if (found === undefined) return 0;
  if (!found.isDirectory()) {
    if (found.nlink > 1) {
      const file = `${found.dev}:${found.ino}`;
      if (seen.has(file)) return 0;
      seen.add(file);
    }
    return blockBytes(found);
  }
  let sum = blockBytes(found);
  for (const name of unlessGone(() => readdirSync(path, "buffer")) ?? []) sum += bytesBelow(Buffer.concat([path, slash, name]), seen);
  return sum;
}

const slash = Buffer.from("/");

function statOf(path: string | Buffer): Stats | undefined {
  return unlessGone(() => lstatSync(path));
}

function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (isSystemError(error, "ENOENT", "ENOTDIR", "EACCES", "EPERM")) return undefined;
    throw error;
  }
}

/** stat(2): st_blocks is in units of 512 bytes, whatever the file system's own. */
function blockBytes({ blocks }: Stats): number {
  return blocks * 512;
}
