import { randomBytes } from "node:crypto";
import { closeSync, constants, createWriteStream, openSync, renameSync, statSync } from "node:fs";
import { Socket } from "node:net";
import { basename, dirname, join } from "node:path";
import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout } from "node:timers/promises";
import { isSystemError } from "../../runtime-addon/index.ts";
import { syncFile } from "../atomic-file.ts";
import { discardFile } from "../discard.ts";
import type { Abortable } from "../file-bytes.ts";
import { checkDestination } from "./check-destination.ts";
import { targetOf } from "./link-target.ts";

const readerPollMs = 50;

/**
 * Writes to what a path names. A regular file, or none, is replaced in one step when all is written and flushed; a link stays, and what it leads to is replaced. A FIFO or a character
 * device gets the bytes as they come; a FIFO waits for its reader. `doing` begins the message. Throws what checkDestination and the source throw, system errors and `signal.reason`.
 */
export async function writeArchiveFile(
  path: string,
  bytes: AsyncIterable<Uint8Array>,
  doing: string,
  options: Abortable = {},
): Promise<void> {
  checkDestination({ file: path }, doing);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.isFile()) return replaceFile(targetOf(path), bytes, options);
  return pump(bytes, found.isFIFO() ? await fifoWriter(path, options) : createWriteStream(path), options);
}

/** pipeline(), but when aborted it rejects with the signal's own reason. */
export async function pump(from: AsyncIterable<Uint8Array>, to: Writable, { signal }: Abortable): Promise<void> {
  try {
    await pipeline(from, to, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

/** A temp name on the same file system. */
export function siblingOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}`);
}

async function replaceFile(file: string, bytes: AsyncIterable<Uint8Array>, options: Abortable): Promise<void> {
  const temp = siblingOf(file);
  // Opened now: a stream that opens by itself could make the file after it was removed.
  const fd = openSync(temp, "wx", 0o644);
  try {
    await pump(bytes, createWriteStream(temp, { fd }), options);
    await syncFile(temp);
    renameSync(temp, file);
  } catch (error) {
    discardFile(temp);
    throw error;
  }
}

/** Not by a blocking open or write, which could neither be cancelled nor left: the process would wait for the reader at its very end. */
async function fifoWriter(path: string, { signal }: Abortable): Promise<Writable> {
  for (;;) {
    signal?.throwIfAborted();
    try {
      return socketOf(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK));
    } catch (error) {
      if (!isSystemError(error, "ENXIO")) throw error;
    }
    // Nothing tells when a reader comes.
    await setTimeout(readerPollMs, undefined, { signal }).catch(() => undefined);
  }
}

function socketOf(fd: number): Socket {
  try {
    return new Socket({ fd, readable: false, writable: true });
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
