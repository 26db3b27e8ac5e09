import { closeSync, constants, fchmodSync, fdatasync, fsync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { isSystemError } from "../runtime-addon/index.ts";
import { discardFile } from "./discard.ts";
import { makeDirectories } from "./make-directories.ts";

const dataSync = promisify(fdatasync);
const fileSync = promisify(fsync);

export interface WriteOptions {
  /** Flush the bytes to the disk before the name exists. */
  readonly sync: boolean;
}

/**
 * `path` appears, or is replaced, with exactly these bytes in one step: written to `temp` (same file system, nothing
 * there yet) and renamed. A failure leaves `path` as it was and no temp file.
 */
export async function writeFileAtomically(temp: string, path: string, bytes: Uint8Array, options: WriteOptions): Promise<void> {
  await writeChunksAtomically(temp, path, [bytes], options);
}

async function writeChunksAtomically(temp: string, path: string, chunks: Iterable<Uint8Array>, options: WriteOptions): Promise<void> {
  await writeTempChunks(temp, chunks, options);
  try {
    renameSync(temp, path);
  } catch (error) {
    discardFile(temp);
    throw error;
  }
}

/**
 * As writeFileAtomically, of chunks that follow each other, with the directories above `path` where they are missing. Not flushed: for what can be made again.
 * `tempPath` names a new temp file each time that it is asked.
 */
export async function writeCacheFile(tempPath: () => Promise<string>, path: string, ...chunks: readonly Uint8Array[]): Promise<void> {
  const write = async () => writeChunksAtomically(await tempPath(), path, chunks, { sync: false });
  try {
    await write();
  } catch (error) {
    if (!isSystemError(error, "ENOENT")) throw error;
    makeDirectories(dirname(path), 0o700);
    await write();
  }
}

/** The first half: a finished file at `temp`, or none. Synchronous calls: for small files they are far cheaper. */
export async function writeTempFile(temp: string, bytes: Uint8Array, options: WriteOptions): Promise<void> {
  return writeTempChunks(temp, [bytes], options);
}

/** The same of bytes that are made as they are written; each chunk is done with before the next is asked for. */
export async function writeTempChunks(temp: string, chunks: Iterable<Uint8Array>, options: WriteOptions): Promise<void> {
  const fd = openSync(temp, "wx", 0o644);
  try {
    try {
      // Readable whatever the caller's umask: other tools read the layout too.
      fchmodSync(fd, 0o644);
      for (const chunk of chunks) for (let offset = 0; offset < chunk.length; ) offset += writeSync(fd, chunk, offset);
      if (options.sync) await dataSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    discardFile(temp);
    throw error;
  }
}

/** Flushes a finished file's bytes to the disk. */
export async function syncFile(path: string): Promise<void> {
  const fd = openSync(path, "r");
  try {
    await dataSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Flushes the names in a directory to the disk: what was renamed into it or out of it stays so. Where a file system cannot, nothing happens. */
export async function syncDirectory(path: string): Promise<void> {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await fileSync(fd);
  } catch (error) {
    // Some file systems of networks know no flush of a directory; their servers decide when names are safe.
    if (!isSystemError(error, "EINVAL", "ENOTSUP")) throw error;
  } finally {
    closeSync(fd);
  }
}
