import type { HistoryEntry, Platform } from "../../store/oci.ts";
import type { LayerRef } from "../../store/open-rootfs.ts";
import { machinePlatform, platformText } from "../../store/platform.ts";
import { type DockerfileError, throwCollected } from "../dockerfile/errors.ts";
import type { Dockerfile, Instruction } from "../dockerfile/instruction.ts";
import type { NetworkMode } from "../options.ts";
import type { StepInfo } from "../progress/event.ts";
import { contextFinder, type PlanContext } from "./named-contexts.ts";
import { type Names, scratch } from "./origins.ts";
import { platformArgs } from "./platform.ts";
import { sandboxHostname } from "./sandbox-hostname.ts";
import { type ArgSources, globalArgs } from "./scope.ts";
import { selectStages } from "./select-stages.ts";
import { type PlannedStep, planWork } from "./stage.ts";
import { type BaseState, imageBase, type PlannedHistory, type StageState, scratchBase, stageBase } from "./stage-state.ts";
import { type Base, type ImageUse, imageKey, type PlannedImage, type PlannedStage, type StagePlan } from "./stages.ts";
import { targetStages } from "./target-stages.ts";

export type { PlannedImage } from "./stages.ts";

/** A stage ready to be executed. */
export interface StageWork {
  readonly index: number;
  readonly name?: string;
  readonly base: Base;
  readonly baseLayers: readonly LayerRef[];
  /** PlannedImage's, of the base. */
  readonly baseName?: string;
  /** Stages that must be done before this one begins: its base. Those that a step reads from are in its operation. */
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
  /** "linux/arm64": which of several platforms it is for; absent in a build for one. */
  readonly platform?: string;
  /** Each behind its base and the stages that it reads from. */
  readonly stages: readonly StageWork[];
  /** In the order asked for, each once. */
  readonly targets: readonly StageWork[];
  /** An image that COPY --from or a mount names: always of the build's platform. */
  image(name: string): PlannedImage;
  stageLabel(index: number): string;
}

export interface PlanOptions {
  /** Stage names, "*" for all; none: the last stage. */
  readonly targets: readonly string[];
  /** By the names given to --build-context. */
  readonly contexts: Readonly<Record<string, PlanContext>>;
  /** RUN steps have no network, whatever they ask for: to ask for the host's is an error. */
  readonly hermetic: boolean;
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly platform: Platform;
  /** The build is for others too: titles say for which one a step is. */
  readonly severalPlatforms?: boolean;
  readonly network: NetworkMode;
}

/** Which stages are built, and on what. */
export interface Outline {
  readonly plan: StagePlan;
  readonly sources: ArgSources;
  /** Every image that is needed, as far as that is known. */
  readonly images: readonly ImageUse[];
  /** Names of the contexts that mean something to these stages. */
  readonly contexts: ReadonlySet<string>;
}

/** What names and words mean that stand before the first FROM, or in one, and the targets by index. Throws UNKNOWN_TARGET, and what is wrong with these ARGs. */
export function namesOf(dockerfile: Dockerfile, options: PlanOptions): { readonly names: Names; readonly targets: readonly number[] } {
  const targets = targetStages(dockerfile, options.targets);
  const fixed = {
    escape: dockerfile.escape,
    buildArgs: options.buildArgs,
    platformArgs: platformArgs(options.platform, machinePlatform(), targetName(dockerfile, targets, options), options.buildArgs),
    severalTargets: targets.length > 1,
  };
  const globals = globalArgs(dockerfile.globals, fixed, dockerfile);
  const sources: ArgSources = { ...fixed, globals: new Map([...globals.variables].filter(([name]) => globals.args.has(name))) };
  return { names: { dockerfile, context: contextFinder(options.contexts), globals, sources }, targets };
}

/**
 * First half: which stages are needed, and which images for which platforms. `images` holds those known so far, by imageKey: triggers of a base may name more. Call it again
 * with more until all images of the result are known. Throws all that is wrong with the choice of stages at once. Pure.
 */
export function outlineBuild(dockerfile: Dockerfile, options: PlanOptions, images: ReadonlyMap<string, PlannedImage>): Outline {
  const { names, targets } = namesOf(dockerfile, options);
  const contexts = new Set<string>();
  const context: Names["context"] = (name) => {
    const found = names.context(name);
    if (found !== undefined) contexts.add(found.name);
    return found;
  };
  const plan = selectStages({ ...names, context }, { targets, platform: options.platform, images });
  return { plan, sources: names.sources, images: plan.stages.flatMap((stage) => imagesOf(stage, options.platform)), contexts };
}

/** As typed, where one was; the value of TARGETSTAGE. */
function targetName(dockerfile: Dockerfile, targets: readonly number[], { targets: [typed] }: PlanOptions): string | undefined {
  const [only, ...others] = targets;
  if (only === undefined || others.length > 0) return undefined;
  return typed === undefined || typed === "*" ? (dockerfile.stages[only]?.from.stage?.toLowerCase() ?? "default") : typed;
}

/** FROM --platform says which image of a base is wanted; COPY --from and mounts take the build's. */
function imagesOf({ base, platform, stage, readImages }: PlannedStage, target: Platform): readonly ImageUse[] {
  return [
    ...(base.kind === "image" ? [{ image: base.image, platform: platform ?? target, instruction: stage.from }] : []),
    ...readImages.map((use) => ({ ...use, platform: target })),
  ];
}

/**
 * Second half: every step of every needed stage, with the configs of all images of the outline known, by imageKey. Throws all that is wrong with
 * instructions at once. Pure.
 */
export function planBuild(
  dockerfile: Dockerfile,
  { plan, sources }: Outline,
  images: ReadonlyMap<string, PlannedImage>,
  options: PlanOptions,
): BuildPlan {
  const image = (name: string, platform = options.platform): PlannedImage => {
    if (name === scratch) return { config: { ...options.platform, rootfs: { type: "layers", diff_ids: [] } }, layers: [] };
    const found = images.get(imageKey({ image: name, platform }));
    if (found === undefined) throw new RangeError(`image ${name} was not resolved`);
    return found;
  };
  const single = dockerfile.stages.length === 1;
  const labels = new Map(plan.stages.map(({ index, name }) => [index, name ?? `stage-${index}`]));
  const done = new Map<number, StageWork>();
  const errors: DockerfileError[] = [];
  const hostname = sandboxHostname(options.buildArgs);
  const work = {
    network: options.network,
    hermetic: options.hermetic,
    sources,
    ...(hostname === undefined ? {} : { hostname }),
    onError: (error: DockerfileError): void => void errors.push(error),
  };
  let nextId = 1;

  for (const planned of plan.stages) {
    const label = labels.get(planned.index) ?? "";
    const base = baseOf(planned, done, options.platform, image);
    const { steps, state, history } = planWork(dockerfile, planned, base.state, work);
    const place = options.severalPlatforms ? `${stagePlatform(base.wanted, options.platform)} ` : "";
    const info = (position: number, instruction: Instruction): StepInfo => ({
      id: nextId++,
      ...(single ? {} : { stage: label }),
      ...(options.severalPlatforms ? { platform: platformText(options.platform) } : {}),
      title: `[${place}${single ? "" : `${label} `}${position}/${steps.length + 1}] ${shorten(instruction.text)}`,
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
  throwCollected(errors);
  const targets = plan.targets.map(({ index }) => {
    const target = done.get(index);
    if (target === undefined) throw new RangeError(`target ${index} was not planned`);
    return target;
  });
  return {
    dockerfile,
    ...(options.severalPlatforms ? { platform: platformText(options.platform) } : {}),
    stages: [...done.values()],
    targets,
    image: (name) => image(name),
    stageLabel: (index) => `"${labels.get(index) ?? index}"`,
  };
}

function baseOf(
  { base, platform }: PlannedStage,
  done: ReadonlyMap<number, StageWork>,
  target: Platform,
  image: (name: string, platform: Platform) => PlannedImage,
): BaseState & { readonly wanted: Platform } {
  switch (base.kind) {
    case "scratch":
      // The empty image has no platform to choose, and a stage is what it is: FROM --platform chooses among images only.
      return { ...scratchBase(target), wanted: target };
    case "context":
      return { ...scratchBase(platform ?? target), wanted: platform ?? target };
    case "stage": {
      const parent = done.get(base.stage);
      if (parent === undefined) throw new RangeError(`stage ${base.stage} was not planned before`);
      return { state: stageBase(parent.state), history: [], platform: parent.basePlatform, wanted: parent.platform };
    }
    case "image": {
      const wanted = platform ?? target;
      return { ...imageBase(image(base.image, wanted).config), wanted };
    }
  }
}

/** "linux/arm64"; "linux/amd64->arm64" for a stage that runs on the one and is needed for the other, as BuildKit writes it. */
function stagePlatform(stage: Platform, target: Platform): string {
  const [own, wanted] = [platformText(stage), platformText(target)];
  if (own === wanted) return own;
  return `${own}->${stage.os === target.os ? wanted.slice(wanted.indexOf("/") + 1) : wanted}`;
}

const titleLimit = 160;

function shorten(text: string): string {
  return text.length <= titleLimit ? text : `${text.slice(0, titleLimit - 1)}…`;
}
