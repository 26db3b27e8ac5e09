import { closeSync, constants } from "node:fs";
import { type LockMode, lockByte, lockFile } from "../runtime-addon/index.ts";
import type { Abortable } from "./file-bytes.ts";
import { openRegular } from "./regular-file.ts";

export type { LockMode };

export interface WithLockOptions extends Abortable {
  /** Only this byte of the file is locked, which need not exist: one file has a lock for each of as many things as there are numbers. Absent: the whole file is. */
  readonly byte?: bigint;
  /** Hears once that others have the lock, before they are waited for. */
  readonly onWait?: (() => void) | undefined;
}

/**
 * Runs `work` while this file is locked (flock(2)), or one byte of it (fcntl(2), F_OFD_SETLK); the two kinds know nothing of each other. The file is made when
 * missing and never removed. Two calls exclude each other also within one process, so `work` must not take the same lock again. Rejects with `signal.reason`
 * when aborted while waiting.
 */
export async function withLock<T>(
  path: string,
  mode: LockMode,
  work: () => Promise<T> | T,
  { byte, signal, onWait }: WithLockOptions = {},
): Promise<T> {
  // An open file of its own for each call, and none that a child inherits (Node opens with O_CLOEXEC): both kinds of locks are the open file's.
  const fd = openRegular(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    const lock = (wait: boolean) => {
      const options = { wait, ...(signal !== undefined && { signal }) };
      return byte === undefined ? lockFile(fd, mode, options) : lockByte(fd, mode, byte, options);
    };
    if (!(await lock(false))) {
      onWait?.();
      await lock(true);
    }
    return await work();
  } finally {
    // The only descriptor of this open file: closing it unlocks, and ends a wait that was given up.
    closeSync(fd);
  }
}
