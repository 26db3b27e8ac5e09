import { isSystemError } from "../runtime-addon/index.ts";
import { type Digest, hexOf } from "./digest.ts";
import { type WithLockOptions, withLock } from "./lock.ts";
import { makeDirectories } from "./make-directories.ts";
import type { Store } from "./store.ts";
import { storePaths } from "./store-paths.ts";

/**
 * Runs `work` while no other process on the store runs work of the same key. Each key has a lock of its own, which is a byte of one file that stays empty:
 * nothing is left of a lock, whoever held it and however that ended. Work must not take another step's lock:
 * two could wait for each other.
 */
export async function withStepLock<T>(
  store: Pick<Store, "root">,
  key: Digest,
  work: () => Promise<T>,
  options: Pick<WithLockOptions, "signal" | "onWait"> = {},
): Promise<T> {
  const path = storePaths.stepLocks(store.root);
  const lock = { ...options, byte: byteOf(key) };
  try {
    return await withLock(path, "exclusive", work, lock);
  } catch (error) {
    if (!isSystemError(error, "ENOENT") || error.path !== path) throw error;
    makeDirectories(storePaths.locks(store.root), 0o700);
    return withLock(path, "exclusive", work, lock);
  }
}

/** 62 bits of the digest, as an offset in a file has 63: two keys of one byte are not met, and would only wait for each other. */
function byteOf(key: Digest): bigint {
  return BigInt(`0x${hexOf(key).slice(0, 16)}`) >> 2n;
}
