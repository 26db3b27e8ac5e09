import { closeSync, constants, openSync } from "node:fs";
import { lockFile } from "../runtime-addon/index.ts";
import type { Abortable } from "./file-bytes.ts";

export type LockMode = "shared" | "exclusive";

/**
 * Runs `work` while this file is locked (flock(2)); the file is made when missing and never removed. Two calls exclude each other
 * also within one process, so `work` must not take the same lock again. Rejects with `signal.reason` when aborted while waiting.
 */
export async function withLock<T>(path: string, mode: LockMode, work: () => Promise<T> | T, options: Abortable = {}): Promise<T> {
  const release = await acquireLock(path, mode, options);
  try {
    return await work();
  } finally {
    release();
  }
}

async function acquireLock(path: string, mode: LockMode, { signal }: Abortable): Promise<() => void> {
  signal?.throwIfAborted();
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  // Closing the descriptor unlocks: it is the only one of this open file.
  const release = () => closeSync(fd);
  try {
    if (await lockFile(fd, mode, { wait: false })) return release;
  } catch (error) {
    release();
    throw error;
  }
  const waiting = lockFile(fd, mode, { wait: true });
  let aborted = false;
  let onAbort: (() => void) | undefined;
  const abort = new Promise<never>((_, reject) => {
    onAbort = () => {
      aborted = true;
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
  });
  // flock cannot be called off: the descriptor lives until the wait ends, then lets go.
  waiting.then(
    () => aborted && release(),
    () => release(),
  );
  try {
    await Promise.race([waiting, abort]);
    return release;
  } finally {
    if (onAbort !== undefined) signal?.removeEventListener("abort", onAbort);
  }
}
