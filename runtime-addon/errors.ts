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
