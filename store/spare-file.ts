import { chmodSync, closeSync, fdatasyncSync, ftruncateSync, openSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { isSystemError } from "../runtime-addon/index.ts";
import { fileSize } from "./if-there.ts";
import { storePaths } from "./store-paths.ts";

/** A block of most file systems. */
const blockBytes = 4096;

/** What the system says where there is no room for more. */
export function isFull(error: unknown): boolean {
  return isSystemError(error, "ENOSPC", "EDQUOT");
}

/**
 * Holds blocks on the disk that a list of images as long as this one needs, so that images can leave it where the disk is full: the bytes of the spare file mean nothing. A service to
 * later commands: what cannot be made of it is not there.
 */
export function keepSpare(root: string, listBytes: number): void {
  const path = storePaths.spare(root);
  const wanted = Math.ceil(listBytes / blockBytes) * blockBytes;
  try {
    if ((fileSize(path) ?? 0) < wanted) writeFileSync(path, Buffer.alloc(wanted), { mode: 0o600 });
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
}

/**
 * `path`, on the same file system, gets these bytes in one step, by the spare file: written into the blocks that it has, which need no room, and renamed. Whoever is killed before
 * leaves a spare file of other bytes. Throws ENOENT where there is none, and ENOSPC where it is too short, or its file system writes nothing in place (btrfs, zfs). Under a lock of the caller's.
 */
export function replaceBySpare(root: string, path: string, bytes: Uint8Array): void {
  const spare = storePaths.spare(root);
  const fd = openSync(spare, "r+");
  try {
    for (let offset = 0; offset < bytes.length; ) offset += writeSync(fd, bytes, offset, bytes.length - offset, offset);
    ftruncateSync(fd, bytes.length);
    fdatasyncSync(fd);
  } finally {
    closeSync(fd);
  }
  chmodSync(spare, 0o644);
  renameSync(spare, path);
}
