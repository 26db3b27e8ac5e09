import { DockerfileError, type Source } from "../dockerfile/errors.ts";
import type { BuildEvent } from "../progress/event.ts";
import type { CheckReport, Finding } from "./run-checks.ts";

/** Findings for those who watch a build. */
export function checksAsWarnings(findings: readonly Finding[]): readonly BuildEvent[] {
  return findings.map(({ rule, message, range }) => ({ type: "warning", message: `${rule}: ${message}`, range, rule }));
}

/** The errors that findings are where `check=error=true` says so; none otherwise. */
export function checksAsErrors({ findings, isStrict }: CheckReport, source: Source): readonly DockerfileError[] {
  const hint = "check=error=true makes findings errors; check=skip=RULE silences a rule";
  return findings.flatMap(({ rule, message, range }) =>
    isStrict ? [new DockerfileError("CHECK_FAILED", `${rule}: ${message}`, source, range, { hint })] : [],
  );
}
