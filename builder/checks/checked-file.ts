import { TsbuildError } from "../../store/errors.ts";
import { machinePlatform } from "../../store/platform.ts";
import type { Dockerfile, Instruction, Stage } from "../dockerfile/instruction.ts";
import type { Expansion } from "../dockerfile/scan-word.ts";
import { firstSuggestions, type Suggest } from "../dockerfile/suggest.ts";
import { expansionOf } from "../dockerfile/words.ts";
import { platformArgs } from "../plan/platform.ts";
import { type ArgSources, globalArgs, type Scope, scopeOf } from "../plan/scope.ts";
import type { CheckInput } from "./check-input.ts";
import { type Comments, commentsOf } from "./comments.ts";

/** A FROM with its words expanded. */
export interface CheckedFrom {
  readonly stage: Stage;
  readonly index: number;
  /** Undefined where it cannot be expanded, which planning reports. */
  readonly image: Expansion | undefined;
  /** Of --platform; undefined also where there is none. */
  readonly platform: Expansion | undefined;
}

/** A Dockerfile as rules see it. */
export interface CheckedFile {
  readonly dockerfile: Dockerfile;
  readonly comments: (instruction: Instruction) => Comments;
  /** What FROM sees. */
  readonly globals: Scope;
  /** What FROM would see without build arguments; undefined where that fails. */
  readonly defaults: Scope | undefined;
  readonly froms: readonly CheckedFrom[];
  /** Where ARGs of stages get their values. */
  readonly sources: ArgSources;
  readonly suggest: Suggest;
}

export function checkedFile({ dockerfile, buildArgs, platform, target }: CheckInput): CheckedFile {
  const { escape: escapeChar, globals: declared, stages } = dockerfile;
  const targetStage = target ?? stages.at(-1)?.from.stage?.toLowerCase() ?? "default";
  const fixed = { escape: escapeChar, buildArgs, platformArgs: platformArgs(platform, machinePlatform(), targetStage, buildArgs) };
  const globals = tolerant(() => globalArgs(declared, fixed, dockerfile)) ?? scopeOf(Object.entries(fixed.platformArgs));
  const expand = (word: string): Expansion | undefined =>
    tolerant(() => expansionOf(word, (name) => globals.variables.get(name), { escape: escapeChar }));
  return {
    dockerfile,
    comments: commentsOf(dockerfile),
    globals,
    defaults: tolerant(() => globalArgs(declared, { ...fixed, buildArgs: {} }, dockerfile)),
    froms: stages.map((stage, index) => {
      const { image, platform: word } = stage.from;
      return { stage, index, image: expand(image), platform: word === undefined ? undefined : expand(word) };
    }),
    sources: { ...fixed, globals: new Map([...globals.variables].filter(([name]) => globals.args.has(name))) },
    suggest: firstSuggestions(),
  };
}

/** Checks go on where the Dockerfile is wrong: planning says what is. */
export function tolerant<T>(body: () => T): T | undefined {
  try {
    return body();
  } catch (error) {
    if (error instanceof TsbuildError) return undefined;
    throw error;
  }
}
