import { FileChangedError, isSystemError } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../../store/errors.ts";

/** A file of the context is no longer what it was when the context was scanned: worth another attempt. */
export class ContextChangedError extends TsbuildError {
  constructor(cause: Error) {
    super("CONTEXT_CHANGING", `copying from the build context: files change while they are read: ${cause.message}`, {
      cause,
      hint: "stop what writes to the context, or exclude those files with .dockerignore",
    });
  }
}

/** What a file that was there a moment ago gives when it is gone or has become something else (openat2(2)). */
const vanished = ["ENOENT", "ENOTDIR", "ELOOP"];

/**
 * Runs what reads files below `root`, so that its errors about them are told as the context's: ContextChangedError, or COPY_SOURCE_UNREADABLE.
 * Errors about other files, such as those of the store at `storeRoot`, which may be inside, stay as they are.
 */
export async function readingContext<T>(root: string, storeRoot: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof FileChangedError) throw new ContextChangedError(error);
    if (!isSystemError(error) || !isBelow(root, error.path) || isBelow(storeRoot, error.path)) throw error;
    if (vanished.includes(error.code)) throw new ContextChangedError(error);
    if (error.code !== "EACCES" && error.code !== "EPERM") throw error;
    throw new TsbuildError("COPY_SOURCE_UNREADABLE", `copying from the build context: ${error.message}`, {
      cause: error,
      hint: "make it readable for this user, or exclude it with .dockerignore",
    });
  }
}

function isBelow(root: string, path: string | undefined): boolean {
  return path !== undefined && (path === root || path.startsWith(root.endsWith("/") ? root : `${root}/`));
}
