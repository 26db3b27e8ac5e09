import { isSystemError, type SystemError } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../errors.ts";

/** WRITE_FAILED for what the system refused while something was written elsewhere than into the store. `doing` begins the message. */
export function writeFailed(doing: string, cause: SystemError): TsbuildError {
  const hint = hintOf(cause);
  return new TsbuildError("WRITE_FAILED", `${doing}: ${cause.message}`, { cause, ...(hint === undefined ? {} : { hint }) });
}

function hintOf(cause: SystemError): string | undefined {
  if (isSystemError(cause, "ENOSPC", "EDQUOT")) return "make room there, or write to another file system";
  return isSystemError(cause, "EPIPE") ? "what was to read it has ended" : undefined;
}
