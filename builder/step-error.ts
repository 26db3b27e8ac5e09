import { type ErrorDetails, TsbuildError } from "../runtime-addon/index.ts";
import type { SourceRange } from "./dockerfile/instruction.ts";
import type { StepUsage } from "./progress/event.ts";

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

/** How the command of a step ended; `because`: the limit that it ran into. */
export type StepStatus = { readonly because?: string } & (
  | { readonly kind: "exit"; readonly code: number }
  /** "SIGKILL" */
  | { readonly kind: "signal"; readonly signal: string }
);

/** What errors of steps have besides. */
export interface StepErrorDetails extends ErrorDetails {
  /** What the step used until it failed. */
  readonly usage?: StepUsage;
  /** Whether what it left is kept for a look into it. Absent: it is not. */
  readonly isKept?: boolean;
}

/** A command of the Dockerfile ran and failed. `tail` holds the last lines it printed, oldest first, without line ends. */
export class StepError extends TsbuildError {
  readonly usage?: StepUsage;
  readonly isKept: boolean;

  constructor(
    readonly step: FailedStep,
    readonly status: StepStatus,
    readonly tail: readonly string[],
    details?: StepErrorDetails,
  ) {
    super("STEP_FAILED", `${step.title}: ${describeStatus(status)}`, details);
    this.isKept = details?.isKept ?? false;
    if (details?.usage !== undefined) this.usage = details.usage;
  }
}

export function describeStatus(status: StepStatus): string {
  const end = status.kind === "exit" ? `exit code ${status.code}` : `killed by ${status.signal}`;
  return status.because === undefined ? end : `${end}, ${status.because}`;
}
