import { isSystemError } from "../../runtime-addon/index.ts";
import { NotFoundError, TsbuildError } from "../errors.ts";
import { nameSystemError } from "../name-system-error.ts";

/**
 * Runs what takes an archive into the store at `root`, so that its errors say which archive: `doing` is "loading" or "importing", `path` what was
 * named, absent for a stream.
 */
export async function namingSource<T>(doing: string, path: string | undefined, root: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw ofSource(error, doing, path, root);
  }
}

function ofSource(error: unknown, doing: string, path: string | undefined, root: string): unknown {
  if (path === undefined) return nameSystemError(error, root);
  if (isSystemError(error) && (error.path === path || error.code === "EISDIR")) {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") {
      return new NotFoundError(`${doing} ${path}: there is no such file or directory`);
    }
    if (error.code === "EISDIR") return new TsbuildError("NOT_A_FILE", `${doing} ${path}: it is a directory`);
  }
  const named = nameSystemError(error, root);
  // The class and whatever else the error carries stay.
  if (named instanceof TsbuildError && !named.message.includes(path)) named.message = `${doing} ${path}: ${named.message}`;
  return named;
}
