import { resolve } from "node:path";
import { usableCpus } from "../runtime-addon/index.ts";
import { type Digest, digestOf } from "../store/digest.ts";
import { TsbuildError } from "../store/errors.ts";
import { forgetFailedSteps } from "../store/failed-steps.ts";
import { parseNewName } from "../store/image-names.ts";
import type { Store } from "../store/store.ts";
import { type BuildSites, withBuildSites } from "./build-site.ts";
import { stepCache } from "./cache/records.ts";
import { checkOutputs } from "./deliver-files.ts";
import { deliverTargets } from "./deliver-targets.ts";
import { type BuiltStages, type Execution, executeAll } from "./execute.ts";
import type { ImageFinder } from "./find-image.ts";
import type { BuiltPlan } from "./finish-image.ts";
import { noteCopiedLock } from "./lock-in-context.ts";
import { lockOtherStages } from "./lock-other-stages.ts";
import type { BuildOptions, BuildResult } from "./options.ts";
import type { StageWork } from "./plan/build-plan.ts";
import { stepsOf } from "./plan/numbered-plans.ts";
import { isProxyArg } from "./plan/predefined-args.ts";
import { isHttpUrl } from "./plan/remote-source.ts";
import { type PlatformPlan, type PlatformPlans, planPlatforms } from "./plan-platforms.ts";
import { refuseForeignSteps } from "./refuse-foreign-steps.ts";
import { refuseSteps } from "./refuse-steps.ts";
import { failedStepKeeper } from "./sandbox/failed-step-keeper.ts";
import { type Host, openHost } from "./sandbox/host.ts";
import { openLayerGate } from "./secrets/layer-gate.ts";
import type { Secrets } from "./secrets/secrets.ts";
import type { DatedSite } from "./source-date-epoch.ts";
import { cacheMounts } from "./steps/cache-mounts.ts";
import type { RunSettings } from "./steps/run-settings.ts";
import { namesByTarget } from "./target-names.ts";
import { usesCache } from "./uses-cache.ts";

/**
 * Builds the targets of a Dockerfile and names their images in the store. Throws DockerfileError(s) for what is wrong with the file, StepError
 * for a command that failed, SandboxError where none can be made, TsbuildError otherwise, and the signal's reason when aborted. When the
 * promise settles nothing is left running, and a failed build has changed no name.
 */
export async function build(options: BuildOptions): Promise<BuildResult> {
  // Before anything is done that could not be named or written afterwards.
  refuseNames(options);
  await checkOutputs(options.outputs ?? []);
  return withBuildSites(options, async (sites) => {
    refuseSeveral(sites);
    const plans = await planPlatforms(sites, (plan, site) => refuseSteps(plan, site.options));
    const { tags, onEvent } = sites[0].options;
    const names = namesByTarget(plans[0].plan, tags);
    onEvent({ type: "plan", steps: plans.flatMap(({ plan }) => stepsOf(plan)) });
    return buildPlans(plans, names);
  });
}

/** `names`: by the targets of the first plan. */
async function buildPlans(plans: PlatformPlans, names: ReadonlyMap<StageWork, readonly string[]>): Promise<BuildResult> {
  const [first, ...others] = plans;
  const { site } = first;
  const { options, contexts, secrets, onNote, lock } = site;
  const store = await site.store();
  const host = openHost(store, onNote, options.userns);
  try {
    const name = buildOf(site);
    const results = await executePlans(plans, { store, run: runSettings(site, { host, secrets, name }) });
    if (options.keepFailed) await forgetFailedSteps(store.root, name);
    await contexts.save();
    let isWhole = true;
    for (const planned of plans) isWhole = (await lockOtherStages(planned.plan, planned.images, planned.site)) && isWhole;
    const built = (planned: PlatformPlan, i: number): BuiltPlan => ({ ...planned, results: results[i] ?? new Map() });
    const images = await deliverTargets(store, [built(first, 0), ...others.map((planned, i) => built(planned, i + 1))], names);
    await lock.save({ isWhole });
    await noteCopiedLock(
      plans.map(({ plan }) => plan),
      site,
    );
    const [image] = images;
    if (image === undefined) throw new RangeError("there was no target");
    const all = results.flatMap((stages) => [...stages.values()]);
    return {
      ...image,
      images,
      cachedSteps: all.reduce((sum, { cachedSteps }) => sum + cachedSteps, 0),
      totalSteps: all.reduce((sum, { created }) => sum + created.length, 0),
    };
  } finally {
    await host.close();
  }
}

/** What a build is of, whatever it comes to. */
export function buildOf({ dockerfile, planOptions, options }: DatedSite): Digest {
  const { context, dockerfile: given } = options;
  const path = typeof context === "string" ? context : context.kind === "directory" ? context.path : undefined;
  const isOfHost = path !== undefined && (given === undefined || ("path" in given && !isHttpUrl(given.path)));
  const file = isOfHost ? resolve(dockerfile.file) : dockerfile.file;
  return digestOf(JSON.stringify([path === undefined ? context : resolve(path), file, planOptions.targets]));
}

/** What the steps of a build run with. */
export interface Running {
  readonly store: Store;
  readonly run: RunSettings;
}

/** What a plan needs to be executed. */
type ExecutablePlan = Pick<PlatformPlan, "plan" | "site">;

/** Runs the steps of the plans, which differ in their platforms. Resolves with the results of each, in their order. */
export async function executePlans(
  plans: readonly [ExecutablePlan, ...ExecutablePlan[]],
  running: Running,
): Promise<readonly BuiltStages[]> {
  const [first, ...others] = plans;
  const finder = await first.site.finder();
  const cache = stepCache(running.store, first.site.options.allowSecretsInImage);
  const layerGate = openLayerGate(running.run.secrets);
  const shared = { ...running, finder, cache, layerGate };
  const execution = executionOf(first, shared);
  const all = [execution, ...others.map((plan) => executionOf(plan, shared))] as const;
  await refuseForeignSteps(all);
  return executeAll(all);
}

function executionOf(
  { plan, site: { options, contexts, remote, epoch, signal } }: ExecutablePlan,
  { store, run, finder, cache, layerGate }: Running & Pick<Execution, "cache" | "layerGate"> & { readonly finder: ImageFinder },
): Execution {
  return {
    plan,
    store,
    cache,
    layerGate,
    fetch: async (layers, reading) => (await finder.fetcher()).fetch(layers, reading),
    contexts,
    remote,
    run,
    ...(epoch === undefined ? {} : { epoch }),
    jobs: options.jobs ?? usableCpus(),
    useCache: usesCache(options),
    onEvent: options.onEvent,
    signal,
    now: Date.now,
  };
}

/** What the steps of one build have, whatever they do. */
interface BuildWide {
  readonly host: Host;
  readonly secrets: Secrets;
  /** As of buildOf. */
  readonly name: Digest;
}

/** What RUN steps have in common. Made once a build: it knows which caches have been emptied. */
export function runSettings({ options, onNote }: DatedSite, { host, secrets, name }: BuildWide): RunSettings {
  return {
    host,
    secrets,
    ssh: options.ssh,
    caches: cacheMounts(options.buildArgs.BUILDKIT_CACHE_MOUNT_NS),
    limits: options.limits,
    addHosts: options.addHosts,
    ...(options.security === undefined ? {} : { security: options.security }),
    defaultNetwork: options.network === "isolated" ? "isolated" : "default",
    dns: options.dns,
    proxy: { ...options.proxy, ...Object.fromEntries(Object.entries(options.buildArgs).filter(([name]) => isProxyArg(name))) },
    hostCa: options.hostCa,
    onNote,
    ...(options.keepFailed ? { keepFailed: failedStepKeeper(name) } : {}),
    ...(options.shmSizeBytes === undefined ? {} : { shmSizeBytes: options.shmSizeBytes }),
  };
}

/** Throws SEVERAL_PLATFORMS for an output that has one image only. */
function refuseSeveral(sites: BuildSites): void {
  const [{ options }, ...others] = sites;
  if (others.length === 0 || !options.outputs.some(({ type }) => type === "docker")) return;
  throw new TsbuildError("SEVERAL_PLATFORMS", "writing an archive for docker load: it reads images of one platform only", {
    hint: "-o type=oci has all platforms; with one --platform docker load can have the image",
  });
}

/** A registry knows images by their names only. */
function refuseNames({ outputs = [], tags = [] }: BuildOptions): void {
  for (const tag of tags) parseNewName(tag.slice(tag.indexOf("=") + 1));
  if (tags.length > 0 || !outputs.some(({ type }) => type === "registry")) return;
  throw new TsbuildError("INVALID_REFERENCE", "pushing the image: it has no name that says where to", {
    hint: "name it: -t HOST/REPOSITORY:TAG",
  });
}
