import { statSync } from "node:fs";
import type { Writable } from "node:stream";
import type { CliIo } from "./cli-io.ts";
import { UsageError } from "./usage-error.ts";

export type ArchiveDestination = { readonly file: string } | { readonly directory: string } | { readonly stream: Writable };

/**
 * What --output means: a file, or a directory, which ends in a slash where there is none yet. Absent, or "-", it is standard output. `kind` is what was asked for; absent: either.
 * Throws UsageError.
 */
export function archiveDestination(
  output: string | undefined,
  kind: "archive" | "directory" | undefined,
  io: Pick<CliIo, "stdout" | "stream">,
): ArchiveDestination {
  if (output === undefined || output === "-") {
    if (kind === "directory") throw new UsageError("MISSING_VALUE", "writing a directory: --output must name it");
    return { stream: archiveToStdout(io) };
  }
  const isDirectory =
    kind === undefined ? output.endsWith("/") || statSync(output, { throwIfNoEntry: false })?.isDirectory() === true : kind === "directory";
  return isDirectory ? { directory: output } : { file: output };
}

/** Standard output, for much data. Throws UsageError for a terminal. */
export function archiveToStdout(io: Pick<CliIo, "stdout" | "stream">): Writable {
  if (io.stdout.isTTY)
    throw new UsageError("NOT_A_FILE", "writing an archive to standard output: it is a terminal", { hint: "-o FILE, or redirect it" });
  return io.stream("stdout");
}
