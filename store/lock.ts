import { closeSync, constants, openSync } from "node:fs";
import { lockFile } from "../runtime-addon/index.ts";
import type { Abortable } from "./file-bytes.ts";

export type LockMode = "shared" | "exclusive";

/**
 * Runs `work` while this file is locked (flock(2)); the file is made when missing and never removed. Two calls exclude each other
 * also within one process, so `work` must not take the same lock again. Rejects with `signal.reason` when aborted while waiting.
 */
export async function withLock<T>(path: string, mode: LockMode, work: () => Promise<T> | T, { signal }: Abortable = {}): Promise<T> {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    await lockFile(fd, mode, { wait: true, ...(signal !== undefined && { signal }) });
    return await work();
  } finally {
    // The only descriptor of this open file: closing it unlocks, and ends a wait that was given up.
    closeSync(fd);
  }
}
