import { type CheckedFile, tolerant } from "../checks/checked-file.ts";
import { descriptionOf } from "../checks/comments.ts";
import type { CheckedStep } from "../checks/walk-stages.ts";
import type { Arg } from "../dockerfile/instruction.ts";
import { expansionOf } from "../dockerfile/words.ts";
import { declareArgs } from "../plan/scope.ts";
import type { OutlineArg } from "./target-outline.ts";

/** The ARGs before the first FROM. */
export interface GlobalArgInfos {
  /** Those of these names, and those that their values are made of. */
  usedBy(names: readonly string[]): readonly OutlineArg[];
  get(name: string): OutlineArg | undefined;
}

export function globalArgInfos({ dockerfile, globals, sources, comments }: CheckedFile): GlobalArgInfos {
  const infos = new Map<string, OutlineArg>();
  const parts = new Map<string, readonly string[]>();
  for (const instruction of dockerfile.globals) {
    for (const { name, value: word } of instruction.args) {
      infos.set(name, withDetails(name, globals.variables.get(name), instruction, descriptionOf(name, comments(instruction))));
      const isGiven = word === undefined || Object.hasOwn(sources.buildArgs, name);
      const used = isGiven ? [] : tolerant(() => expansionOf(word, (variable) => globals.variables.get(variable), sources).used);
      parts.set(name, used ?? []);
    }
  }
  return {
    get: (name) => infos.get(name),
    usedBy(names) {
      const found = new Set<string>();
      const visit = (name: string): void => {
        if (found.has(name)) return;
        found.add(name);
        parts.get(name)?.forEach(visit);
      };
      names.forEach(visit);
      return [...found].flatMap((name) => infos.get(name) ?? []);
    },
  };
}

/** What an ARG of a stage says. One that takes a global's value is the global; one that takes a platform argument's is none to be given. */
export function argsOfStage(
  { scope, sources }: CheckedStep,
  instruction: Arg,
  { comments }: CheckedFile,
  globals: GlobalArgInfos,
): readonly OutlineArg[] {
  const after = tolerant(() => declareArgs(instruction, scope, sources).scope) ?? scope;
  return instruction.args.flatMap(({ name, value }) => {
    const isInherited = value === undefined && !Object.hasOwn(sources.buildArgs, name);
    if (isInherited && sources.globals.has(name)) return globals.usedBy([name]);
    if (isInherited && Object.hasOwn(sources.platformArgs, name)) return [];
    return [withDetails(name, after.variables.get(name), instruction, descriptionOf(name, comments(instruction)))];
  });
}

function withDetails(name: string, value: string | undefined, { range }: Arg, description: string | undefined): OutlineArg {
  return { name, range, ...(description === undefined ? {} : { description }), ...(value === undefined ? {} : { value }) };
}
