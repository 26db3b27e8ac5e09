import type { RunMount } from "../plan/operation.ts";

/** What is known of a command that failed. */
export interface FailedCommand {
  /** Absent: a signal ended it. */
  readonly code?: number;
  /** Its last lines of output. */
  readonly tail: readonly string[];
  /** Mounts of secrets that were not given and that the step does not require. */
  readonly withoutSecrets: readonly Extract<RunMount, { type: "secret" }>[];
}

/** What the command's own words leave open; undefined where they will do. */
export function failureHint({ code, tail, withoutSecrets }: FailedCommand): string | undefined {
  const [missing] = withoutSecrets;
  if (missing !== undefined) {
    return `the secret ${JSON.stringify(missing.id)} was not given: --secret id=${missing.id},src=FILE or --secret id=${missing.id},env=VARIABLE`;
  }
  // What shells answer with (POSIX.1, Shell Command Language, 2.8.2).
  if (code === 127) {
    return "127 means that a command was not found: it is not in the image or not on its PATH, or it is a script whose first line names a program that is not there, as one with CRLF line ends does";
  }
  if (code === 126 && tail.some((line) => /permission denied/i.test(line))) {
    return "126 means that a file may not be run: COPY --chmod=755 makes it executable";
  }
  return undefined;
}
