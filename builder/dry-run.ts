import { platformText } from "../store/platform.ts";
import type { Store } from "../store/store.ts";
import { withBuildSites } from "./build-site.ts";
import { stepCache } from "./cache/records.ts";
import { type DryRunExecution, storeLookups } from "./dry-run-lookups.ts";
import { type PredictedStep, predictSteps } from "./dry-run-steps.ts";
import type { FoundImage } from "./found-image.ts";
import type { BuildOptions } from "./options.ts";
import type { Outline } from "./plan/build-plan.ts";
import { type ImageUse, imageKey } from "./plan/stages.ts";
import { type PlatformPlan, type PlatformPlans, planPlatforms } from "./plan-platforms.ts";
import { refuseForeignSteps } from "./refuse-foreign-steps.ts";
import { refuseSteps } from "./refuse-steps.ts";
import { type Host, openHost } from "./sandbox/host.ts";
import { usesCache } from "./uses-cache.ts";

/** An image that the build stands on or reads from. */
export interface DryRunImage {
  /** As written. */
  readonly name: string;
  /** Which was wanted. */
  readonly platform: string;
  /** Of the platform's manifest. */
  readonly digest: string;
  /** Layers that the store does not have, and their bytes as registries have them: a build fetches those that a step looks into, and all where the image goes to the store. */
  readonly missingLayers: number;
  readonly missingBytes: number;
}

export type DryRunStep = PredictedStep;

/** What a build would do. */
export interface DryRun {
  /** By id. */
  readonly steps: readonly DryRunStep[];
  readonly images: readonly DryRunImage[];
  /** What the refs of repositories mean now; of contexts, and of the steps that were looked up. */
  readonly git: readonly { readonly remote: string; readonly ref: string; readonly commit: string }[];
  /** Files of the web, likewise; of a query only a digest is said. */
  readonly http: readonly { readonly url: string; readonly digest: string }[];
}

/**
 * Says what a build with these options would do, as far as that can be known without doing it. No command runs, no layer is made or fetched, and no record, image, name or lock file
 * changes. What decides about records is found out as a build does: images are resolved, the context is hashed, and what ADD names is asked for. Throws what the build would
 * throw before it runs anything: CHECK_FAILED, LOCK_DRIFT, NOT_LOCKED, NOT_ALLOWED and UNSUPPORTED_PLATFORM among it.
 */
export function dryRun(options: BuildOptions): Promise<DryRun> {
  return withBuildSites(options, async (sites) => {
    const plans = await planPlatforms(sites, (plan, site) => refuseSteps(plan, site.options));
    const [{ site }] = plans;
    const store = await site.store();
    const steps = await predict(plans, store);
    // Behind the walk: only then everything was asked for.
    const taken = site.lock.entries();
    const images = new Map(plans.flatMap((one) => [...one.images].map(([key, image]) => [key, { use: useOf(one.outline, key), image }])));
    return {
      steps,
      images: await Promise.all([...images.values()].map(({ use, image }) => withMissing(use, image, store))),
      git: taken.filter(({ kind }) => kind === "git").map(({ name, of, value }) => ({ remote: name, ref: of, commit: value })),
      http: taken.filter(({ kind }) => kind === "http").map(({ name, value }) => ({ url: name, digest: value })),
    };
  });
}

function useOf({ images }: Outline, key: string): ImageUse {
  const use = images.find((one) => imageKey(one) === key);
  if (use === undefined) throw new RangeError(`nothing uses the image ${key}`);
  return use;
}

/** Of all platforms, one after the other. */
async function predict(plans: PlatformPlans, store: Store): Promise<readonly PredictedStep[]> {
  // Says which owners a sandbox would have; none is made.
  const host = openHost(store, plans[0].site.onNote);
  try {
    const executions = plans.map((planned) => executionOf(planned, store, host));
    await refuseForeignSteps(executions);
    const steps: PredictedStep[] = [];
    const running = new Map<string, number>();
    for (const one of executions) steps.push(...(await predictSteps(one.plan, (filesOf) => storeLookups(one, filesOf), running)));
    return steps;
  } finally {
    await host.close();
  }
}

function executionOf({ plan, site }: PlatformPlan, store: Store, host: Host): DryRunExecution {
  const { options, contexts, remote, epoch, signal } = site;
  const { addHosts, security } = options;
  return {
    ...{ plan, store, contexts, remote, signal },
    cache: stepCache(store, options.allowSecretsInImage),
    run: { host, addHosts, ...(security === undefined ? {} : { security }) },
    ...(epoch === undefined ? {} : { epoch }),
    useCache: usesCache(options),
    now: Date.now,
  };
}

async function withMissing({ image: name, platform }: ImageUse, { descriptor, layers }: FoundImage, store: Store): Promise<DryRunImage> {
  const missing = new Map<string, number>();
  for (const { diffId, blob } of layers) if (!(await store.layers.hasAs(diffId, blob))) missing.set(blob.digest, blob.size);
  const missingBytes = [...missing.values()].reduce((sum, size) => sum + size, 0);
  return { name, platform: platformText(platform), digest: descriptor.digest, missingLayers: missing.size, missingBytes };
}
