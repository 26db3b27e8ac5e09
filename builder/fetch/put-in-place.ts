import { closeSync, constants, openSync, renameSync } from "node:fs";
import { join } from "node:path";
import { isSystemError } from "../../runtime-addon/index.ts";

/**
 * Moves a directory to `path` below `root`, where an empty directory is, on the same file system. Answers false, and nothing has happened, where there is none, or where anything on
 * the way is no directory: a link is never followed, whatever changes meanwhile.
 */
export function putInPlace(directory: string, root: string, path: string): boolean {
  const names = path.split("/");
  const last = names.pop() ?? "";
  if ([...names, last].some((name) => name === "" || name === "." || name === "..")) return false;
  let parent = openSync(root, directoryOnly);
  try {
    for (const name of names) {
      const next = openSync(within(parent, name), directoryOnly);
      closeSync(parent);
      parent = next;
    }
    // rename(2) takes the place of an empty directory alone, and follows no link at the end.
    renameSync(directory, within(parent, last));
    return true;
  } catch (error) {
    if (isSystemError(error, "ENOENT", "ENOTDIR", "ELOOP", "ENOTEMPTY", "EEXIST", "ENAMETOOLONG")) return false;
    throw error;
  } finally {
    closeSync(parent);
  }
}

const directoryOnly = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** A name in an open directory, as openat(2) has it. */
function within(directory: number, name: string): string {
  return join("/proc/self/fd", `${directory}`, name);
}
