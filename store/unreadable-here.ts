import type { TsbuildError } from "./errors.ts";

const codes: ReadonlySet<string> = new Set(["TOO_LARGE", "TOOL_MISSING"]);

/** Whether the error is about what can be read here and now: it says nothing against the bytes, which may be as they should. */
export function isUnreadableHere({ code }: TsbuildError): boolean {
  return codes.has(code) || code.startsWith("UNSUPPORTED_");
}
