import type { SourceRange } from "../dockerfile/instruction.ts";

/** Something that a target can be given. */
export interface OutlineItem {
  readonly name: string;
  readonly range: SourceRange;
}

export interface OutlineArg extends OutlineItem {
  /** Of a comment "# NAME text" above ARG. */
  readonly description?: string;
  /** What it would be in this build; absent where nothing says so. */
  readonly value?: string;
}

/** Of secrets and SSH agents: whether a step fails without it. */
export interface OutlineMount extends OutlineItem {
  readonly isRequired: boolean;
}

/** All that a target takes, its own stage's and those of the stages that it is built from or copies from: each name once, by place. */
export interface TargetOutline {
  /** Lower case; absent for an unnamed stage. */
  readonly name?: string;
  readonly description?: string;
  readonly args: readonly OutlineArg[];
  readonly secrets: readonly OutlineMount[];
  readonly ssh: readonly OutlineMount[];
  /** Cache mounts, by their ids. */
  readonly caches: readonly OutlineItem[];
}

/** What one stage takes. */
export type StageOutline = Pick<TargetOutline, "args" | "secrets" | "ssh" | "caches">;
