import { type ErrorDetails, TsbuildError } from "../runtime-addon/index.ts";
import type { SourceRange } from "./dockerfile/instruction.ts";

/** The instruction that failed. */
export interface FailedStep {
  /** As in the progress display: "[builder 2/5] RUN npm ci". */
  readonly title: string;
  /** The Dockerfile, as printed in errors. */
  readonly file: string;
  /** The whole Dockerfile, for the excerpt. */
  readonly text: string;
  readonly range: SourceRange;
}

/** How the command of a step ended. */
export type StepStatus =
  | { readonly kind: "exit"; readonly code: number }
  /** "SIGKILL" */
  | { readonly kind: "signal"; readonly signal: string };

/** A command of the Dockerfile ran and failed. `tail` holds the last lines it printed, oldest first, without line ends. */
export class StepError extends TsbuildError {
  constructor(
    readonly step: FailedStep,
    readonly status: StepStatus,
    readonly tail: readonly string[],
    details?: ErrorDetails,
  ) {
    super("STEP_FAILED", `${step.title}: ${describeStatus(status)}`, details);
  }
}

export function describeStatus(status: StepStatus): string {
  return status.kind === "exit" ? `exit code ${status.code}` : `killed by ${status.signal}`;
}
