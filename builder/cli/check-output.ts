import type { CheckResult } from "../check.ts";
import { formatDiagnostic } from "../dockerfile/diagnostic.ts";
import { type DockerfileError, DockerfileErrors, formatDockerfileError } from "../dockerfile/errors.ts";
import type { Call } from "./call-flags.ts";
import type { CliIo } from "./cli-io.ts";
import { formatJson } from "./format-flag.ts";
import { note } from "./note.ts";
import { locationJson, sourceJson } from "./source-json.ts";

/** Prints what a check found and returns the exit code: 1 where it found anything, as docker does. */
export function printCheck(result: CheckResult, { format, ignoreStatus }: Pick<Call, "format" | "ignoreStatus">, io: CliIo): number {
  for (const message of result.notes) note(io, message);
  io.stdout.write(format === "json" ? formatJson(checkJson(result)) : checkText(result));
  return !ignoreStatus && (result.findings.length > 0 || result.errors.length > 0) ? 1 : 0;
}

function checkText({ findings, isStrict, errors, source: { file, text } }: CheckResult): string {
  const parts = findings.map(({ rule, message, range }) =>
    formatDiagnostic({ severity: isStrict ? "error" : "warning", file, text, range, message, code: rule }),
  );
  const [first, ...others] = errors;
  if (first !== undefined) parts.push(formatDockerfileError(others.length > 0 ? new DockerfileErrors(errors) : first));
  const found = [...new Set(findings.map(({ rule }) => rule))];
  const more = found.length === 0 ? "" : `\ntsbuild --check --explain ${found.join(",")} says more`;
  const counts = isStrict ? summary(0, errors.length + findings.length) : summary(findings.length, errors.length);
  parts.push(`Check complete, ${counts}${more}`);
  return `${parts.join("\n\n")}\n`;
}

/** BuildKit's words, so that scripts that look for them find them. */
function summary(warnings: number, errors: number): string {
  const found = warnings === 1 ? "1 warning has been found!" : `${warnings} warnings have been found!`;
  const said = warnings === 0 ? "no warnings found." : found;
  return errors === 0 ? said : `${errors} error${errors === 1 ? "" : "s"}: it cannot be built; ${said}`;
}

/** The shape of BuildKit's lint result, with the stages besides. */
function checkJson({ findings, errors, source, stages }: CheckResult): unknown {
  return {
    warnings: findings.map(({ rule, description, message, range }) => ({
      ruleName: rule,
      description,
      detail: message,
      location: locationJson(range),
    })),
    sources: [sourceJson(source)],
    ...(errors.length === 0 ? {} : { buildError: buildErrorJson(errors) }),
    stages,
  };
}

function buildErrorJson(errors: readonly DockerfileError[]): unknown {
  return {
    message: errors.map(({ message, code }) => `${message} [${code}]`).join("\n"),
    location: locationJson(...errors.map(({ range }) => range)),
  };
}
