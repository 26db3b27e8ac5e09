import { TsbuildError } from "../../store/errors.ts";
import type { ImageConfig, Platform } from "../../store/oci.ts";
import type { LayerRef } from "../../store/open-rootfs.ts";
import { platformText } from "../../store/platform.ts";
import type { Dockerfile, Instruction, Stage, StageInstruction } from "../dockerfile/instruction.ts";
import type { FileOrigin } from "./operation.ts";

export type { PlanContext } from "./named-contexts.ts";

export type Base =
  | { readonly kind: "scratch" }
  /** Another stage, by index. */
  | { readonly kind: "stage"; readonly stage: number }
  | { readonly kind: "image"; readonly image: string }
  /** The files of a named context, without any configuration. */
  | { readonly kind: "context"; readonly context: string };

/** An instruction that a base carries for those who build on it. */
export interface Trigger {
  /** Its place is that of FROM. */
  readonly instruction: StageInstruction;
  /** Who carries it: 'the base image "node"'. */
  readonly owner: string;
  /** Its text comes from an image, not from the Dockerfile. */
  readonly ofImage: boolean;
}

/** A stage of the Dockerfile that a target needs. */
export interface PlannedStage {
  readonly index: number;
  /** Lower case; absent for an unnamed stage. */
  readonly name?: string;
  readonly base: Base;
  /** Of FROM --platform. */
  readonly platform?: Platform;
  readonly stage: Stage;
  /** Those of its base, as far as that is known; they come before its own instructions. */
  readonly triggers: readonly Trigger[];
  /** The stage's own; none where a named context stands in for the stage. */
  readonly instructions: readonly StageInstruction[];
  /** Where COPY --from (one) and RUN --mount (one for each mount) read; undefined for what has no origin of its own. */
  readonly origins: ReadonlyMap<StageInstruction, readonly (FileOrigin | undefined)[]>;
  /** Images, not stages, among the origins. */
  readonly readImages: readonly Omit<ImageUse, "platform">[];
}

/** An image that a stage stands on or reads from, and the instruction that wants it. */
export interface ImageUse {
  /** The name, as written. */
  readonly image: string;
  /** Which of its images is wanted where the name has several. */
  readonly platform: Platform;
  readonly instruction: Instruction;
}

/** An image that the build stands on or reads from. */
export interface PlannedImage {
  readonly config: ImageConfig;
  readonly layers: readonly LayerRef[];
  /** Which one it is, where a registry said so: "docker.io/library/debian@sha256:…". */
  readonly digestName?: string;
}

/** Tells uses of images apart: a name may mean an image for each platform. */
export function imageKey({ image, platform }: Pick<ImageUse, "image" | "platform">): string {
  return `${platformText(platform)} ${image}`;
}

export interface StagePlan {
  /** What the targets need and nothing else: each behind its base and what it reads from, otherwise in the order of the file. */
  readonly stages: readonly PlannedStage[];
  /** In the order asked for, each once. */
  readonly targets: readonly PlannedStage[];
}

/** Finds the stage that a name or, where `numbers` allows it, an index means among those before `before`. Names win; the last of a name wins. */
export function findStage(dockerfile: Dockerfile, reference: string, before: number, numbers: boolean): number | undefined {
  const wanted = reference.toLowerCase();
  for (let index = before - 1; index >= 0; index--) if (dockerfile.stages[index]?.from.stage?.toLowerCase() === wanted) return index;
  if (numbers && /^[-+]?\d+$/.test(reference)) {
    const index = Number(reference);
    if (index >= 0 && index < before) return index;
    throw new TsbuildError("INVALID_STAGE", `looking for stage ${reference}: only stages before this one can be named by number`);
  }
  return undefined;
}

/** A stage as messages call it. */
export function stageLabel(dockerfile: Dockerfile, index: number): string {
  return dockerfile.stages[index]?.from.stage?.toLowerCase() ?? `stage-${index}`;
}
