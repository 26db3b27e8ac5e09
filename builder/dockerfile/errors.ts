import { type ErrorDetails, TsbuildError } from "../../runtime-addon/index.ts";
import { formatDiagnostic } from "./diagnostic.ts";
import type { SourceRange } from "./instruction.ts";

/** A text and the name it is printed under; a `Dockerfile` is one. */
export interface Source {
  readonly file: string;
  readonly text: string;
}

/** An expected failure at a place of a Dockerfile. */
export class DockerfileError extends TsbuildError {
  readonly file: string;
  /** The whole Dockerfile, for the excerpt. */
  readonly text: string;

  constructor(
    code: string,
    message: string,
    source: Source,
    readonly range: SourceRange,
    details?: ErrorDetails,
  ) {
    super(code, message, details);
    this.file = source.file;
    this.text = source.text;
  }
}

/** All that is wrong with one Dockerfile, by position. Its code is DOCKERFILE_SYNTAX, each error has its own. */
export class DockerfileErrors extends TsbuildError {
  constructor(readonly errors: readonly DockerfileError[]) {
    const [first] = errors;
    const messages = errors.slice(0, 3).map((error) => error.message);
    if (errors.length > messages.length) messages.push(`and ${errors.length - messages.length} more`);
    super("DOCKERFILE_SYNTAX", `reading ${first?.file ?? "the Dockerfile"}: ${messages.join("; ")}`, { cause: first });
  }
}

/**
 * Runs `body`; a TsbuildError that it throws comes out as a DockerfileError with this range and the same code, message and hint.
 * The first range attached stays: a DockerfileError passes unchanged, and so does every other error.
 */
export function withRange<T>(source: Source, range: SourceRange, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw located(error, source, range);
  }
}

/** As withRange, with an error of the Dockerfile's handed over and not thrown: undefined then. */
export function collecting<T>(onError: (error: DockerfileError) => void, source: Source, range: SourceRange, body: () => T): T | undefined {
  try {
    return withRange(source, range, body);
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error;
    onError(error);
    return undefined;
  }
}

/** Throws what was collected: one error as it is, several together by their places. */
export function throwCollected(errors: readonly DockerfileError[]): void {
  if (errors.length > 1) throw new DockerfileErrors([...errors].sort(byPosition));
  if (errors[0] !== undefined) throw errors[0];
}

export function byPosition(a: DockerfileError, b: DockerfileError): number {
  return a.range.start.line - b.range.start.line || a.range.start.column - b.range.start.column;
}

/** What `withRange` would throw for this error: for places that are asynchronous. */
export function located(error: unknown, source: Source, range: SourceRange): unknown {
  if (!(error instanceof TsbuildError) || error instanceof DockerfileError || error instanceof DockerfileErrors) return error;
  return new DockerfileError(error.code, error.message, source, range, {
    cause: error,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}

const maxPrinted = 50;

/**
 * The printed form, without a line end: file, position, message and code, then the source lines with the range underlined, then
 * the hint. Of very many errors the first 50 and how many there are.
 */
export function formatDockerfileError(error: DockerfileError | DockerfileErrors): string {
  const errors = error instanceof DockerfileErrors ? error.errors : [error];
  const printed = errors.slice(0, maxPrinted).map((one) => formatDiagnostic({ severity: "error", ...pick(one) }));
  if (errors.length > maxPrinted) printed.push(`… and ${errors.length - maxPrinted} more errors`);
  return printed.join("\n\n");
}

function pick({ file, text, range, message, code, hint }: DockerfileError) {
  return { file, text, range, message, code, ...(hint === undefined ? {} : { hint }) };
}
