import { TsbuildError } from "../../store/errors.ts";
import { type Source, withRange } from "../dockerfile/errors.ts";
import type { Arg } from "../dockerfile/instruction.ts";
import type { Expansion } from "../dockerfile/scan-word.ts";
import { expandWord, expandWords, expansionOf } from "../dockerfile/words.ts";
import { PersistentMap } from "./persistent-map.ts";

/**
 * The variables that words see at one point of a Dockerfile: ENV of the base and of the stage, and ARGs that have a value;
 * whichever was set last wins. Immutable: every step returns a new scope.
 */
export interface Scope {
  readonly variables: PersistentMap<string>;
  /** ARGs declared so far in this stage or the stages it is built from, in the order of their first declarations. */
  readonly args: PersistentMap<true>;
}

/** What is fixed for the whole build, and where ARGs get their values. */
export interface ArgSources {
  readonly escape: "\\" | "`";
  readonly buildArgs: Readonly<Record<string, string>>;
  /** ARGs before the first FROM, with the values they got. */
  readonly globals: ReadonlyMap<string, string>;
  /** TARGETPLATFORM and its like. */
  readonly platformArgs: Readonly<Record<string, string>>;
  /** Several targets are built at once: TARGETSTAGE has no one value, and to ask for it is an error. Absent: no. */
  readonly severalTargets?: boolean;
}

/** Variables without any ARG. */
export function scopeOf(variables: Iterable<readonly [string, string]>): Scope {
  return { variables: PersistentMap.of(variables), args: PersistentMap.of() };
}

export function expand(word: string, scope: Scope, sources: ArgSources): string {
  return expandWord(word, (name) => scope.variables.get(name), { escape: sources.escape });
}

export function expandList(word: string, scope: Scope, sources: ArgSources): readonly string[] {
  return expandWords(word, (name) => scope.variables.get(name), { escape: sources.escape });
}

/** Expands a word of a place that sees what stands before the first FROM and no more: FROM itself, and --from. */
export function expandGlobal(word: string, globals: Scope, sources: Pick<ArgSources, "escape" | "severalTargets">): Expansion {
  const lookup = (name: string): string | undefined => globals.variables.get(name) ?? refuseTargetStage(name, sources);
  return expansionOf(word, lookup, { escape: sources.escape });
}

function refuseTargetStage(name: string, { severalTargets }: Pick<ArgSources, "severalTargets">): undefined {
  if (!severalTargets || name !== "TARGETSTAGE") return undefined;
  throw new TsbuildError(
    "AMBIGUOUS_TARGET",
    "reading TARGETSTAGE: several targets are built at once, and it has one value for all of a build",
    {
      hint: "build the targets one by one, or give it a value with --build-arg TARGETSTAGE=NAME",
    },
  );
}

export function setVariable(scope: Scope, name: string, value: string): Scope {
  return { ...scope, variables: scope.variables.withLast(name, value) };
}

/**
 * Declares the ARGs of one instruction. `--build-arg` beats the default, the default beats a global of that name, and an
 * expansion that fails is no error when a build argument overrides it.
 */
export function declareArgs(
  instruction: Arg,
  scope: Scope,
  sources: ArgSources,
  word: (text: string, scope: Scope) => string = (text, seen) => expand(text, seen, sources),
): { scope: Scope; texts: readonly string[] } {
  const texts: string[] = [];
  let next = scope;
  for (const { name, value: fallback } of instruction.args) {
    const value = ownValue(sources.buildArgs, name) ?? (fallback === undefined ? inherited(name, sources) : word(fallback, next));
    if (value !== undefined) next = setVariable(next, name, value);
    if (!next.args.has(name)) next = { ...next, args: next.args.with(name, true) };
    texts.push(value === undefined ? name : `${name}=${value}`);
  }
  return { scope: next, texts };
}

/** The ARGs before the first FROM, which only FROM and bare ARGs of stages see. */
export function globalArgs(instructions: readonly Arg[], sources: Omit<ArgSources, "globals">, source: Source): Scope {
  const start = scopeOf(Object.entries(sources.platformArgs));
  const word = (text: string, scope: Scope): string => expandGlobal(text, scope, sources).text;
  return instructions.reduce(
    (scope, arg) => withRange(source, arg.range, () => declareArgs(arg, scope, { ...sources, globals: new Map() }, word).scope),
    start,
  );
}

function inherited(name: string, sources: ArgSources): string | undefined {
  return sources.globals.get(name) ?? ownValue(sources.platformArgs, name) ?? refuseTargetStage(name, sources);
}

function ownValue(record: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}
