import { randomBytes } from "node:crypto";
import { renameSync } from "node:fs";
import { join } from "node:path";
import { isSystemError, removeTree } from "../../runtime-addon/index.ts";
import { storePaths } from "../store-paths.ts";
import { namesIn } from "./allocated.ts";

/** Removes a file or a directory with all that is in it. */
export type RemoveTree = (path: string) => Promise<void>;

/** Takes something out of the store in one rename, which needs no room on the disk. Nothing happens where it has gone already. */
export function moveToTrash(root: string, path: string): void {
  try {
    renameSync(path, join(storePaths.trash(root), randomBytes(8).toString("hex")));
  } catch (error) {
    if (!isSystemError(error, "ENOENT")) throw error;
  }
}

/**
 * Removes all that lies in trash/, whoever put it there. `removeMapped` takes over what this user may not remove; what neither can is left for later.
 * Several processes may do it at once.
 */
export async function emptyTrash(root: string, removeMapped?: RemoveTree): Promise<void> {
  const folder = storePaths.trash(root);
  for (const name of namesIn(folder)) {
    const path = join(folder, name);
    try {
      await removeTree(path);
    } catch (error) {
      // Another process removes it, too.
      if (isSystemError(error, "ENOTEMPTY", "ENOENT")) continue;
      if (!isSystemError(error, "EACCES", "EPERM")) throw error;
      await removeMapped?.(path);
    }
  }
}
