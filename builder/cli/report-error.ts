import { isSystemError, SandboxError, systemErrorMessage, TsbuildError } from "../../runtime-addon/index.ts";
import { nameSystemError } from "../../store/name-system-error.ts";
import { ConfigError } from "../config.ts";
import { formatDiagnostic } from "../dockerfile/diagnostic.ts";
import { DockerfileError, DockerfileErrors, formatDockerfileError } from "../dockerfile/errors.ts";
import { paint, wantsColors } from "../progress/paint.ts";
import { harmless } from "../progress/terminal-text.ts";
import { describeStatus, StepError } from "../step-error.ts";
import type { CliIo } from "./cli-io.ts";
import { UsageError } from "./usage-error.ts";

/** Sandbox errors that are about the command or the image, not about this machine. */
const commandCodes: ReadonlySet<string> = new Set([
  "COMMAND_NOT_EXECUTABLE",
  "COMMAND_NOT_FOUND",
  "INVALID_SPEC",
  "MOUNT_TARGET_REFUSED",
  "WORKING_DIRECTORY",
]);

/** Paths of the command line that lead nowhere, and names that no image can have: wrong usage, whoever finds it out. In a Dockerfile they are faults of its own. */
const usageCodes: ReadonlySet<string> = new Set([
  "AMBIGUOUS_DOCKERFILE",
  "CONTEXT_NOT_FOUND",
  "CONTEXT_NOT_DIRECTORY",
  "DOCKERFILE_NOT_FOUND",
  "AMBIGUOUS_NAME",
  "HERMETIC_NETWORK",
  "LOCK_INVALID",
  "UNKNOWN_TARGET",
  "INVALID_PLATFORM",
  "INVALID_REFERENCE",
]);

/** Prints an error to standard error and returns the exit code: 1, 2 usage, 3 no sandbox here, 130 cancelled. */
export function reportError(thrown: unknown, io: Pick<CliIo, "stderr" | "env" | "signal">): number {
  const error = nameSystemError(thrown, undefined);
  const style = paint(wantsColors(io.stderr, io.env));
  if (io.signal.aborted && isCancellation(error, io.signal)) {
    io.stderr.write("cancelled\n");
    return 130;
  }
  if (error instanceof DockerfileError || error instanceof DockerfileErrors) {
    io.stderr.write(`${formatDockerfileError(error)}\n`);
    return exitCodeOf(error);
  }
  if (error instanceof StepError) {
    io.stderr.write(formatStepError(error));
    return 1;
  }
  if (error instanceof TsbuildError) {
    io.stderr.write(`${style.red("error:")} ${clean(error.message)} [${error.code}]\n`);
    for (const line of causes(error)) io.stderr.write(`  ${style.dim(`because: ${clean(line)}`)}\n`);
    if (error.hint !== undefined) io.stderr.write(`  ${style.cyan("hint:")} ${clean(error.hint)}\n`);
    return exitCodeOf(error);
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  io.stderr.write(`${style.red("internal error:")} ${stack.split("\n").map(cut).map(clean).join("\n")}\n`);
  for (const line of error instanceof Error ? causes(error) : []) io.stderr.write(`  because: ${clean(line)}\n`);
  return 1;
}

/** The printed form of a failed step, with its line end. */
export function formatStepError(error: StepError): string {
  const { step, status, tail } = error;
  const { file, text, range } = step;
  const lines = [
    formatDiagnostic({
      severity: "error",
      file,
      text,
      range,
      message: `${clean(step.title)}: ${describeStatus(status)}`,
      code: error.code,
    }),
  ];
  if (tail.length > 0) lines.push("  last output:", ...tail.map((line) => `    ${harmless(line, { colors: false })}`));
  if (error.hint !== undefined) lines.push(`  hint: ${clean(error.hint)}`);
  return `${lines.join("\n")}\n`;
}

function exitCodeOf(error: TsbuildError): number {
  const isOfDockerfile = error instanceof DockerfileError || error instanceof DockerfileErrors;
  if (error instanceof UsageError || error instanceof ConfigError || (usageCodes.has(error.code) && !isOfDockerfile)) return 2;
  const inner = error instanceof DockerfileError && error.cause instanceof SandboxError ? error.cause : error;
  return inner instanceof SandboxError && !commandCodes.has(inner.code) ? 3 : 1;
}

/** After an abort whatever comes is its consequence, but for what the user has to know. */
function isCancellation(error: unknown, signal: AbortSignal): boolean {
  return error === signal.reason || (error instanceof Error && (error.name === "AbortError" || error.cause === signal.reason));
}

/** What lies below an error, where it adds something. */
function causes(error: Error): string[] {
  const lines: string[] = [];
  let said = error.message;
  for (let cause = error.cause; cause instanceof Error && lines.length < 5; cause = cause.cause) {
    const message = isSystemError(cause) ? systemErrorMessage(cause) : cause.message;
    if (said.includes(message)) continue;
    lines.push(message);
    said += message;
  }
  return lines;
}

/** Whatever a message of the system quotes: a path can have any length. */
function cut(line: string): string {
  return line.length > maxLineChars ? `${line.slice(0, maxLineChars)}…` : line;
}

const maxLineChars = 1000;

function clean(text: string): string {
  return text
    .split("\n")
    .map((line) => harmless(line, { colors: false }))
    .join("\n");
}
