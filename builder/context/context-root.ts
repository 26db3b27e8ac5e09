import { realpath, stat } from "node:fs/promises";
import { TsbuildError } from "../../store/errors.ts";

/**
 * The real path of a context's directory; `what` is how errors call the context. Throws CONTEXT_NOT_FOUND, CONTEXT_NOT_DIRECTORY,
 * CONTEXT_UNREADABLE.
 */
export async function contextRoot(context: string, what = "the build context"): Promise<string> {
  let root: string;
  let isDirectory: boolean;
  try {
    root = await realpath(context);
    isDirectory = (await stat(root)).isDirectory();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") {
      throw new TsbuildError("CONTEXT_NOT_FOUND", `opening ${what} ${context}: there is no such directory`);
    }
    throw new TsbuildError("CONTEXT_UNREADABLE", `opening ${what} ${context}: ${message}`, { cause });
  }
  if (!isDirectory) throw new TsbuildError("CONTEXT_NOT_DIRECTORY", `opening ${what} ${context}: it is not a directory`);
  return root;
}
