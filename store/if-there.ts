import { openSync, readFileSync, statSync } from "node:fs";
import { isSystemError } from "../runtime-addon/index.ts";

/** The bytes of a file; undefined where there is none. Throws other system errors. */
export function readIfThere(path: string): Buffer | undefined {
  return unlessMissing(() => readFileSync(path));
}

/** A descriptor, which the caller closes; undefined where there is no such file, or no directory for a new one. Throws other system errors. */
export function openIfThere(path: string, flags: number, mode?: number): number | undefined {
  return unlessMissing(() => openSync(path, flags, mode));
}

/** Bytes; undefined where there is no such file. Throws other system errors. */
export function fileSize(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}

function unlessMissing<T>(use: () => T): T | undefined {
  try {
    return use();
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return undefined;
    throw error;
  }
}
