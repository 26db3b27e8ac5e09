import { access, constants, realpath, stat } from "node:fs/promises";
import { TsbuildError } from "../../store/errors.ts";

/**
 * The real path of a context's directory; `describe` is how errors call the context. Throws CONTEXT_NOT_FOUND, CONTEXT_NOT_DIRECTORY,
 * CONTEXT_UNREADABLE.
 */
export async function contextRoot(context: string, describe = `the build context ${context}`): Promise<string> {
  let root: string;
  let isDirectory: boolean;
  try {
    root = await realpath(context);
    isDirectory = (await stat(root)).isDirectory();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") {
      throw new TsbuildError("CONTEXT_NOT_FOUND", `opening ${describe}: there is no such directory`);
    }
    throw new TsbuildError("CONTEXT_UNREADABLE", `opening ${describe}: ${message}`, { cause });
  }
  if (!isDirectory) throw new TsbuildError("CONTEXT_NOT_DIRECTORY", `opening ${describe}: it is not a directory`);
  try {
    await access(root, constants.X_OK);
  } catch (cause) {
    throw new TsbuildError("CONTEXT_UNREADABLE", `opening ${describe}: this user may not look into it`, { cause });
  }
  return root;
}
