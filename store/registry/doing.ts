import { RegistryError } from "./registry-error.ts";

/** The same failure with what was being done in front of its message. Errors of other kinds stay as they are. */
export function doing(what: string, error: unknown): unknown {
  return error instanceof RegistryError ? restated(error, `${what}: ${error.message}`) : error;
}

/** The same failure in other words. `retryable: false` takes it away from the retry policy. */
export function restated(
  error: RegistryError,
  message: string,
  changes: { readonly retryable?: false; readonly hint?: string } = {},
): RegistryError {
  const hint = changes.hint ?? error.hint;
  return new RegistryError(error.code, message, {
    status: error.status,
    diagnostics: error.diagnostics,
    retryable: changes.retryable ?? error.retryable,
    retryAfterMs: error.retryAfterMs,
    ...(error.cause !== undefined && { cause: error.cause }),
    ...(hint !== undefined && { hint }),
  });
}
