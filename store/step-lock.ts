import { join } from "node:path";
import { isSystemError } from "../runtime-addon/index.ts";
import { type Digest, hexOf } from "./digest.ts";
import type { Abortable } from "./file-bytes.ts";
import { withLock } from "./lock.ts";
import { makeDirectories } from "./make-directories.ts";
import type { Store } from "./store.ts";
import { storePaths } from "./store-paths.ts";

/**
 * Runs `work` while no other process on the store runs work of the same key. There are 256 locks for all keys, so that their files need no cleaning;
 * two steps that share one wait for each other without need. Work must not take another step's lock.
 */
export async function withStepLock<T>(
  store: Pick<Store, "root">,
  key: Digest,
  work: () => Promise<T>,
  options: Abortable = {},
): Promise<T> {
  const directory = storePaths.locks(store.root);
  const path = join(directory, hexOf(key).slice(0, 2));
  try {
    return await withLock(path, "exclusive", work, options);
  } catch (error) {
    if (!isSystemError(error, "ENOENT") || error.path !== path) throw error;
    makeDirectories(directory, 0o700);
    return withLock(path, "exclusive", work, options);
  }
}
