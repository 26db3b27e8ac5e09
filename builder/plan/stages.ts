import { TsbuildError } from "../../store/errors.ts";
import type { Platform } from "../../store/oci.ts";
import { platformText } from "../../store/platform.ts";
import { withRange } from "../dockerfile/errors.ts";
import type { Dockerfile, Instruction, Stage } from "../dockerfile/instruction.ts";
import { nearest } from "../dockerfile/suggest.ts";
import { parsePlatform } from "./platform.ts";
import { type ArgSources, expand, type Scope } from "./scope.ts";

export type Base =
  | { readonly kind: "scratch" }
  /** An earlier stage, by index. */
  | { readonly kind: "stage"; readonly stage: number }
  | { readonly kind: "image"; readonly image: string };

/** A stage of the Dockerfile that the target needs. */
export interface PlannedStage {
  readonly index: number;
  /** Lower case; absent for an unnamed stage. */
  readonly name?: string;
  readonly base: Base;
  /** Of FROM --platform. */
  readonly platform?: Platform;
  readonly stage: Stage;
  /** Images, not stages, that COPY --from reads. */
  readonly copiedImages: readonly Omit<ImageUse, "platform">[];
}

/** An image that a stage stands on or copies from, and the instruction that wants it. */
export interface ImageUse {
  /** The name, as written. */
  readonly image: string;
  /** Which of its images is wanted where the name has several. */
  readonly platform: Platform;
  readonly instruction: Instruction;
}

/** Tells uses of images apart: a name may mean an image for each platform. */
export function imageKey({ image, platform }: Pick<ImageUse, "image" | "platform">): string {
  return `${platformText(platform)} ${image}`;
}

export interface StagePlan {
  /** What the target needs and nothing else, in the order of the file. */
  readonly stages: readonly PlannedStage[];
  readonly target: PlannedStage;
}

/** Finds the stage that a name or, where `numbers` allows it, an index means among those before `before`. Names win; the last of a name wins. */
export function findStage(dockerfile: Dockerfile, reference: string, before: number, numbers: boolean): number | undefined {
  const wanted = reference.toLowerCase();
  for (let index = before - 1; index >= 0; index--) if (dockerfile.stages[index]?.from.stage?.toLowerCase() === wanted) return index;
  if (numbers && /^\d+$/.test(reference)) {
    const index = Number(reference);
    if (index < before) return index;
    throw new TsbuildError("INVALID_STAGE", `looking for stage ${reference}: only stages before this one can be named by number`);
  }
  return undefined;
}

/** Chooses the stages to build: the target (default: the last) and what it stands on or copies from. Pure. */
export function planStages(dockerfile: Dockerfile, globals: Scope, sources: ArgSources, target: string | undefined): StagePlan {
  const targetIndex = target === undefined ? dockerfile.stages.length - 1 : targetStage(dockerfile, target);
  const planned = new Map<number, PlannedStage>();
  const need = (index: number): void => {
    if (planned.has(index)) return;
    const stage = dockerfile.stages[index];
    if (stage === undefined) throw new RangeError(`no stage ${index}`);
    const { stages: copied, images } = copyOrigins(dockerfile, stage, index);
    const entry = planStage(dockerfile, stage, index, globals, sources, images);
    planned.set(index, entry);
    if (entry.base.kind === "stage") need(entry.base.stage);
    for (const other of copied) need(other);
  };
  need(targetIndex);
  const stages = [...planned.values()].sort((a, b) => a.index - b.index);
  const last = planned.get(targetIndex);
  if (last === undefined) throw new RangeError(`no stage ${targetIndex}`);
  return { stages, target: last };
}

function planStage(
  dockerfile: Dockerfile,
  stage: Stage,
  index: number,
  globals: Scope,
  sources: ArgSources,
  copiedImages: PlannedStage["copiedImages"],
): PlannedStage {
  return withRange(dockerfile, stage.from.range, () => {
    const image = expand(stage.from.image, globals, sources);
    if (image === "") {
      throw new TsbuildError("EMPTY_BASE", `reading FROM ${stage.from.image}: the name of the base image expands to nothing`, {
        hint: "give the ARG a default before the first FROM, or pass it with --build-arg",
      });
    }
    const platform = stage.from.platform === undefined ? "" : expand(stage.from.platform, globals, sources);
    const earlier = findStage(dockerfile, image, index, false);
    const base: Base =
      earlier !== undefined ? { kind: "stage", stage: earlier } : image === "scratch" ? { kind: "scratch" } : { kind: "image", image };
    return {
      index,
      base,
      stage,
      copiedImages,
      ...(stage.from.stage === undefined ? {} : { name: stage.from.stage.toLowerCase() }),
      ...(platform === "" ? {} : { platform: parsePlatform(platform) }),
    };
  });
}

function copyOrigins(
  dockerfile: Dockerfile,
  stage: Stage,
  index: number,
): { stages: readonly number[]; images: PlannedStage["copiedImages"] } {
  const stages: number[] = [];
  const images: Omit<ImageUse, "platform">[] = [];
  for (const instruction of stage.instructions) {
    if (instruction.keyword !== "COPY" || instruction.flags.from === undefined) continue;
    const from = instruction.flags.from;
    const other = withRange(dockerfile, instruction.range, () => {
      if (from.includes("$")) {
        throw new TsbuildError("VARIABLE_IN_FROM", `reading COPY --from=${from}: variables are not expanded in --from`, {
          hint: "name a stage with FROM … AS name, using the variable in that FROM",
        });
      }
      const earlier = findStage(dockerfile, from, index, true);
      const anywhere = findStage(dockerfile, from, dockerfile.stages.length, false);
      if (earlier === undefined && anywhere !== undefined) {
        throw new TsbuildError("INVALID_STAGE", `reading COPY --from=${from}: stage "${from}" must be defined before this one`, {
          hint: anywhere === index ? "a stage cannot copy from itself" : `move stage "${from}" above this one`,
        });
      }
      return earlier;
    });
    if (other === undefined) images.push({ image: from, instruction });
    else stages.push(other);
  }
  return { stages, images };
}

function targetStage(dockerfile: Dockerfile, target: string): number {
  const found = findStage(dockerfile, target, dockerfile.stages.length, false);
  if (found !== undefined) return found;
  const names = dockerfile.stages.flatMap((stage) => (stage.from.stage === undefined ? [] : [stage.from.stage]));
  const near = nearest(target, names);
  throw new TsbuildError("UNKNOWN_TARGET", `looking for the target stage "${target}": ${dockerfile.file} has no stage of that name`, {
    hint:
      near !== undefined
        ? `did you mean "${near}"?`
        : names.length > 0
          ? `its stages are: ${names.join(", ")}`
          : "it has no named stages: add AS <name> to a FROM",
  });
}
