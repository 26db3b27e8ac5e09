import { withRange } from "../dockerfile/errors.ts";
import type { Instruction, SourceRange } from "../dockerfile/instruction.ts";
import { nearest } from "../dockerfile/suggest.ts";
import type { CheckInput } from "./check-input.ts";
import { type CheckOptions, holds, mergeOptions, noCheckOptions, parseCheckOptions } from "./check-options.ts";
import { type CheckedFile, checkedFile, tolerant } from "./checked-file.ts";
import { allInstructions, directiveLine } from "./comments.ts";
import { type Hit, quoted, type Rule } from "./rule.ts";
import { rules } from "./rules.ts";
import { walkStages } from "./walk-stages.ts";

/** What a rule found. */
export interface Finding {
  readonly rule: string;
  /** The rule's own sentence. */
  readonly description: string;
  /** What it found here. What it quotes is as in the file: who prints it makes it harmless. */
  readonly message: string;
  readonly range: SourceRange;
}

export interface CheckReport {
  /** By position; at one place in the order of the rules. */
  readonly findings: readonly Finding[];
  /** `check=error=true`: findings are errors. */
  readonly isStrict: boolean;
  /** About the options themselves: a rule that does not exist. */
  readonly notes: readonly string[];
}

/**
 * Runs BuildKit's checks, with its names, messages and lines. `# check=` at the top or the build argument BUILDKIT_DOCKERFILE_CHECK,
 * which replaces it, and `# check=skip=RULE` above an instruction say which. Throws INVALID_DIRECTIVE where these cannot be read. Pure.
 */
export function runChecks(input: CheckInput): CheckReport {
  const file = checkedFile(input);
  const options = optionsOf(input);
  const all = rules(input.ignore);
  const { forInstruction, notes } = ownOptions(file, options, all);
  const found: { readonly hit: Hit; readonly rule: Rule }[] = [];
  const collect = (rule: Rule, hits: Iterable<Hit> | undefined): void => {
    for (const hit of hits ?? []) {
      if (hit.instructions.every((instruction) => holds(rule, forInstruction(instruction)))) found.push({ hit, rule });
    }
  };
  for (const rule of all) collect(rule, rule.file?.(file));
  walkStages(file, input, {
    stage: (stage) => {
      for (const rule of all) collect(rule, rule.stage?.(stage));
    },
    step: (step) => {
      for (const rule of all) collect(rule, rule.step?.(step));
    },
  });
  const order = new Map(all.map((rule, index) => [rule, index]));
  found.sort(
    (a, b) =>
      a.hit.range.start.line - b.hit.range.start.line ||
      a.hit.range.start.column - b.hit.range.start.column ||
      (order.get(a.rule) ?? 0) - (order.get(b.rule) ?? 0),
  );
  return {
    findings: found.map(({ hit, rule }) => ({ rule: rule.name, description: rule.description, message: hit.message, range: hit.range })),
    isStrict: options.error,
    notes: [...unknownRules(options, all, "check"), ...notes],
  };
}

const checkArgument = "BUILDKIT_DOCKERFILE_CHECK";

function optionsOf({ dockerfile, buildArgs }: CheckInput): CheckOptions {
  const given = Object.hasOwn(buildArgs, checkArgument) ? buildArgs[checkArgument] : undefined;
  if (given !== undefined) return parseCheckOptions(given, `reading the build argument ${checkArgument}`);
  const written = dockerfile.directives.check;
  if (written === undefined) return noCheckOptions;
  const line = directiveLine(dockerfile, "check") ?? 1;
  const width = (dockerfile.text.split("\n", line)[line - 1] ?? "").trimEnd().length;
  const range = { start: { line, column: 1 }, end: { line, column: width + 1 } };
  return withRange(dockerfile, range, () => parseCheckOptions(written, "reading the check directive"));
}

interface OwnOptions {
  readonly forInstruction: (instruction: Instruction) => CheckOptions;
  readonly notes: readonly string[];
}

/** The first `# check=` above an instruction counts for it; one that cannot be read is left out. */
function ownOptions({ dockerfile, comments }: CheckedFile, options: CheckOptions, all: readonly Rule[]): OwnOptions {
  const found = new Map<number, CheckOptions>();
  const notes: string[] = [];
  for (const instruction of allInstructions(dockerfile)) {
    const value = comments(instruction).texts.flatMap((text) => /^check\s*=\s*(\S+)/i.exec(text)?.[1] ?? [])[0];
    const own = value === undefined ? undefined : tolerant(() => parseCheckOptions(value, "reading the check comment"));
    if (own === undefined) continue;
    const { line } = instruction.range.start;
    found.set(line, mergeOptions(options, own));
    notes.push(...unknownRules(own, all, `line ${line - 1}: check`));
  }
  // By line: triggers of a base stand at their FROM.
  return { forInstruction: ({ range }) => found.get(range.start.line) ?? options, notes };
}

function unknownRules({ skip, experimental }: CheckOptions, all: readonly Rule[], where: string): readonly string[] {
  const names = all.map(({ name }) => name);
  return [...skip, ...experimental].flatMap((name) => {
    if (name === "" || name === "all" || names.includes(name)) return [];
    const near = nearest(name, names);
    return [`${where}: there is no rule ${quoted(name)}${near === undefined ? "" : `; did you mean ${near}?`}`];
  });
}
