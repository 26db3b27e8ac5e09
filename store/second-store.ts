import { constants, copyFileSync, linkSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { isSystemError } from "../runtime-addon/index.ts";
import { withLock } from "./lock.ts";
import { openStore, type Store } from "./store.ts";
import { storePaths } from "./store-paths.ts";

/** Below these lies all that images are made of, and what is known of them. Unpacked directories and the cache of steps are made anew. */
const SHARED = [storePaths.blobs, storePaths.layers, storePaths.remote, storePaths.places, storePaths.compressed];

/**
 * Makes a store in an empty directory of the same file system that has the images of another one and nothing of its cache. Files that never change are
 * shared as hard links, and copied where there are none: what is collected in one store afterwards stays in the other.
 */
export async function makeSecondStore(from: Store, directory: string): Promise<void> {
  await (await openStore(directory)).close();
  // Shared: no collector runs meanwhile.
  await withLock(storePaths.lock(from.root), "shared", async () => {
    for (const place of SHARED) shareFiles(place(from.root), place(directory));
    copyFileSync(storePaths.index(from.root), storePaths.index(directory));
  });
}

/** The files of a directory and of those directly in it, which is as deep as what never changes lies. */
function shareFiles(from: string, to: string, deeper = true): void {
  for (const entry of entriesOf(from)) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isFile()) share(source, target);
    else if (deeper && entry.isDirectory()) {
      mkdirSync(target, { recursive: true, mode: statSync(source).mode & 0o777 });
      shareFiles(source, target, false);
    }
  }
}

function entriesOf(directory: string) {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return [];
    throw error;
  }
}

function share(source: string, target: string): void {
  mkdirSync(join(target, ".."), { recursive: true, mode: 0o700 });
  try {
    linkSync(source, target);
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return;
    if (!isSystemError(error, "EPERM") && !isSystemError(error, "EMLINK") && !isSystemError(error, "ENOTSUP")) throw error;
    copyFileSync(source, target, constants.COPYFILE_FICLONE);
  }
}
