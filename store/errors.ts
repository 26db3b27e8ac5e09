import { type ErrorDetails, TsbuildError } from "../runtime-addon/index.ts";

export { type ErrorDetails, TsbuildError };

/** What was asked for is not there. */
export class NotFoundError extends TsbuildError {
  constructor(message: string, details?: ErrorDetails) {
    super("NOT_FOUND", message, details);
  }
}

/** No image of the store answers to a name or an id. */
export class ImageNotFoundError extends NotFoundError {}

/** Bytes did not match their descriptor. */
export class IntegrityError extends TsbuildError {
  constructor(
    what: string,
    readonly expected: string,
    readonly actual: string,
    details?: ErrorDetails,
  ) {
    super("INTEGRITY", `${what}: expected ${expected}, got ${actual}`, details);
  }
}
