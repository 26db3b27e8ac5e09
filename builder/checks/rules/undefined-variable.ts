import type { Expansion } from "../../dockerfile/scan-word.ts";
import type { Rule } from "../rule.ts";
import { at, shown } from "../rule.ts";
import type { CheckedStep } from "../walk-stages.ts";

/** They are read by their names and are never variables of a step. */
const special = /^BUILDKIT_SBOM_SCAN_(?:CONTEXT|STAGE)$/;

export const undefinedVar: Rule = {
  name: "UndefinedVar",
  description: "Variables should be defined before their use",
  page: {
    why: "A variable that no ARG or ENV sets, here or in the base image, is empty. Mostly its name is misspelt, or its ARG stands further down or before the first FROM only. A form that says what to do then, like ${name:-word}, is taken as meant.",
    bad: "FROM alpine AS base\nCOPY $foo .",
    good: "FROM alpine AS base\nARG foo\nCOPY $foo .",
  },
  *step(step) {
    const { instruction, scope, sources, knowsVariables, suggest } = step;
    if (!knowsVariables) return;
    const reported = new Set<string>();
    for (const name of unsetNames(step)) {
      if (scope.args.has(name) || special.test(name) || reported.has(name)) continue;
      reported.add(name);
      const near = sources.globals.has(name) ? undefined : suggest(name, () => scope.variables.keys());
      const suggestion = sources.globals.has(name)
        ? ` (an ARG before the first FROM counts in FROM alone: write ARG ${shown(name)} in this stage too)`
        : near === undefined
          ? ""
          : ` (did you mean $${near}?)`;
      yield at(instruction, `Usage of undefined variable '$${shown(name)}'${suggestion}`);
    }
  },
};

function* unsetNames(step: CheckedStep): Iterable<string> {
  const { instruction, expand, expandDocument, sources } = step;
  if (instruction.keyword === "ARG") {
    // Each sees those before it in the same instruction.
    const before = new Set<string>();
    for (const { name, value } of instruction.args) {
      const isGiven = Object.hasOwn(sources.buildArgs, name);
      for (const unset of value === undefined || isGiven ? [] : (expand(value)?.unset ?? [])) if (!before.has(unset)) yield unset;
      before.add(name);
    }
    return;
  }
  const found: (Expansion | undefined)[] = wordsOf(step).map(expand);
  if (instruction.keyword === "COPY" || instruction.keyword === "ADD") {
    for (const source of instruction.sources) {
      if (source.kind === "heredoc" && source.heredoc.expand) found.push(expandDocument(source.heredoc.content));
    }
  }
  for (const expansion of found) yield* expansion?.unset ?? [];
}

/** The words of an instruction in which variables of the stage are expanded. */
function wordsOf({ instruction }: CheckedStep): readonly string[] {
  switch (instruction.keyword) {
    case "COPY":
    case "ADD": {
      const { flags, sources, target } = instruction;
      const optional = [flags.chown, flags.chmod, flags.checksum].filter((word) => word !== undefined);
      return [...optional, ...(flags.exclude ?? []), ...sources.flatMap((source) => (source.kind === "path" ? [source.path] : [])), target];
    }
    case "ENV":
    case "LABEL":
      return instruction.pairs.flatMap(({ key, value }) => [key, value]);
    case "WORKDIR":
    case "USER":
    case "STOPSIGNAL":
      return [instruction.value];
    case "VOLUME":
      return instruction.values;
    case "RUN":
      // In `from` stages and global arguments count, which planning looks after.
      return instruction.mounts.flatMap(({ options }) => options.flatMap(({ key, value }) => (key === "from" ? [] : (value ?? []))));
    default:
      return [];
  }
}
