import { TsbuildError } from "./errors.ts";

/** A file is not, or is no longer, what the caller expected: another size, no regular file, cut short. */
export class FileChangedError extends TsbuildError {
  constructor(
    message: string,
    readonly path: string,
    cause: unknown,
  ) {
    super("FILE_CHANGED", message, { cause });
  }
}

/** The result of a call of the addon, with its FILE_CHANGED errors as ours. */
export async function rethrowChanges<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "FILE_CHANGED" && "path" in error) {
      throw new FileChangedError(error.message, String(error.path), error);
    }
    throw error;
  }
}
