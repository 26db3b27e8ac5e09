import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { type Digest, digestFromBytes } from "./digest.ts";
import { discardFile } from "./discard.ts";
import type { Abortable } from "./file-bytes.ts";
import { roomFor } from "./room.ts";

export interface TeeOptions extends Abortable {
  /** Flush to the disk before the end. */
  readonly sync: boolean;
}

/**
 * The same chunks, written to a new file at `path` on the way. When the iteration has ended by itself, the file is whole and
 * closed; when it was left early or failed, there is none. Reading, consuming and writing overlap by one chunk. Throws ENOSPC before the last of the file
 * system is taken, since nobody knows how long a source is (see roomFor).
 */
export async function* teeToFile(
  source: AsyncIterable<Uint8Array>,
  path: string,
  options: TeeOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  let file: FileHandle;
  try {
    file = await open(path, "wx", 0o644);
  } catch (error) {
    await source[Symbol.asyncIterator]().return?.();
    throw error;
  }
  const takeRoom = roomFor(path);
  let whole = false;
  let sizeBytes = 0;
  let writing: Promise<void> | undefined;
  try {
    for await (const chunk of source) {
      options.signal?.throwIfAborted();
      await writing;
      takeRoom(chunk.length);
      writing = writeAll(file, chunk, sizeBytes);
      // Its failure is met at the next await; until then it must not count as unhandled.
      writing.catch(() => undefined);
      sizeBytes += chunk.length;
      yield chunk;
    }
    await writing;
    if (options.sync) await file.datasync();
    whole = true;
  } finally {
    await file.close();
    if (!whole) discardFile(path);
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  for (let offset = 0; offset < chunk.length; ) {
    offset += (await file.write(chunk, offset, chunk.length - offset, position + offset)).bytesWritten;
  }
}

/** Writes all of it to a new file, hashed and counted in the same pass; no file is left on failure. */
export async function writeStream(
  source: AsyncIterable<Uint8Array>,
  path: string,
  options: TeeOptions,
): Promise<{ digest: Digest; size: number }> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of teeToFile(source, path, options)) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { digest: digestFromBytes(hash.digest()), size };
}
