import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { isSystemError } from "../runtime-addon/index.ts";

/**
 * The directory and those above it that are missing; `path` is absolute. By single calls: mkdir's own recursion says ENOENT of a file system that is read-only or fails, and never ends where a
 * directory is there in which none can be made (/proc). Throws system errors.
 */
export function makeDirectories(path: string, mode = 0o777): void {
  if (existsSync(path)) return;
  makeDirectories(dirname(path), mode);
  makeDirectory(path, mode);
}

/** One that is there already stays as it is. */
export function makeDirectory(path: string, mode = 0o700): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if (!isSystemError(error, "EEXIST")) throw error;
  }
}
