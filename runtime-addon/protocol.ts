import type { ReportedFailure } from "./sandbox-error.ts";

/** First token of a spec; tsb-init refuses any other. */
const VERSION = "tsb-init/1";

/**
 * A spec as tsb-init reads it from fd 3: NUL-ended tokens, the version, the number of all tokens, settings and operations, "--", and
 * the command (src/init/spec.h and operations.cc list them).
 */
export function encodeSpec(settings: readonly string[], command: readonly string[]): Buffer {
  const count = settings.length + command.length + 3;
  return Buffer.from(`${[VERSION, String(count), ...settings, "--", ...command].join("\0")}\0`, "utf8");
}

/** A byte on the status channel: everything in the sandbox is to die at once. Any other byte is a signal for the command. */
export const KILL_ALL = 0;

/** One line that tsb-init writes on fd 4. */
export type StatusLine =
  | { readonly pid: number }
  | { readonly created: string }
  | { readonly skipped: ReportedFailure }
  | { readonly error: ReportedFailure }
  | ({ readonly exit: number } & ReportedUsage)
  | ({ readonly signal: number } & ReportedUsage);

/** Of all processes together; maxRssKb is that of the largest. */
export interface ReportedUsage {
  readonly cpuUs: number;
  readonly maxRssKb: number;
  /** In blocks of 512 bytes. */
  readonly blocksRead: number;
  readonly blocksWritten: number;
}

/** Collects status lines from the chunks of fd 4. */
export function statusReader(onLine: (line: StatusLine) => void): (chunk: Buffer) => void {
  let pending: Buffer = Buffer.alloc(0);
  return (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    for (let end = pending.indexOf(10); end >= 0; end = pending.indexOf(10)) {
      onLine(JSON.parse(pending.toString("utf8", 0, end)) as StatusLine);
      pending = pending.subarray(end + 1);
    }
  };
}
