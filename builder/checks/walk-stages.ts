import type { ImageConfig, Platform } from "../../store/oci.ts";
import type { From, StageInstruction } from "../dockerfile/instruction.ts";
import { type Expansion, scanWord } from "../dockerfile/scan-word.ts";
import type { Suggest } from "../dockerfile/suggest.ts";
import { expansionOf } from "../dockerfile/words.ts";
import { type ArgSources, declareArgs, type Scope, setVariable } from "../plan/scope.ts";
import { imageBase, scratchBase } from "../plan/stage-state.ts";
import { imageKey, type PlannedStage } from "../plan/stages.ts";
import type { CheckInput } from "./check-input.ts";
import { type CheckedFile, tolerant } from "./checked-file.ts";

/** A stage that is built. */
export interface CheckedStage {
  readonly planned: PlannedStage;
  readonly from: From;
  /** What the base is wanted for. */
  readonly platform: Platform;
  /** Where the base is an image that is known. */
  readonly baseConfig?: ImageConfig;
}

/** An instruction of a stage that is built, a trigger of its base included, with what it can see. */
export interface CheckedStep {
  readonly instruction: StageInstruction;
  readonly stage: CheckedStage;
  /** Before the instruction. */
  readonly scope: Scope;
  readonly sources: ArgSources;
  /** False where the base's own variables are not known. */
  readonly knowsVariables: boolean;
  /** What runs the shell form: the platform's default, one that SHELL chose, or the unknown base decides. */
  readonly shell: "default" | "chosen" | "unknown";
  /** A WORKDIR stands before it, in this stage or those that it is built from. */
  readonly hasWorkdir: boolean;
  /** The last one of the same keyword in this stage. */
  readonly earlier: StageInstruction | undefined;
  readonly suggest: Suggest;
  /** Undefined where the word cannot be expanded, which planning reports. */
  expand(word: string): Expansion | undefined;
  /** The same for the body of a heredoc. */
  expandDocument(content: string): Expansion | undefined;
}

export interface Visitor {
  stage?(stage: CheckedStage): void;
  step?(step: CheckedStep): void;
}

/** What a stage hands on to those that are built from it. */
type Handed = Pick<CheckedStep, "scope" | "knowsVariables" | "shell" | "hasWorkdir">;

/** Visits the stages that are built and their instructions, each stage behind its base. */
export function walkStages(file: CheckedFile, { stages, images, platform: target }: CheckInput, visitor: Visitor): void {
  const handed = new Map<number, Handed>();
  for (const planned of stages) {
    const { base, stage, platform = target } = planned;
    const config = base.kind === "image" ? images.get(imageKey({ image: base.image, platform }))?.config : undefined;
    const checked = { planned, from: stage.from, platform, ...(config === undefined ? {} : { baseConfig: config }) };
    visitor.stage?.(checked);
    const start = base.kind === "stage" ? (handed.get(base.stage) ?? unknownBase(platform)) : baseOf(checked);
    handed.set(planned.index, walkStage(file, checked, start, visitor));
  }
}

function baseOf({ planned: { base }, baseConfig, platform }: CheckedStage): Handed {
  // The files of a context bring no configuration, as the empty image does.
  if (base.kind === "scratch" || base.kind === "context") return { ...unknownBase(platform), knowsVariables: true, shell: "default" };
  if (baseConfig === undefined) return unknownBase(platform);
  const shell = (baseConfig.config?.Shell ?? []).length > 0 ? "chosen" : "default";
  return { scope: imageBase(baseConfig).state.scope, knowsVariables: true, shell, hasWorkdir: false };
}

function unknownBase(platform: Platform): Handed {
  return { scope: scratchBase(platform).state.scope, knowsVariables: false, shell: "unknown", hasWorkdir: false };
}

function walkStage({ sources, suggest }: CheckedFile, stage: CheckedStage, start: Handed, visitor: Visitor): Handed {
  const { triggers, instructions } = stage.planned;
  let { scope, shell, hasWorkdir } = start;
  const last = new Map<string, StageInstruction>();
  for (const instruction of [...triggers.map((trigger) => trigger.instruction), ...instructions]) {
    const seen = scope;
    const lookup = (name: string): string | undefined => seen.variables.get(name);
    const expand = (word: string): Expansion | undefined => tolerant(() => expansionOf(word, lookup, sources));
    visitor.step?.({
      instruction,
      stage,
      scope,
      sources,
      knowsVariables: start.knowsVariables,
      shell,
      hasWorkdir,
      earlier: last.get(instruction.keyword),
      suggest,
      expand,
      expandDocument: (source) => tolerant(() => scanWord({ source, env: lookup, escape: "\\", quotes: false })),
    });
    last.set(instruction.keyword, instruction);
    if (instruction.keyword === "ARG") scope = tolerant(() => declareArgs(instruction, seen, sources).scope) ?? scope;
    else if (instruction.keyword === "ENV") {
      for (const { key, value } of instruction.pairs) scope = setVariable(scope, expand(key)?.text ?? key, expand(value)?.text ?? "");
    } else if (instruction.keyword === "SHELL") shell = "chosen";
    else if (instruction.keyword === "WORKDIR") hasWorkdir = true;
  }
  return { scope, knowsVariables: start.knowsVariables, shell, hasWorkdir };
}
