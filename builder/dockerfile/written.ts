import type { Token } from "./arguments.ts";
import { Fault } from "./fault.ts";
import { type FlagKind, type Flags, parseFlags } from "./flags.ts";
import type { Command, Instruction } from "./instruction.ts";
import { stringArray } from "./json-form.ts";
import type { LogicalLine } from "./logical-line.ts";

/** What the parsers of single instructions work on. Offsets are those of `line.text`. */
export interface Written {
  readonly keyword: string;
  /** Where the keyword is. */
  readonly name: Token;
  readonly line: LogicalLine;
  readonly flags: readonly Token[];
  /** Everything behind the flags; `at` is its offset. */
  readonly rest: string;
  readonly at: number;
  readonly escape: string;
}

/** An instruction without what every instruction has. */
export type Parsed<T = Instruction> = T extends Instruction ? Omit<T, "range" | "source" | "text"> : never;

/** The instruction's flags, checked against those it knows. */
export function flagsOf({ keyword, flags }: Written, known: Readonly<Record<string, FlagKind>>): Flags {
  return parseFlags(keyword, flags, known);
}

/** Everything behind the flags as exec form, or as shell form with the line's heredocs. */
export function commandOf({ rest, at, line }: Pick<Written, "rest" | "at" | "line">): Command {
  const args = stringArray(rest, at);
  return args === undefined ? { form: "shell", script: rest, heredocs: line.heredocs } : { form: "exec", args };
}

/** A Fault under the instruction's name. */
export function missing({ name }: Written, message: string, hint?: string): Fault {
  return new Fault("MISSING_ARGUMENT", message, name.from, name.to, hint === undefined ? {} : { hint });
}
