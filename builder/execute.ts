import pLimit from "p-limit";
import type { Digest } from "../store/digest.ts";
import type { Rootfs } from "../store/layer/rootfs.ts";
import { type LayerRef, openRootfs } from "../store/open-rootfs.ts";
import type { LayerFetcher } from "../store/registry/layer-fetcher.ts";
import { withStepLock } from "../store/step-lock.ts";
import type { Store } from "../store/store.ts";
import type { StepCache } from "./cache/records.ts";
import type { Contexts } from "./context/open-contexts.ts";
import type { RemoteSources } from "./fetch/remote-sources.ts";
import { copyOfContext, openOrigins, stagesReadBy } from "./origins.ts";
import { placedError } from "./placed-error.ts";
import type { BuildPlan, StageWork } from "./plan/build-plan.ts";
import { baseChain, childChain } from "./plan/key.ts";
import { networksAfter } from "./plan/networks-after.ts";
import type { CopyOperation } from "./plan/operation.ts";
import type { PlannedStep } from "./plan/stage.ts";
import { failureToThrow, type PlatformFailure } from "./platform-error.ts";
import type { EventSink, StepInfo } from "./progress/event.ts";
import { asCached, type OncePerStep, type SameStep, sameSteps } from "./same-steps.ts";
import type { LayerGate } from "./secrets/layer-gate.ts";
import { StepError } from "./step-error.ts";
import { bindInputs } from "./steps/bind-inputs.ts";
import { copyStep } from "./steps/copy.ts";
import { detached } from "./steps/detached.ts";
import { runStep } from "./steps/run.ts";
import type { RunInputs } from "./steps/run-inputs.ts";
import type { RunSettings } from "./steps/run-settings.ts";
import type { Files, StepContext, StepOutcome } from "./steps/step.ts";
import { workdirStep } from "./steps/workdir.ts";

/** The files of a stage when all its steps are done, with the time of each step that made a layer. */
export interface StageResult {
  readonly files: Files;
  /** RFC 3339, of the layer that a base made of a context's files is; absent where the base is another. */
  readonly baseCreated?: string;
  /** RFC 3339, one for each step of the stage, in order. */
  readonly created: readonly string[];
  readonly cachedSteps: number;
}

/** The same, and what a further RUN of the stage would be given. */
export interface BuiltStage extends StageResult {
  readonly next: { readonly context: StepContext; readonly inputs: RunInputs };
}

export interface Execution {
  readonly plan: BuildPlan;
  readonly store: Store;
  readonly cache: StepCache;
  /** Brings layers of base images into the store, which need not be there before a step looks at them. */
  readonly fetch: LayerFetcher["fetch"];
  readonly contexts: Pick<Contexts, "reader">;
  readonly remote: () => Promise<RemoteSources>;
  readonly run: RunSettings;
  readonly layerGate: LayerGate;
  readonly epoch?: number;
  readonly jobs: number;
  readonly useCache: (stage: StageWork) => boolean;
  readonly onEvent: EventSink;
  readonly signal: AbortSignal;
  readonly now: () => number;
}

/** What the walks of one build share: a step that several of them want is done once. */
interface Workshop extends Pick<StepContext, "once" | "busy" | "rootfs" | "signal"> {
  readonly oncePerStep: OncePerStep;
}

/** Every planned stage's result, by index. */
export type BuiltStages = ReadonlyMap<number, BuiltStage>;

/**
 * Walks the stages of all plans, which differ in their platforms: each stage as soon as what it stands on or copies from is there, independent ones at the same time. The first
 * failure stops the rest, and nothing is left running when the promise settles. Resolves with the results of each plan, in their order.
 */
export async function executeAll(executions: readonly [Execution, ...Execution[]]): Promise<readonly BuiltStages[]> {
  const stop = new AbortController();
  const [first] = executions;
  const workshop = openWorkshop(first, AbortSignal.any([first.signal, stop.signal]));
  const walks = executions.map((execution) => ({ plan: execution.plan, results: walk(execution, workshop) }));
  const stopped = new Error("another step failed");
  /** In the order of time. */
  const failures: PlatformFailure[] = [];
  // A failed stage ends the others; its error is thrown below, once all have come to rest.
  for (const { plan, results } of walks) {
    for (const result of results.values())
      result.catch((error: unknown) => {
        stop.abort(stopped);
        if (error !== stopped) failures.push({ error, ...(plan.platform === undefined ? {} : { platform: plan.platform }) });
      });
  }
  for (const { results } of walks) await Promise.allSettled(results.values());
  const [failure] = failures;
  if (failure !== undefined) {
    first.signal.throwIfAborted();
    // What is told of is what a look into the failed step shows.
    const kept = failures.find(({ error }) => error instanceof StepError && error.isKept);
    throw failureToThrow(kept ?? failure, failures, walks.length);
  }
  return Promise.all(
    walks.map(
      async ({ results }) => new Map(await Promise.all([...results].map(async ([index, result]) => [index, await result] as const))),
    ),
  );
}

function openWorkshop({ store, jobs, fetch }: Execution, signal: AbortSignal): Workshop {
  const limit = pLimit(jobs);
  const running = new Map<Digest, Promise<StepOutcome>>();
  return {
    signal,
    rootfs: rootfsCache(store, (layers) => fetch(layers, { signal })),
    busy: (job) =>
      limit(() => {
        signal.throwIfAborted();
        return job();
      }),
    once(key, work, onWait) {
      const known = running.get(key);
      if (known !== undefined) return known.then(asCached);
      const started = withStepLock(store, key, work, { signal, onWait });
      running.set(key, started);
      return started;
    },
    oncePerStep: sameSteps(),
  };
}

/** Begins all stages of a plan. */
function walk(execution: Execution, workshop: Workshop): ReadonlyMap<number, Promise<BuiltStage>> {
  const { plan, store } = execution;
  const { oncePerStep, ...shared } = workshop;
  const { signal, rootfs } = shared;
  const results = new Map<number, Promise<BuiltStage>>();

  const resultOf = (stage: number): Promise<BuiltStage> => {
    const result = results.get(stage);
    if (result === undefined) throw new RangeError(`stage ${stage} was not planned`);
    return result;
  };

  const origins = openOrigins({
    plan,
    cache: execution.cache,
    contexts: execution.contexts,
    remote: execution.remote,
    rootfs,
    stageFiles: async (stage) => (await resultOf(stage)).files,
  });
  const binds = bindInputs(origins);
  const following = networksAfter(plan.stages);

  async function buildStage(work: StageWork): Promise<BuiltStage> {
    const context = stepContext(work);
    const base = await baseOf(work, context);
    let { files } = base;
    announceBase(work, execution);
    const created: string[] = [];
    let cachedSteps = 0;
    for (const [i, step] of work.steps.entries()) {
      signal.throwIfAborted();
      const info = work.infos[i];
      if (info === undefined) throw new RangeError(`step ${i} has no title`);
      // Waiting for another stage is not this step's time.
      for (const stage of stagesReadBy(step.operation)) await resultOf(stage);
      const outcome = await observed(info, step, execution, () => runOne(step, info, files, context));
      if (outcome.cached) cachedSteps++;
      created.push(outcome.created);
      files = { layers: [...files.layers, outcome.layer], chain: childChain(files.chain, outcome.layer.contentId) };
    }
    const next = { context, inputs: binds(context) };
    return { files, created, cachedSteps, next, ...(base.created === undefined ? {} : { baseCreated: base.created }) };
  }

  function stepContext(work: StageWork): StepContext {
    return {
      store,
      cache: execution.cache,
      platform: work.platform,
      basePlatform: work.basePlatform,
      ...(execution.epoch === undefined ? {} : { epoch: execution.epoch }),
      useCache: execution.useCache(work),
      layerGate: execution.layerGate,
      ...shared,
      now: execution.now,
    };
  }

  async function baseOf(work: StageWork, context: StepContext): Promise<{ readonly files: Files; readonly created?: string }> {
    const { base } = work;
    switch (base.kind) {
      case "scratch":
        return { files: filesOf([]) };
      case "stage":
        return { files: (await resultOf(base.stage)).files };
      case "image":
        return { files: filesOf(work.baseLayers) };
      case "context": {
        const { layer, created } = await copyOnce(copyOfContext(base.context), filesOf([]), context).catch((error: unknown) => {
          throw placedError(error, store.root, plan.dockerfile, work.fromInfo.range);
        });
        return { files: filesOf([layer]), created };
      }
    }
  }

  async function runOne(step: PlannedStep, info: StepInfo, files: Files, context: StepContext): Promise<StepOutcome> {
    const { operation } = step;
    switch (operation.op) {
      case "run": {
        const { onEvent } = execution;
        const place = { info, instruction: step.instruction, source: plan.dockerfile, onEvent, following: following.get(operation) ?? 0 };
        return runStep(operation, files, context, execution.run, place, binds(context));
      }
      case "workdir":
        return oncePerStep(sameAs(operation, files, context), () => workdirStep(operation, files, context));
      case "copy": {
        const { operation: copy, files: onto } = operation.link ? await detached(operation, files, context) : { operation, files };
        return copyOnce(copy, onto, context);
      }
    }
  }

  async function copyOnce(operation: CopyOperation, files: Files, context: StepContext): Promise<StepOutcome> {
    const { origin } = operation;
    const step = sameAs(operation, files, context);
    const from = origin.from === "context" ? {} : { origin: await origins.files(origin) };
    return oncePerStep({ ...step, ...from }, () => copyStep(operation, files, () => origins.copy(operation), context));
  }

  for (const work of plan.stages) {
    // In the next turn: a stage may stand on one that comes later in the list.
    const result = Promise.resolve().then(() => Promise.all(work.needs.map(resultOf)).then(() => buildStage(work)));
    results.set(work.index, result);
  }
  return results;

  async function observed(
    info: StepInfo,
    step: PlannedStep,
    { onEvent, now }: Execution,
    work: () => Promise<StepOutcome>,
  ): Promise<StepOutcome> {
    onEvent({ type: "step-start", step: info.id, atMs: now() });
    try {
      const outcome = await work();
      for (const message of outcome.warnings ?? []) onEvent({ type: "warning", message, range: step.instruction.range });
      onEvent({
        type: "step-end",
        step: info.id,
        outcome: outcome.cached ? "cached" : "done",
        atMs: now(),
        ...(outcome.usage === undefined ? {} : { usage: outcome.usage }),
        ...(outcome.note === undefined ? {} : { note: outcome.note }),
      });
      return outcome;
    } catch (error) {
      const usage = error instanceof StepError && error.usage !== undefined ? { usage: error.usage } : {};
      onEvent({ type: "step-end", step: info.id, outcome: signal.aborted ? "cancelled" : "failed", atMs: now(), ...usage });
      if (error instanceof StepError) throw error;
      throw placedError(error, store.root, plan.dockerfile, step.instruction.range);
    }
  }
}

function sameAs<Op extends SameStep["operation"]>(operation: Op, files: Files, { epoch, useCache }: StepContext): SameStep {
  return { operation, files, useCache, ...(epoch === undefined ? {} : { epoch }) };
}

function announceBase(work: StageWork, { onEvent, now }: Execution): void {
  onEvent({ type: "step-start", step: work.fromInfo.id, atMs: now() });
  const note = work.baseName === undefined ? {} : { note: work.baseName };
  onEvent({ type: "step-end", step: work.fromInfo.id, outcome: "cached", atMs: now(), ...note });
}

function filesOf(layers: readonly LayerRef[]): Files {
  return { layers, chain: baseChain(layers.map(({ diffId }) => diffId)) };
}

/** Fetches and stacks each list of layers once a build: whoever looks at files, or runs on them, comes by here first. */
function rootfsCache(
  store: Store,
  fetch: (layers: readonly LayerRef[]) => Promise<void>,
): (layers: readonly LayerRef[]) => Promise<Rootfs> {
  const stacks = new Map<string, Promise<Rootfs>>();
  return (layers) => {
    // By their blobs too: what an image says of its layers is only checked with its own blobs.
    const name = layers.map(({ diffId, blob }) => `${diffId} ${blob.digest}`).join(" ");
    const known = stacks.get(name);
    if (known !== undefined) return known;
    const stack = fetch(layers).then(() => openRootfs(store.layers, layers));
    stacks.set(name, stack);
    return stack;
  };
}
