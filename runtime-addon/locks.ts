import { nativeAddon } from "./binding.ts";

// flock(2)
const OPERATIONS = { shared: 1, exclusive: 2 } as const;

export interface LockOptions {
  /** Wait while others hold the lock, on a thread of its own. */
  readonly wait: boolean;
  /** Gives the wait up: rejects with the signal's reason. The file must then be closed, not locked again. */
  readonly signal?: AbortSignal;
}

/** Locks an open file with flock(2), or converts the lock it has. False when others hold it and `wait` is not set. */
export async function lockFile(fd: number, mode: keyof typeof OPERATIONS, { wait, signal }: LockOptions): Promise<boolean> {
  signal?.throwIfAborted();
  const operation = OPERATIONS[mode];
  if (nativeAddon().tryFlock(fd, operation)) return true;
  if (!wait) return false;
  await new Promise<void>((resolve, reject) => {
    const onAbort = () => {
      giveUp();
      reject(signal?.reason);
    };
    const giveUp = nativeAddon().waitFlock(fd, operation, (error) => {
      signal?.removeEventListener("abort", onAbort);
      if (error === undefined) resolve();
      else reject(error);
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
  return true;
}
