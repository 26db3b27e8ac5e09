import { renameSync } from "node:fs";
import { nativeAddon } from "./binding.ts";
import type { ByteString } from "./bytes.ts";
import { MessageWriter, packPaths } from "./message.ts";
import { isSystemError } from "./system-error.ts";

/** Removes a file, or a directory with all that is in it. Missing is fine; links are never followed; unwritable directories are made writable. */
export async function removeTree(path: string): Promise<void> {
  await nativeAddon().removeTree(path);
}

/** Unlinks the file, or removes the empty directory, at each path below `root`, in order. A missing one is ENOENT. */
export async function removePaths(root: string, paths: readonly ByteString[]): Promise<void> {
  const { numbers, text } = packPaths(paths);
  await nativeAddon().removePaths(root, numbers, text);
}

/** What a file shall have; what is absent stays as it is. */
export interface AttributeChange {
  readonly path: ByteString;
  /** 0–0o7777; ENOTSUP on symlinks. */
  readonly mode?: number;
  /** Changing an owner clears setuid and capabilities (chown(2)). */
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds since the epoch, and the nanoseconds past them (0 when absent). The access time is set to the same. */
  readonly mtime?: number;
  readonly mtimeNsec?: number;
}

/** Sets owner, mode and times, in this order, of files below `root`; of links themselves. */
export async function setAttributes(root: string, changes: readonly AttributeChange[]): Promise<void> {
  const keep = -1;
  const message = new MessageWriter();
  for (const { path, uid, gid, mode, mtime, mtimeNsec } of changes) {
    message.text(path);
    for (const id of [uid, gid, mode]) message.number(id ?? keep);
    message.number(mtime === undefined ? 0 : 1);
    message.number(mtime ?? 0).number(mtimeNsec ?? 0);
  }
  const { numbers, text } = message.finish();
  await nativeAddon().setAttributes(root, numbers, text);
}

/** syncfs(2): everything written to the file system of this open file is on its disk. */
export async function syncFileSystem(fd: number): Promise<void> {
  await nativeAddon().syncFileSystem(fd);
}

/**
 * Moves a directory; fails with EEXIST or ENOTEMPTY when there is something at `to`. On a file system that has no RENAME_NOREPLACE (renameat2(2): EINVAL; NFS is one) an empty
 * directory at `to` is replaced.
 */
export function renameNoReplace(from: string, to: string): void {
  try {
    nativeAddon().renameNoReplace(from, to);
  } catch (error) {
    if (!isSystemError(error, "EINVAL")) throw error;
    renameSync(from, to);
  }
}
