import { dirname, resolve } from "node:path";
import { isSystemError } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../errors.ts";

/** Runs what writes at a path, so that what the system refuses there says which path: WRITE_FAILED. */
export async function namingDestination(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    // A write to an open file tells no path; temp files lie beside.
    if (!isSystemError(error) || !(error.path === undefined || resolve(error.path).startsWith(dirname(resolve(path))))) throw error;
    throw new TsbuildError("WRITE_FAILED", `copying to ${path}: ${error.message}`, { cause: error });
  }
}
