import { TsbuildError } from "../../runtime-addon/index.ts";
import { publicUrl } from "./public-url.ts";

/** INVALID_SOURCE of a remote source; nothing of the text that may be secret is repeated. */
export function invalidSource(source: string, problem: string, hint?: string): TsbuildError {
  return new TsbuildError("INVALID_SOURCE", `reading the source ${publicUrl(source)}: ${problem}`, hint === undefined ? {} : { hint });
}
