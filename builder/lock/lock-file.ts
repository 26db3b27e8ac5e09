import { randomUUID } from "node:crypto";
import { accessSync, constants } from "node:fs";
import { open, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isSystemError } from "../../runtime-addon/index.ts";
import { writeFileAtomically } from "../../store/atomic-file.ts";
import { TsbuildError } from "../../store/errors.ts";
import type { LockEntry } from "./lock-entry.ts";
import { formatLock, parseLock } from "./lock-text.ts";

/** Some ten thousand entries: what is larger is another file. */
const mostBytes = 4 * 2 ** 20;

/** The entries of a lock file; undefined where there is none. Throws LOCK_INVALID, with the line; never waits for a FIFO's writer. */
export async function readLockFile(file: string): Promise<readonly LockEntry[] | undefined> {
  const text = await readText(file);
  return text === undefined
    ? undefined
    : parseLock(text, (line, problem, hint) => invalid(file, `line ${line}: ${problem}`, hint === undefined ? {} : { hint }));
}

async function readText(file: string): Promise<string | undefined> {
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) throw invalid(file, `it is ${stat.isDirectory() ? "a directory" : "no regular file"}`);
      if (stat.size > mostBytes) throw invalid(file, `it is larger than ${mostBytes} bytes, and so is no lock file`);
      return new TextDecoder("utf-8", { fatal: true }).decode(await handle.readFile());
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (isSystemError(cause, "ENOENT")) return undefined;
    if (cause instanceof TypeError) throw invalid(file, "it is not UTF-8", { cause });
    throw isSystemError(cause) ? invalid(file, cause.message, { cause }) : cause;
  }
}

/** Before hours of building, and not after. Throws WRITE_FAILED. */
export function refuseUnwritable(file: string): void {
  try {
    accessSync(dirname(file), constants.W_OK);
  } catch (cause) {
    throw notWritten(file, cause);
  }
}

/**
 * Writes it in one step; a file that has these entries already is not touched, so that its time says when something changed. A symlink stays one. Throws
 * WRITE_FAILED.
 */
export async function writeLockFile(file: string, entries: readonly LockEntry[]): Promise<void> {
  const text = formatLock(entries);
  if ((await readText(file)) === text) return;
  try {
    const path = await realpath(file).catch(() => file);
    const temp = join(dirname(path), `.${basename(path)}.${randomUUID()}`);
    await writeFileAtomically(temp, path, Buffer.from(text, "utf8"), { sync: true });
  } catch (cause) {
    throw notWritten(file, cause);
  }
}

function notWritten(file: string, cause: unknown): unknown {
  return isSystemError(cause) ? new TsbuildError("WRITE_FAILED", `writing the lock file ${file}: ${cause.message}`, { cause }) : cause;
}

function invalid(file: string, problem: string, details?: { readonly cause?: unknown; readonly hint?: string }): TsbuildError {
  return new TsbuildError("LOCK_INVALID", `reading the lock file ${file}: ${problem}`, details);
}
