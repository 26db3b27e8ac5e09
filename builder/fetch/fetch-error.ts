import { TsbuildError } from "../../store/errors.ts";
import { RegistryError } from "../../store/registry/registry-error.ts";

/**
 * What the client of registries says of a server that is none, under a code of its own and with what was being done in front; other errors pass, but for a name of
 * what was being done that TOO_LARGE and STORE_FULL lack.
 */
export function fetchError(error: unknown, doing: string, code: "FETCH_FAILED" | "GIT_FAILED"): unknown {
  const own = error instanceof RegistryError ? code : error instanceof TsbuildError && named.has(error.code) ? error.code : undefined;
  if (own === undefined || !(error instanceof TsbuildError)) return error;
  return new TsbuildError(own, `${doing}: ${error.message}`, { cause: error, ...(error.hint !== undefined && { hint: error.hint }) });
}

const named: ReadonlySet<string> = new Set(["TOO_LARGE", "STORE_FULL"]);

export function checksumMismatch(doing: string, expected: string, found: string, hint: string): TsbuildError {
  return new TsbuildError("CHECKSUM_MISMATCH", `${doing}: expected ${expected}, got ${found}`, { hint });
}
