import { TsbuildError } from "../../store/errors.ts";
import { located, withRange } from "../dockerfile/errors.ts";
import { quoted } from "../dockerfile/fault.ts";
import type { Copy, Dockerfile, SourceRange } from "../dockerfile/instruction.ts";
import { nearest } from "../dockerfile/suggest.ts";
import { namesOf, type PlanOptions } from "./build-plan.ts";
import { planCopy } from "./copy.ts";
import type { GitSource, HttpSource } from "./operation.ts";
import { baseNamed, type Names } from "./origins.ts";
import { PersistentMap } from "./persistent-map.ts";
import { epochName } from "./predefined-args.ts";
import { publicUrl } from "./public-url.ts";
import { lastSecond } from "./rfc3339.ts";
import { type ArgSources, declareArgs } from "./scope.ts";
import { scratchBase } from "./stage-state.ts";

/** What a build takes its time from. */
export type EpochSource =
  | { readonly from: "number"; readonly seconds: number }
  /** The argument is there and empty: the build has no time of its own. */
  | { readonly from: "nothing" }
  /** The last commit of the repository that the build context is in. */
  | { readonly from: "commit" }
  /** The build context, or the one of this name. */
  | { readonly from: "context"; readonly name?: string }
  /** What the ADD at this place names. */
  | { readonly from: "remote"; readonly source: HttpSource | GitSource; readonly range: SourceRange };

/**
 * What is said to be the build's time: by `given` (a number, "git", or a word as in the argument), else the build argument, else the default of the ARG before the first FROM. A word is
 * "context", the name of a context, or that of a stage that is nothing but one ADD from elsewhere. Undefined where nothing is said. Throws INVALID_EPOCH, and what that ADD throws. Pure.
 */
export function epochSource(dockerfile: Dockerfile, options: PlanOptions, given: number | string | undefined): EpochSource | undefined {
  if (typeof given === "number") return { from: "number", seconds: checked(given, `${given}`) };
  if (given === "git") return { from: "commit" };
  const { names } = namesOf(dockerfile, options);
  const explicit = given ?? (Object.hasOwn(options.buildArgs, epochName) ? options.buildArgs[epochName] : undefined);
  if (explicit !== undefined) return meant(explicit, names, options);
  const fallback = names.globals.variables.get(epochName);
  const arg = dockerfile.globals.findLast(({ args }) => args.some(({ name }) => name === epochName));
  if (fallback === undefined || arg === undefined) return undefined;
  return withRange(dockerfile, arg.range, () => meant(fallback, names, options));
}

function meant(text: string, names: Names, options: PlanOptions): EpochSource {
  if (text === "") return { from: "nothing" };
  if (/^[-+]?\d+$/.test(text)) return { from: "number", seconds: checked(Number(text), text) };
  if (text === "context") return { from: "context" };
  const context = names.context(text);
  if (context !== undefined) return { from: "context", name: context.name };
  // Of several stages of the name the first, as with BuildKit.
  const stage = names.dockerfile.stages.findIndex(({ from }) => from.stage?.toLowerCase() === text.toLowerCase());
  if (stage >= 0) return sourceOfStage(names, stage, options);
  throw unknownWord(text, names, options);
}

function checked(seconds: number, text: string): number {
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= lastSecond) return seconds;
  throw new TsbuildError("INVALID_EPOCH", `reading ${epochName}: ${quoted(text)} is not a number of seconds from 0 to ${lastSecond}`);
}

function unknownWord(text: string, { dockerfile }: Names, { contexts }: PlanOptions): TsbuildError {
  const names = [...Object.keys(contexts), ...dockerfile.stages.flatMap(({ from }) => from.stage ?? [])];
  const near = nearest(text, ["context", ...names]);
  const hint =
    text === "git"
      ? "the last commit's time is taken with --source-date-epoch git"
      : near === undefined
        ? "it is a number, context, or the name of a --build-context or of a stage"
        : `did you mean "${near}"?`;
  return new TsbuildError(
    "INVALID_EPOCH",
    `reading ${epochName}: ${quoted(publicUrl(text))} is no number of seconds, and no context and no stage has that name`,
    { hint },
  );
}

/** The stage is read as it would be built, but nothing in it may hang on the time that it is to give. */
function sourceOfStage(given: Names, index: number, { platform }: PlanOptions): EpochSource {
  const { dockerfile } = given;
  const stage = dockerfile.stages[index];
  if (stage === undefined) throw new RangeError(`no stage ${index}`);
  const sources = withoutEpoch(given.sources);
  const names = { ...given, sources, globals: { ...given.globals, variables: PersistentMap.of(without(given.globals.variables)) } };
  const label = stage.from.stage ?? "";
  const base = withRange(dockerfile, stage.from.range, () => {
    const found = baseNamed(names, index).base;
    if (found.kind !== "scratch") throw unfit(label, "it stands on files");
    return scratchBase(platform).state;
  });
  let state = base;
  let add: { readonly source: HttpSource | GitSource; readonly range: SourceRange } | undefined;
  for (const instruction of stage.instructions) {
    withRange(dockerfile, instruction.range, () => {
      if (instruction.keyword === "ARG") state = { ...state, scope: declareArgs(instruction, state.scope, sources).scope };
      else if (instruction.keyword !== "ADD") throw unfit(label, `it has ${instruction.keyword}`);
      else if (add !== undefined) throw unfit(label, "it has more than one ADD");
      else
        add = {
          source: remoteOf(instruction, label, planCopy(instruction, state, { from: "context" }, sources)),
          range: instruction.range,
        };
    });
  }
  if (add === undefined) throw located(unfit(label, "it has no ADD"), dockerfile, stage.from.range);
  return { from: "remote", ...add };
}

function remoteOf({ sources }: Copy, label: string, { operation: { words } }: ReturnType<typeof planCopy>): HttpSource | GitSource {
  const [word] = words;
  if (sources.length !== 1 || word === undefined) throw unfit(label, "its ADD has more than one source");
  if (word.kind === "path") throw unfit(label, "its ADD reads from the context");
  return word;
}

function unfit(stage: string, problem: string): TsbuildError {
  return new TsbuildError("INVALID_EPOCH", `taking ${epochName} from stage ${quoted(stage)}: ${problem}`, {
    hint: "such a stage is FROM scratch, ARG, and one ADD of one URL or git repository",
  });
}

function withoutEpoch(sources: ArgSources): ArgSources {
  const { [epochName]: _, ...buildArgs } = sources.buildArgs;
  return { ...sources, buildArgs, globals: new Map(without(sources.globals)) };
}

function without(variables: Iterable<readonly [string, string]>): readonly (readonly [string, string])[] {
  return [...variables].filter(([name]) => name !== epochName);
}
