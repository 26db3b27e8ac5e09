import type { Instruction, SourceRange } from "../dockerfile/instruction.ts";
import type { CheckedFile } from "./checked-file.ts";
import type { CheckedStage, CheckedStep } from "./walk-stages.ts";

/** Something that a rule has to say about a place. */
export interface Hit {
  readonly message: string;
  readonly range: SourceRange;
  /** Whose comments may silence it. */
  readonly instructions: readonly Instruction[];
}

/** What is printed about a rule on request: why it is there, and a Dockerfile that breaks it beside one that does not. */
export interface RulePage {
  readonly why: string;
  readonly bad: string;
  readonly good: string;
}

/** A check, under the name that BuildKit's linter gives it. It has one of the three functions, for what it looks at. */
export interface Rule {
  readonly name: string;
  /** One sentence without a full stop, the same for each finding. */
  readonly description: string;
  /** Off unless it is asked for. */
  readonly experimental?: true;
  readonly page: RulePage;
  /** Looks at the whole file: what is said of stages that are not built counts too. */
  readonly file?: (file: CheckedFile) => Iterable<Hit>;
  /** Looks at a stage that is built, and its base. */
  readonly stage?: (stage: CheckedStage) => Iterable<Hit>;
  /** Looks at an instruction of a stage that is built, with what it can see. */
  readonly step?: (step: CheckedStep) => Iterable<Hit>;
}

/** A hit at an instruction. */
export function at(instruction: Instruction, message: string): Hit {
  return { message, range: instruction.range, instructions: [instruction] };
}

const longest = 120;

/** A word of the file inside a message: whoever wrote the file must not make the message endless. */
export function shown(word: string): string {
  return word.length > longest ? `${word.slice(0, longest)}…` : word;
}

/** As `shown`, in double quotes. */
export function quoted(word: string): string {
  return JSON.stringify(shown(word));
}
