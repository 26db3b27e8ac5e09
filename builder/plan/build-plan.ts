import { TsbuildError } from "../../store/errors.ts";
import type { HistoryEntry, ImageConfig, Platform } from "../../store/oci.ts";
import type { LayerRef } from "../../store/open-rootfs.ts";
import { machinePlatform } from "../../store/platform.ts";
import { type DockerfileError, DockerfileErrors } from "../dockerfile/errors.ts";
import type { Dockerfile, Instruction } from "../dockerfile/instruction.ts";
import type { NetworkMode } from "../options.ts";
import type { StepInfo } from "../progress/event.ts";
import { platformArgs } from "./platform.ts";
import { type ArgSources, globalArgs } from "./scope.ts";
import { collecting, type PlannedStep, planWork } from "./stage.ts";
import { type BaseState, imageBase, type PlannedHistory, type StageState, scratchBase, stageBase } from "./stage-state.ts";
import { type Base, type ImageUse, imageKey, type PlannedStage, planStages, type StagePlan } from "./stages.ts";

/** An image that the build stands on or copies from. */
export interface PlannedImage {
  readonly config: ImageConfig;
  readonly layers: readonly LayerRef[];
  /** Which one it is, where a registry said so: "docker.io/library/debian@sha256:…". */
  readonly digestName?: string;
}

/** A stage ready to be executed. */
export interface StageWork {
  readonly index: number;
  readonly name?: string;
  readonly base: Base;
  readonly baseLayers: readonly LayerRef[];
  /** PlannedImage's, of the base. */
  readonly baseName?: string;
  /** Stages that must be done before this one begins: its base. */
  readonly needs: readonly number[];
  /** What its base was asked for, and its RUN steps run for. */
  readonly platform: Platform;
  /** What the config that it starts from says it is for. */
  readonly basePlatform: Platform;
  readonly steps: readonly PlannedStep[];
  /** One for each step. */
  readonly infos: readonly StepInfo[];
  readonly fromInfo: StepInfo;
  readonly state: StageState;
  /** Rows of the base image; none where the base is a stage, whose rows are planned with it. */
  readonly baseHistory: readonly HistoryEntry[];
  readonly history: readonly PlannedHistory[];
}

export interface BuildPlan {
  readonly dockerfile: Dockerfile;
  readonly stages: readonly StageWork[];
  readonly target: StageWork;
  /** An image that COPY --from names: always of the build's platform. */
  image(name: string): PlannedImage;
  stageLabel(index: number): string;
}

export interface PlanOptions {
  readonly target?: string;
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly platform: Platform;
  readonly network: NetworkMode;
}

/** First half: which stages are needed, and which images for which platforms. Needs nothing but the text. Pure. */
export function outlineBuild(
  dockerfile: Dockerfile,
  options: PlanOptions,
): { outline: StagePlan; sources: ArgSources; images: readonly ImageUse[] } {
  const targetName = options.target ?? dockerfile.stages.at(-1)?.from.stage ?? "default";
  const fixed = {
    escape: dockerfile.escape,
    buildArgs: options.buildArgs,
    platformArgs: platformArgs(options.platform, machinePlatform(), targetName),
  };
  const globals = globalArgs(dockerfile.globals, fixed, dockerfile);
  const sources: ArgSources = { ...fixed, globals: new Map([...globals.variables].filter(([name]) => globals.args.includes(name))) };
  const outline = planStages(dockerfile, globals, sources, options.target);
  return { outline, sources, images: outline.stages.flatMap((stage) => imagesOf(stage, options.platform)) };
}

/** FROM --platform says which image of a base is wanted; COPY --from takes the build's. */
function imagesOf({ base, platform, stage, copiedImages }: PlannedStage, target: Platform): readonly ImageUse[] {
  return [
    ...(base.kind === "image" ? [{ image: base.image, platform: platform ?? target, instruction: stage.from }] : []),
    ...copiedImages.map((use) => ({ ...use, platform: target })),
  ];
}

/**
 * Second half: every step of every needed stage, with the configs of the base images known, by imageKey. Throws all that is wrong with
 * instructions at once. Pure.
 */
export function planBuild(
  dockerfile: Dockerfile,
  outline: StagePlan,
  sources: ArgSources,
  images: ReadonlyMap<string, PlannedImage>,
  options: PlanOptions,
): BuildPlan {
  const image = (name: string, platform = options.platform): PlannedImage => {
    const found = images.get(imageKey({ image: name, platform }));
    if (found === undefined) throw new RangeError(`image ${name} was not resolved`);
    return found;
  };
  const single = outline.stages.length === 1 && outline.stages[0]?.name === undefined;
  const labels = new Map(outline.stages.map(({ index, name }) => [index, name ?? `stage-${index}`]));
  const done = new Map<number, StageWork>();
  const errors: DockerfileError[] = [];
  const onError = (error: DockerfileError): void => void errors.push(error);
  let nextId = 1;

  for (const planned of outline.stages) {
    const label = labels.get(planned.index) ?? "";
    const base = baseOf(dockerfile, planned, done, options.platform, image, onError);
    const { steps, state, history } = planWork(dockerfile, planned, base.state, { network: options.network, sources, onError });
    const info = (position: number, instruction: Instruction): StepInfo => ({
      id: nextId++,
      ...(single ? {} : { stage: label }),
      title: `[${single ? "" : `${label} `}${position}/${steps.length + 1}] ${shorten(instruction.text)}`,
      range: instruction.range,
    });
    const fromInfo = info(1, planned.stage.from);
    const baseImage = planned.base.kind === "image" ? image(planned.base.image, base.wanted) : undefined;
    done.set(planned.index, {
      index: planned.index,
      ...(planned.name === undefined ? {} : { name: planned.name }),
      base: planned.base,
      baseLayers: baseImage?.layers ?? [],
      ...(baseImage?.digestName === undefined ? {} : { baseName: baseImage.digestName }),
      needs: planned.base.kind === "stage" ? [planned.base.stage] : [],
      platform: base.wanted,
      basePlatform: base.platform,
      steps,
      infos: steps.map((step, i) => info(i + 2, step.instruction)),
      fromInfo,
      state,
      baseHistory: base.history,
      history,
    });
  }
  if (errors.length > 1) throw new DockerfileErrors(errors);
  if (errors[0] !== undefined) throw errors[0];
  const target = done.get(outline.target.index);
  if (target === undefined) throw new RangeError("the target was not planned");
  return {
    dockerfile,
    stages: [...done.values()],
    target,
    image: (name) => image(name),
    stageLabel: (index) => `"${labels.get(index) ?? index}"`,
  };
}

function baseOf(
  dockerfile: Dockerfile,
  { base, stage, platform }: PlannedStage,
  done: ReadonlyMap<number, StageWork>,
  target: Platform,
  image: (name: string, platform: Platform) => PlannedImage,
  onError: (error: DockerfileError) => void,
): BaseState & { readonly wanted: Platform } {
  // The empty image has no platform to choose, and a stage is what it is: FROM --platform chooses among images only.
  if (base.kind === "scratch") return { ...scratchBase(target), wanted: target };
  const refuseTriggers = (triggers: readonly string[] = [], what: string): void =>
    collecting(onError, dockerfile, stage.from.range, () => {
      if (triggers.length === 0) return;
      throw new TsbuildError("UNSUPPORTED_FEATURE", `planning the build: ${what} has ONBUILD triggers, which this version does not run`);
    });
  if (base.kind === "stage") {
    const parent = done.get(base.stage);
    if (parent === undefined) throw new RangeError(`stage ${base.stage} was not planned before`);
    refuseTriggers(parent.state.config.OnBuild, `the stage "${stage.from.image}"`);
    return { state: stageBase(parent.state), history: [], platform: parent.basePlatform, wanted: parent.platform };
  }
  const wanted = platform ?? target;
  const { config } = image(base.image, wanted);
  refuseTriggers(config.config?.OnBuild, `the base image "${base.image}"`);
  return { ...imageBase(config), wanted };
}

const titleLimit = 160;

function shorten(text: string): string {
  return text.length <= titleLimit ? text : `${text.slice(0, titleLimit - 1)}…`;
}
