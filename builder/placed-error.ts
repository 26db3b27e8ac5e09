import { isSystemError, TsbuildError } from "../runtime-addon/index.ts";
import { nameSystemError } from "../store/name-system-error.ts";
import { located, type Source } from "./dockerfile/errors.ts";
import type { SourceRange } from "./dockerfile/instruction.ts";

const storeCodes: ReadonlySet<string> = new Set([
  "NOT_A_STORE",
  "STORE_DAMAGED",
  "STORE_FAILING",
  "STORE_INACCESSIBLE",
  "STORE_READ_ONLY",
  "STORE_TOO_NEW",
  "STORE_UNSUITABLE",
]);

/**
 * What is thrown for an error that came while an instruction was looked at or done: one with its place (`located`), but of the store at `root` as a whole, as it is: no line of
 * the Dockerfile is to blame for that. Errors of the system get their names (nameSystemError).
 */
export function placedError(error: unknown, root: string | undefined, source: Source, range: SourceRange): unknown {
  const named = nameSystemError(error, root);
  return isOfStore(named) ? named : located(named, source, range);
}

function isOfStore(error: unknown): boolean {
  if (!(error instanceof TsbuildError)) return false;
  // A layer that is larger than the room for it is its step's.
  return storeCodes.has(error.code) || (error.code === "STORE_FULL" && isSystemError(error.cause));
}
