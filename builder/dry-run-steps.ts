import { canonicalJson } from "../store/canonical-json.ts";
import { digestOf } from "../store/digest.ts";
import type { LayerInfo } from "../store/layers.ts";
import { platformText } from "../store/platform.ts";
import type { SourceRange } from "./dockerfile/instruction.ts";
import { stagesReadBy } from "./origins.ts";
import type { BuildPlan, StageWork } from "./plan/build-plan.ts";
import { childChain } from "./plan/key.ts";
import type { Operation } from "./plan/operation.ts";
import type { PlannedStep } from "./plan/stage.ts";
import type { StepInfo } from "./progress/event.ts";
import type { Files } from "./steps/step.ts";

/**
 * What a build would do with a step: "base" begins a stage and does nothing; "cached" takes a recorded layer; "runs" makes one; "unknown" does either, for its inputs
 * are not known before other steps have run or layers are fetched.
 */
export type StepStatus = "base" | "cached" | "runs" | "unknown";

/** Of "runs": the store has no record, or none may be used. Of "unknown": it stands on steps that run, or reads layers that are not in the store. */
export type StepReason = "no-record" | "no-cache" | "steps" | "layers";

export interface PredictedStep {
  /** As a build numbers it: from 1, in the order of the Dockerfile. */
  readonly id: number;
  /** "stage-1", "builder"; absent in a build of one unnamed stage. */
  readonly stage?: string;
  readonly title: string;
  readonly range: SourceRange;
  /** Upper case. */
  readonly instruction: string;
  readonly operation: "from" | Operation["op"];
  /** Ids of the steps that are done before it: the one above it, and the last of each stage that it stands on or reads from. */
  readonly needs: readonly number[];
  readonly status: StepStatus;
  readonly reason?: StepReason;
  /** Ids of the steps that would run and whose results decide about this one; empty unless the reason is "steps". */
  readonly awaits: readonly number[];
}

/** What the store says of a step whose inputs are all known; "unread" where layers that are not there would have to be looked at. */
export type Lookup = { readonly found: "layer"; readonly layer: LayerInfo } | { readonly found: "nothing" | "unread" };

export interface Lookups {
  /** Whether steps of the stage may take records. */
  useCache(stage: StageWork): boolean;
  /** Of a stage that stands on no other: "nothing" where a layer would have to be made for it, "unread" as of a step. */
  base(stage: StageWork): Promise<Files | "nothing" | "unread">;
  /** Whether the operation's layer is the same whatever is below it. */
  standsAlone(operation: Operation): boolean;
  /** `files` are what is below, absent only where the operation stands alone. Writes and runs nothing. */
  step(stage: StageWork, step: PlannedStep, files: Files | undefined): Promise<Lookup>;
}

/** `filesOf` has the files of every stage that an operation reads, when it is looked up. */
export type OpenLookups = (filesOf: (stage: number) => Files) => Lookups;

type Verdict = Pick<PredictedStep, "status" | "reason" | "awaits">;

/** How far a stage is known after one of its steps. */
interface Known {
  /** The step. */
  readonly id: number;
  /** Absent where they hang on other steps. */
  readonly files?: Files;
  /** Those steps. */
  readonly awaits: readonly number[];
  /** The same for the same files: of what they are, or of how they will be made. */
  readonly made: string;
}

/**
 * Walks the stages as a build does, but looks records up and does nothing else. Resolves with all steps by id. What runs may come to the files that were there before: then what stands on
 * it is cached all the same, which nobody can know beforehand. `running`: steps that would run, by what they do and on what, of all plans of a build: of two that are the same it
 * does one, without the cache too.
 */
export async function predictSteps(
  plan: Pick<BuildPlan, "stages" | "platform">,
  openLookups: OpenLookups,
  running = new Map<string, number>(),
): Promise<readonly PredictedStep[]> {
  const lookups = openLookups(filesOf);
  const steps: PredictedStep[] = [];
  const ends = new Map<number, Known>();

  for (const stage of plan.stages) {
    let below = await predictBase(stage);
    for (const [i, step] of stage.steps.entries()) below = await predictStep(stage, step, infoOf(stage, i), below);
    ends.set(stage.index, below);
  }
  return steps.sort((a, b) => a.id - b.id);

  async function predictBase(stage: StageWork): Promise<Known> {
    const { fromInfo: info, base } = stage;
    const from = { ...info, instruction: "FROM", operation: "from" } as const;
    if (base.kind === "stage") {
      const parent = endOf(base.stage);
      steps.push({ ...from, needs: [parent.id], status: "base", awaits: [] });
      return { ...parent, id: info.id };
    }
    const files = await lookups.base(stage);
    const isKnown = typeof files === "object";
    if (isKnown) {
      steps.push({ ...from, needs: [], status: "base", awaits: [] });
      return { id: info.id, files, awaits: [], made: files.chain };
    }
    const made = nameOf(["base", base, lookups.useCache(stage)]);
    const verdict = verdictOnce(files, stage, made, info.id);
    steps.push({ ...from, needs: [], ...verdict });
    return { id: info.id, awaits: awaited(verdict, info.id), made };
  }

  async function predictStep(stage: StageWork, step: PlannedStep, info: StepInfo, below: Known): Promise<Known> {
    const { operation, instruction } = step;
    const reads = stagesReadBy(operation).map(endOf);
    const standsAlone = lookups.standsAlone(operation);
    const needs = distinct([below.id, ...reads.map(({ id }) => id)]);
    const inputs = distinct([...(standsAlone ? [] : below.awaits), ...reads.flatMap(({ awaits }) => awaits)]);
    const name = nameOfStep(stage, operation, below, reads);
    const verdict = await judge();
    steps.push({ ...info, instruction: instruction.keyword, operation: operation.op, needs, ...verdict.step });

    if (verdict.layer !== undefined && below.files !== undefined) {
      const chain = childChain(below.files.chain, verdict.layer.contentId);
      return { id: info.id, files: { layers: [...below.files.layers, verdict.layer], chain }, awaits: [], made: chain };
    }
    const own = verdict.layer !== undefined ? [] : awaited(verdict.step, info.id);
    return { id: info.id, awaits: distinct([...below.awaits, ...own]), made: nameOf([below.made, name]) };

    async function judge(): Promise<{ step: Verdict; layer?: LayerInfo }> {
      if (!lookups.useCache(stage)) return { step: verdictOnce("nothing", stage, name, info.id) };
      if (inputs.length > 0) return { step: { status: "unknown", reason: "steps", awaits: inputs } };
      const lookup = await lookups.step(stage, step, below.files);
      if (lookup.found === "layer") return { step: { status: "cached", awaits: [] }, layer: lookup.layer };
      return { step: verdictOnce(lookup.found, stage, name, info.id) };
    }
  }

  /** Of a step that is not cached; where one of another stage or platform does the same to the same files, that one decides. */
  function verdictOnce(found: "nothing" | "unread", stage: StageWork, name: string, id: number): Verdict {
    const same = found === "nothing" ? running.get(name) : undefined;
    if (same !== undefined) return { status: "unknown", reason: "steps", awaits: [same] };
    if (found === "nothing") running.set(name, id);
    return { ...verdictOf(found, lookups.useCache(stage)), awaits: [] };
  }

  /** The same for steps that do the same to the same files. */
  function nameOfStep(stage: StageWork, operation: Operation, below: Known, reads: readonly Known[]): string {
    const platforms = [
      operation.op === "run" ? platformText(stage.platform) : null,
      readsImage(operation) ? (plan.platform ?? null) : null,
    ];
    const onto = lookups.standsAlone(operation) ? null : below.made;
    return nameOf([onto, lookups.useCache(stage), platforms, operation, reads.map(({ made }) => made)]);
  }

  function endOf(stage: number): Known {
    const end = ends.get(stage);
    if (end === undefined) throw new RangeError(`stage ${stage} was not planned`);
    return end;
  }

  function filesOf(stage: number): Files {
    const { files } = endOf(stage);
    if (files === undefined) throw new RangeError(`the files of stage ${stage} are not known`);
    return files;
  }
}

/** Whose results decide about what stands on a step that is not cached. */
function awaited({ awaits }: Verdict, id: number): readonly number[] {
  return awaits.length > 0 ? awaits : [id];
}

function nameOf(value: unknown): string {
  return digestOf(canonicalJson(value));
}

/** Of which each platform has its own. */
function readsImage(operation: Operation): boolean {
  if (operation.op === "workdir") return false;
  if (operation.op === "copy") return operation.origin.from === "image";
  return operation.mounts.some((mount) => "origin" in mount && mount.origin?.from === "image");
}

function verdictOf(found: "nothing" | "unread", usesCache: boolean): Pick<PredictedStep, "status" | "reason"> {
  if (found === "unread") return { status: "unknown", reason: "layers" };
  return { status: "runs", reason: usesCache ? "no-record" : "no-cache" };
}

function infoOf(stage: StageWork, step: number): StepInfo {
  const info = stage.infos[step];
  if (info === undefined) throw new RangeError(`step ${step} has no title`);
  return info;
}

function distinct(ids: readonly number[]): readonly number[] {
  return [...new Set(ids)].sort((a, b) => a - b);
}
