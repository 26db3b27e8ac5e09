import { readFileSync, statSync } from "node:fs";
import { isSystemError } from "../runtime-addon/index.ts";

/** The bytes of a file; undefined where there is none. Throws other system errors. */
export function readIfThere(path: string): Buffer | undefined {
  return unlessMissing(() => readFileSync(path));
}

/** Bytes; undefined where there is no such file. Throws other system errors. */
export function fileSize(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}

/** Undefined where a file is missing, or a directory above it. Throws other system errors. */
export function unlessMissing<T>(use: () => T): T | undefined {
  try {
    return use();
  } catch (error) {
    if (isSystemError(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}
