import { TsbuildError } from "../../store/errors.ts";
import type { Platform } from "../../store/oci.ts";
import { collecting, type DockerfileError, throwCollected } from "../dockerfile/errors.ts";
import { quoted } from "../dockerfile/fault.ts";
import type { Instruction, Stage, StageInstruction } from "../dockerfile/instruction.ts";
import type { FileOrigin } from "./operation.ts";
import { baseNamed, type NamedOrigin, type Names, originsOf, scratch } from "./origins.ts";
import { parsePlatform } from "./platform.ts";
import { expandGlobal } from "./scope.ts";
import { type StageNeed, stagesInOrder } from "./stage-order.ts";
import {
  type Base,
  type ImageUse,
  imageKey,
  type PlannedImage,
  type PlannedStage,
  type StagePlan,
  stageLabel,
  type Trigger,
} from "./stages.ts";
import { inTrigger, readTriggers } from "./triggers.ts";
import { unsetHint, withHint } from "./unset-hint.ts";

export interface SelectOptions {
  /** By index, each once. */
  readonly targets: readonly number[];
  /** What a base is asked for where its FROM does not say. */
  readonly platform: Platform;
  /** Images known so far, by imageKey: their triggers take part. */
  readonly images: ReadonlyMap<string, PlannedImage>;
}

/**
 * Chooses the stages to build: the targets, and what they stand on and read from. Throws everything that is wrong with FROM, --from and triggers of those
 * stages at once. Pure.
 */
export function selectStages(names: Names, { targets, platform, images }: SelectOptions): StagePlan {
  const errors: DockerfileError[] = [];
  const planned = new Map<number, PlannedStage>();
  const needs = new Map<number, readonly StageNeed[]>();
  const waiting = [...targets];
  for (let index = waiting.pop(); index !== undefined; index = waiting.pop()) {
    if (needs.has(index)) continue;
    const found = readStage(names, index, { platform, images }, (error) => void errors.push(error));
    planned.set(index, found.stage);
    needs.set(index, found.needs);
    waiting.push(...found.needs.map(({ stage }) => stage));
  }
  const order = stagesInOrder(names.dockerfile, needs, (error) => void errors.push(error));
  throwCollected(errors);
  const stageAt = (index: number): PlannedStage => {
    const stage = planned.get(index);
    if (stage === undefined) throw new RangeError(`stage ${index} was not planned`);
    return stage;
  };
  return { stages: order.map(stageAt), targets: targets.map(stageAt) };
}

interface ReadStage {
  readonly stage: PlannedStage;
  readonly needs: readonly StageNeed[];
}

function readStage(
  names: Names,
  index: number,
  known: Pick<SelectOptions, "platform" | "images">,
  onError: (error: DockerfileError) => void,
): ReadStage {
  const { dockerfile } = names;
  const stage = dockerfile.stages[index];
  if (stage === undefined) throw new RangeError(`no stage ${index}`);
  const at = <T>(instruction: Instruction, body: () => T): T | undefined => collecting(onError, dockerfile, instruction.range, body);
  const { base, replaced } = at(stage.from, () => baseNamed(names, index)) ?? { base: { kind: "scratch" } as const, replaced: false };
  const platform = at(stage.from, () => platformOf(names, stage));
  const triggers = replaced
    ? []
    : (at(stage.from, () => triggersOf(names, stage, base, { ...known, platform: platform ?? known.platform })) ?? []);
  const instructions = replaced ? [] : stage.instructions;

  const needs: StageNeed[] =
    base.kind === "stage" ? [{ stage: base.stage, instruction: stage.from, text: stage.from.text, mayBeLater: true }] : [];
  const origins = new Map<StageInstruction, readonly (FileOrigin | undefined)[]>();
  const readImages: Omit<ImageUse, "platform">[] = [];
  const read = (instruction: StageInstruction, found: readonly NamedOrigin[]): void => {
    for (const { origin, text } of found) {
      if (origin?.from === "later") needs.push({ stage: origin.stage, instruction, text, mayBeLater: false });
      // A stage that a named context stands for may stand behind this one.
      else if (origin?.from === "stage") needs.push({ stage: origin.stage, instruction, text, mayBeLater: true });
      else if (origin?.from === "image" && origin.image !== scratch) readImages.push({ image: origin.image, instruction });
    }
    const known = found.map(({ origin }) => (origin?.from === "later" ? undefined : origin));
    if (found.length > 0) origins.set(instruction, known);
  };
  for (const trigger of triggers) {
    const { instruction } = trigger;
    const found = at(instruction, () => inTrigger(trigger, () => originsOf(names, instruction, index))) ?? [];
    read(
      instruction,
      found.map(({ origin, text }) => ({ origin, text: `ONBUILD ${text}` })),
    );
  }
  for (const instruction of instructions) read(instruction, at(instruction, () => originsOf(names, instruction, index)) ?? []);
  const name = stage.from.stage?.toLowerCase();
  return {
    stage: {
      index,
      base,
      stage,
      triggers,
      instructions,
      origins,
      readImages,
      ...(name === undefined ? {} : { name }),
      ...(platform === undefined ? {} : { platform }),
    },
    needs,
  };
}

function platformOf(names: Names, { from }: Stage): Platform | undefined {
  if (from.platform === undefined) return undefined;
  const { text, unset } = expandGlobal(from.platform, names.globals, names.sources);
  const hint = unsetHint(unset, names);
  if (text !== "") return withHint(hint, () => parsePlatform(text));
  throw new TsbuildError("INVALID_PLATFORM", `reading --platform=${quoted(from.platform)}: it expands to nothing`, {
    hint: hint ?? "give the ARG a default before the first FROM, or pass it with --build-arg",
  });
}

/** A stage's own ONBUILD are triggers of those that stand on it; what fired in it is used up. */
function triggersOf(
  names: Names,
  { from }: Stage,
  base: Base,
  { platform, images }: Pick<SelectOptions, "platform" | "images">,
): readonly Trigger[] {
  switch (base.kind) {
    case "scratch":
    case "context":
      return [];
    case "image": {
      const texts = images.get(imageKey({ image: base.image, platform }))?.config.config?.OnBuild ?? [];
      return readTriggers(texts, { owner: `the base image ${quoted(base.image)}`, ofImage: true }, from);
    }
    case "stage": {
      const { dockerfile, context } = names;
      const parent = dockerfile.stages[base.stage];
      const isReplaced = parent?.from.stage !== undefined && context(parent.from.stage.toLowerCase()) !== undefined;
      const own = isReplaced ? [] : (parent?.instructions ?? []);
      const texts = own.flatMap((instruction) => (instruction.keyword === "ONBUILD" ? [instruction.trigger] : []));
      return readTriggers(texts, { owner: `the stage ${quoted(stageLabel(dockerfile, base.stage))}`, ofImage: false }, from);
    }
  }
}
