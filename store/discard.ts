import { rmSync } from "node:fs";
import { isSystemError } from "../runtime-addon/index.ts";

/**
 * Removes a temporary file, if it is there and can be removed. On a disk that fails it stays, and goes with its lease or by prune: what is said is why it was of no use, not that it is
 * still there.
 */
export function discardFile(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
}
