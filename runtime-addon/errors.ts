/** What an error may carry besides its message. */
export interface ErrorDetails {
  readonly cause?: unknown;
  /** What to try next: a sentence or a command that works. */
  readonly hint?: string;
}

/**
 * An expected failure. `code` is stable API (SCREAMING_SNAKE), `message` is for people:
 * lower case, no final stop, "what was being done: what went wrong", with the value.
 */
export class TsbuildError extends Error {
  readonly hint: string | undefined;

  constructor(
    readonly code: string,
    message: string,
    details: ErrorDetails = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.hint = details.hint;
  }
}

/** A failed system call, in the shape of Node's own system errors. */
export interface SystemError extends Error {
  readonly code: string;
  /** Negative, as in Node. */
  readonly errno: number;
  readonly syscall: string;
  readonly path?: string;
  readonly dest?: string;
}

/** Whether an error is a failed system call (of Node or of the addon), optionally with one of these codes. */
export function isSystemError(error: unknown, ...codes: readonly string[]): error is SystemError {
  if (!(error instanceof Error)) return false;
  const { code, syscall } = error as Partial<SystemError>;
  if (typeof code !== "string" || typeof syscall !== "string") return false;
  return codes.length === 0 || codes.includes(code);
}
