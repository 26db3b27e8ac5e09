import { type LayerRef, openRootfs } from "../store/open-rootfs.ts";
import type { SourceRange } from "./dockerfile/instruction.ts";
import type { Lookup, Lookups } from "./dry-run-steps.ts";
import type { Execution } from "./execute.ts";
import { copyOfContext, openOrigins } from "./origins.ts";
import { placedError } from "./placed-error.ts";
import type { StageWork } from "./plan/build-plan.ts";
import { baseChain } from "./plan/key.ts";
import type { Operation } from "./plan/operation.ts";
import type { PlannedStep } from "./plan/stage.ts";
import { bindInputs } from "./steps/bind-inputs.ts";
import { lookupCopy } from "./steps/copy.ts";
import { detached, isNumeric } from "./steps/detached.ts";
import { lookupRun } from "./steps/run.ts";
import type { Files, StepContext, StepOutcome } from "./steps/step.ts";
import { lookupWorkdir } from "./steps/workdir.ts";

/** What execute() is given, without what only running takes. */
export type DryRunExecution = Pick<
  Execution,
  "plan" | "store" | "cache" | "contexts" | "remote" | "epoch" | "useCache" | "signal" | "now"
> & {
  readonly run: Pick<Execution["run"], "host" | "addHosts" | "security">;
};

const nothing = filesWith([]);

/** Ends a lookup that would have to look into layers which the store does not have: only a build fetches them. */
const layersMissing = new Error("layers are not in the store");

/** The lookups that steps do before they run, on a store: keys are made and records are read as a build does it. */
export function storeLookups(execution: DryRunExecution, filesOf: (stage: number) => Files): Lookups {
  const { plan, store, cache, contexts, remote, epoch, useCache, signal, now } = execution;

  const rootfs = async (layers: readonly LayerRef[]) => {
    // Pinned first: what is there afterwards stays.
    await store.pin(...layers.flatMap(({ diffId, blob }) => [diffId, blob.digest]));
    for (const { diffId, blob } of layers) if (!(await store.layers.hasAs(diffId, blob))) throw layersMissing;
    return openRootfs(store.layers, layers);
  };
  const origins = openOrigins({ plan, cache, contexts, remote, rootfs, stageFiles: async (stage) => filesOf(stage) });
  const binds = bindInputs(origins);

  const contextFor = (stage: StageWork): StepContext => ({
    store,
    cache,
    platform: stage.platform,
    ...(epoch === undefined ? {} : { epoch }),
    useCache: true,
    signal,
    rootfs,
    busy: (work) => work(),
    once: () => Promise.reject(new RangeError("a dry run runs nothing")),
    now,
  });

  async function outcomeOf(operation: Operation, files: Files, context: StepContext): Promise<StepOutcome | undefined> {
    switch (operation.op) {
      case "run":
        return lookupRun(operation, files, context, execution.run, binds(context));
      case "workdir":
        return lookupWorkdir(operation, files, context);
      case "copy": {
        const { operation: copy, files: onto } = operation.link ? await detached(operation, files, context) : { operation, files };
        return lookupCopy(copy, onto, () => origins.copy(copy), context);
      }
    }
  }

  async function looked(work: () => Promise<StepOutcome | undefined>, range: SourceRange): Promise<Lookup> {
    signal.throwIfAborted();
    try {
      const outcome = await work();
      return outcome === undefined ? { found: "nothing" } : { found: "layer", layer: outcome.layer };
    } catch (error) {
      if (error === layersMissing) return { found: "unread" };
      throw placedError(error, store.root, plan.dockerfile, range);
    }
  }

  return {
    useCache,
    standsAlone,
    async base(stage) {
      const { base, baseLayers, fromInfo } = stage;
      if (base.kind !== "context") return filesWith(baseLayers);
      if (!useCache(stage)) return "nothing";
      const found = await looked(() => outcomeOf(copyOfContext(base.context), nothing, contextFor(stage)), fromInfo.range);
      return found.found === "layer" ? filesWith([found.layer]) : found.found;
    },
    step: (stage, { operation, instruction }: PlannedStep, files = nothing) =>
      looked(() => outcomeOf(operation, files, contextFor(stage)), instruction.range),
  };
}

function filesWith(layers: readonly LayerRef[]): Files {
  return { layers, chain: baseChain(layers.map(({ diffId }) => diffId)) };
}

/** COPY --link, unless the owner is a name: that is looked up in what is below. */
function standsAlone(operation: Operation): boolean {
  if (operation.op !== "copy" || !operation.link) return false;
  return operation.chown === undefined || isNumeric(operation.chown);
}
