import { readlinkSync, realpathSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { isSystemError } from "../../runtime-addon/index.ts";

/** Where links lead, also to what is not there, or cannot be. Throws system errors. */
export function targetOf(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (!isSystemError(error, "ENOENT", "ENOTDIR")) throw error;
  }
  const link = linkOf(path);
  return link === undefined ? path : targetOf(resolve(dirname(path), link));
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (isSystemError(error, "ENOENT", "ENOTDIR", "EINVAL")) return undefined;
    throw error;
  }
}
