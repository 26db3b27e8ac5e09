import { nativeAddon } from "./binding.ts";

// flock(2)
const OPERATIONS = { shared: 1, exclusive: 2 } as const;

export type LockMode = keyof typeof OPERATIONS;

export interface LockOptions {
  /** Wait while others hold the lock, on a thread of its own. */
  readonly wait: boolean;
  /** Gives the wait up: rejects with the signal's reason. The file must then be closed, not locked again. */
  readonly signal?: AbortSignal;
}

/** Locks an open file with flock(2), or converts the lock it has. False when others hold it and `wait` is not set. */
export async function lockFile(fd: number, mode: LockMode, options: LockOptions): Promise<boolean> {
  return lock(fd, mode, undefined, options);
}

/**
 * Locks one byte of an open file, which need not exist: 0 to 2^63 - 2 (fcntl(2), F_OFD_SETLK). The file must be open for writing, for a shared lock for
 * reading. The lock is the open file's, not the process's: it ends when the last descriptor is closed. False when others hold it and `wait` is not set.
 */
export async function lockByte(fd: number, mode: LockMode, byte: bigint, options: LockOptions): Promise<boolean> {
  return lock(fd, mode, byte, options);
}

async function lock(fd: number, mode: LockMode, byte: bigint | undefined, { wait, signal }: LockOptions): Promise<boolean> {
  signal?.throwIfAborted();
  const operation = OPERATIONS[mode];
  if (nativeAddon().tryLock(fd, operation, byte)) return true;
  if (!wait) return false;
  await new Promise<void>((resolve, reject) => {
    const onAbort = () => {
      giveUp();
      reject(signal?.reason);
    };
    const giveUp = nativeAddon().waitLock(fd, operation, byte, (error) => {
      signal?.removeEventListener("abort", onAbort);
      if (error === undefined) resolve();
      else reject(error);
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
  return true;
}
