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

/** What the command's own words leave open, most likely first. */
export function failureHints({ code, tail, withoutSecrets }: FailedCommand): readonly string[] {
  const meaning = code === undefined ? undefined : meaningOf(code, tail);
  const [missing] = withoutSecrets;
  return [...(meaning === undefined ? [] : [meaning]), ...(missing === undefined ? [] : [notGiven(missing.id)])];
}

/** Of what shells answer with (POSIX.1, Shell Command Language, 2.8.2). */
function meaningOf(code: number, tail: readonly string[]): string | undefined {
  if (code === 127) {
    return "127 means that a command was not found: it is not in the image or not on its PATH, or it is a script whose first line names a program that is not there, as one with CRLF line ends does";
  }
  if (code === 126 && tail.some((line) => /permission denied/i.test(line))) {
    return "126 means that a file may not be run: COPY --chmod=755 makes it executable";
  }
  return undefined;
}

/** The id is the Dockerfile's: only a plain one makes flags that can be copied to a shell. */
function notGiven(id: string): string {
  const flags = /^[\w.-]+$/.test(id) ? `: --secret id=${id},src=FILE or --secret id=${id},env=VARIABLE` : "";
  return `the secret ${JSON.stringify(id)} was not given${flags}`;
}
