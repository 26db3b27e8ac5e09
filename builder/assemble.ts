import type { ContainerConfig, HistoryEntry, ImageConfig, Platform } from "../store/oci.ts";
import type { StageResult } from "./execute.ts";
import type { BuildPlan, StageWork } from "./plan/build-plan.ts";
import { historyComment } from "./plan/history.ts";
import { normalizePlatform } from "./plan/platform.ts";
import { rfc3339 } from "./plan/rfc3339.ts";
import { configOf } from "./plan/stage-state.ts";
import { writtenConfig } from "./plan/written-config.ts";

export interface AssembleOptions {
  readonly labels: Readonly<Record<string, string>>;
  /** The platform that was asked for; absent: none was. */
  readonly platform?: Platform;
  /** Seconds. */
  readonly epoch?: number;
}

/**
 * A target's image config. Times come from the steps' records, so that a cached build gives the same bytes; an instruction that
 * makes no layer carries the time of the one before it. Pure.
 */
export function assembleConfig(
  plan: BuildPlan,
  target: StageWork,
  results: ReadonlyMap<number, StageResult>,
  options: AssembleOptions,
): ImageConfig {
  const result = results.get(target.index);
  if (result === undefined) throw new RangeError("the target was not built");
  const history = stageHistory(plan, target, results, options.epoch);
  const created = options.epoch === undefined ? latest(history) : rfc3339(options.epoch * 1000);
  const { basePlatform, state } = target;
  return {
    ...(created === undefined ? {} : { created }),
    ...(state.author === undefined ? {} : { author: state.author }),
    ...writtenPlatform(basePlatform, options.platform),
    config: writtenConfig(withLabels(configOf(state), options.labels)),
    rootfs: { type: "layers", diff_ids: result.files.layers.map(({ diffId }) => diffId) },
    history,
  };
}

/** As BuildKit labels its result: by the platform that was asked for, else as the base is; a base's variant stays where none was asked for. */
function writtenPlatform(base: Platform, asked: Platform | undefined): Platform {
  if (asked === undefined) return normalizePlatform(base);
  const { os, architecture } = asked;
  const isSame = base.os === os && base.architecture === architecture;
  const variant = asked.variant ?? (isSame ? base.variant : undefined);
  return normalizePlatform({ os, architecture, ...(variant === undefined ? {} : { variant }) });
}

/** A stage's history: its base's, then a row for each instruction. */
function stageHistory(
  plan: BuildPlan,
  stage: StageWork,
  results: ReadonlyMap<number, StageResult>,
  epoch: number | undefined,
): readonly HistoryEntry[] {
  const base = historyBelow(plan, stage, results, epoch);
  const times = results.get(stage.index)?.created ?? [];
  let created = epoch === undefined ? base.at(-1)?.created : rfc3339(epoch * 1000);
  let step = 0;
  const own = stage.history.map(({ createdBy, layer }): HistoryEntry => {
    if (layer) created = times[step++];
    return {
      ...(created === undefined ? {} : { created }),
      created_by: createdBy,
      comment: historyComment,
      ...(layer ? {} : { empty_layer: true }),
    };
  });
  return [...base, ...own];
}

function historyBelow(
  plan: BuildPlan,
  stage: StageWork,
  results: ReadonlyMap<number, StageResult>,
  epoch: number | undefined,
): readonly HistoryEntry[] {
  const { base, index } = stage;
  if (base.kind === "stage") return parentHistory(plan, base.stage, results, epoch);
  if (base.kind !== "context") return baseHistory(stage);
  const created = results.get(index)?.baseCreated;
  return [{ ...(created === undefined ? {} : { created }), created_by: `FROM ${base.context}`, comment: historyComment }];
}

function parentHistory(
  plan: BuildPlan,
  index: number,
  results: ReadonlyMap<number, StageResult>,
  epoch: number | undefined,
): readonly HistoryEntry[] {
  const parent = plan.stages.find((stage) => stage.index === index);
  if (parent === undefined) throw new RangeError(`stage ${index} was not planned`);
  return stageHistory(plan, parent, results, epoch);
}

/** Rows with a layer must equal the layers; a base whose history says otherwise gets rows that do. */
function baseHistory(stage: StageWork): readonly HistoryEntry[] {
  const layers = stage.baseLayers.length;
  const filled = stage.baseHistory.filter((row) => row.empty_layer !== true).length;
  return filled === layers ? stage.baseHistory : stage.baseLayers.map(() => ({ comment: "layer of the base image" }));
}

function withLabels(config: ContainerConfig, labels: Readonly<Record<string, string>>): ContainerConfig {
  return Object.keys(labels).length === 0 ? config : { ...config, Labels: { ...config.Labels, ...labels } };
}

function latest(history: readonly HistoryEntry[]): string | undefined {
  let newest: string | undefined;
  for (const { created } of history)
    if (created !== undefined && (newest === undefined || Date.parse(created) > Date.parse(newest))) newest = created;
  return newest;
}
