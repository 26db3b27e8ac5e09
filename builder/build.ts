import { resolve } from "node:path";
import { openPatterns, usableCpus } from "../runtime-addon/index.ts";
import { type Digest, digestOf } from "../store/digest.ts";
import { TsbuildError } from "../store/errors.ts";
import { forgetFailedSteps } from "../store/failed-steps.ts";
import { parseNewName } from "../store/image-names.ts";
import type { LayerRef } from "../store/open-rootfs.ts";
import type { Store } from "../store/store.ts";
import { assembleConfig } from "./assemble.ts";
import { withBuildSite } from "./build-site.ts";
import { stepCache } from "./cache/records.ts";
import { planChecked } from "./check.ts";
import { type Delivered, deliver, type FinishedImage } from "./deliver.ts";
import { checkOutputs, deliverFiles } from "./deliver-files.ts";
import { type BuiltStage, execute, type StageResult } from "./execute.ts";
import { noteCopiedLock } from "./lock-in-context.ts";
import { lockOtherStages } from "./lock-other-stages.ts";
import type { BuildOptions, BuildResult, BuiltImage } from "./options.ts";
import type { BuildPlan, StageWork } from "./plan/build-plan.ts";
import type { Operation } from "./plan/operation.ts";
import { parsePlatform } from "./plan/platform.ts";
import { isProxyArg } from "./plan/predefined-args.ts";
import { isHttpUrl } from "./plan/remote-source.ts";
import type { PlannedSite } from "./plan-site.ts";
import { refuseSteps } from "./refuse-steps.ts";
import { type Host, openHost } from "./sandbox/host.ts";
import { leaksInTree, refuseLeaks } from "./secrets/gate.ts";
import { openLayerGate } from "./secrets/layer-gate.ts";
import type { Secrets } from "./secrets/secrets.ts";
import { type DatedSite, dateSite } from "./source-date-epoch.ts";
import { baseLayersBelow, squash } from "./squash.ts";
import { cacheMounts } from "./steps/cache-mounts.ts";
import type { RunSettings } from "./steps/run-settings.ts";
import { stepsOfLayers } from "./target-layers.ts";
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
  return withBuildSite(options, async (given) => {
    const site = await dateSite(given);
    const planned = await planChecked(site, (plan) => refuseSteps(plan, site.options));
    const { plan } = planned;
    const names = namesByTarget(plan, site.options.tags);
    site.options.onEvent({
      type: "plan",
      steps: plan.stages.flatMap(({ fromInfo, infos }) => [fromInfo, ...infos]).sort((a, b) => a.id - b.id),
    });
    return buildPlan(planned, names, site);
  });
}

async function buildPlan(
  { plan, images: bases }: PlannedSite,
  names: ReadonlyMap<StageWork, readonly string[]>,
  site: DatedSite,
): Promise<BuildResult> {
  const { options, contexts, secrets, onNote } = site;
  const store = await site.store();
  const host = openHost(store, onNote, options.userns);
  try {
    const name = buildOf(site);
    const results = await executePlan(plan, site, { store, run: runSettings(site, { host, secrets, name }) });
    if (options.keepFailed) await forgetFailedSteps(store.root, name);
    await contexts.save();
    const isWhole = await lockOtherStages(plan, bases, site);
    const images = await deliverTargets(plan, names, results, store, site, secrets);
    await site.lock.save({ isWhole });
    await noteCopiedLock(plan, site);
    const [first] = images;
    if (first === undefined) throw new RangeError("there was no target");
    const all = [...results.values()];
    return {
      ...first,
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

/** Runs the steps of a plan. */
export async function executePlan(plan: BuildPlan, site: DatedSite, { store, run }: Running): Promise<ReadonlyMap<number, BuiltStage>> {
  const { options, contexts, remote, epoch, signal } = site;
  const finder = await site.finder();
  return execute({
    plan,
    store,
    cache: stepCache(store, options.allowSecretsInImage),
    layerGate: openLayerGate(run.secrets),
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
  });
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
    ...(options.keepFailed ? { keepFailed: name } : {}),
    ...(options.shmSizeBytes === undefined ? {} : { shmSizeBytes: options.shmSizeBytes }),
  };
}

type TargetImage = FinishedImage & Pick<BuiltImage, "target" | "steps">;

/** Files first: a name changes only when all else has come out well. */
async function deliverTargets(
  plan: BuildPlan,
  names: ReadonlyMap<StageWork, readonly string[]>,
  results: ReadonlyMap<number, StageResult>,
  store: Store,
  site: DatedSite,
  secrets: Secrets,
): Promise<readonly BuiltImage[]> {
  const { options } = site;
  const { fetcher } = await site.finder();
  const deliverOptions = { ...site, fetcher, onEvent: options.onEvent };
  const finished: TargetImage[] = [];
  for (const target of plan.targets) {
    const image = finishedImage(plan, target, names.get(target) ?? [], results, site);
    await refuseSecretsIn(image, plan, secrets, (message) => options.onEvent({ type: "warning", message }));
    const keep = options.squash === "all" ? 0 : baseLayersBelow(plan, target);
    finished.push(options.squash === undefined ? image : await squash(store, image, { keep, fetcher, signal: site.signal }));
  }
  const written = await deliverFiles(store, finished, options.outputs, deliverOptions);
  const images: BuiltImage[] = [];
  for (const [i, image] of finished.entries()) {
    const delivered = await deliver(store, image, options.outputs, deliverOptions);
    const isNamed = options.outputs.some(({ type }) => type === "image" || type === "registry");
    const manifestDigest = isNamed ? delivered.manifestDigest : (written[i] ?? delivered.manifestDigest);
    options.onEvent(imageEvent({ ...delivered, manifestDigest }, image.layers));
    const { target, steps } = image;
    const layers = image.layers.map(({ diffId }) => diffId);
    images.push({ target, imageId: delivered.imageId, manifestDigest, names: delivered.names, layers, steps });
  }
  return images;
}

/** Steps have looked at their layers; this is for what else leaves: of all that the build's steps were given, cached or not. */
async function refuseSecretsIn(
  { config, annotations }: FinishedImage,
  plan: BuildPlan,
  secrets: Secrets,
  onWarning: (message: string) => void,
): Promise<void> {
  const ids = new Set(plan.stages.flatMap(({ steps }) => steps.flatMap(({ operation }) => secretIds(operation))));
  const given = (await Promise.all([...ids].map((id) => secrets.get(id)))).filter((secret) => secret !== undefined);
  const patterns = given.flatMap((secret) => secret.patterns);
  if (patterns.length === 0) return;
  refuseLeaks(leaksInTree({ ...config, annotations }, "the configuration", openPatterns(patterns)), given, secrets, onWarning);
}

function secretIds(operation: Operation): readonly string[] {
  return operation.op === "run" ? operation.mounts.flatMap((mount) => (mount.type === "secret" ? [mount.id] : [])) : [];
}

function finishedImage(
  plan: BuildPlan,
  target: StageWork,
  names: readonly string[],
  results: ReadonlyMap<number, StageResult>,
  { options, epoch }: DatedSite,
): TargetImage {
  const config = assembleConfig(plan, target, results, {
    labels: options.labels,
    ...(options.platform === undefined ? {} : { platform: parsePlatform(options.platform) }),
    ...(epoch === undefined ? {} : { epoch }),
  });
  const layers = results.get(target.index)?.files.layers ?? [];
  const called = options.target === undefined ? "" : (target.name ?? String(target.index));
  const steps = options.squash === undefined ? stepsOfLayers(plan, target) : [];
  return { target: called, config, layers, steps, annotations: options.annotations, names };
}

/** A registry knows images by their names only. */
function refuseNames({ outputs = [], tags = [] }: BuildOptions): void {
  for (const tag of tags) parseNewName(tag.slice(tag.indexOf("=") + 1));
  if (tags.length > 0 || !outputs.some(({ type }) => type === "registry")) return;
  throw new TsbuildError("INVALID_REFERENCE", "pushing the image: it has no name that says where to", {
    hint: "name it: -t HOST/REPOSITORY:TAG",
  });
}

export function imageEvent({ imageId, manifestDigest, names, pushed }: Delivered, layers: readonly LayerRef[]) {
  return {
    type: "image",
    imageId,
    manifestDigest,
    names,
    pushed,
    sizeBytes: layers.reduce((sum, { blob }) => sum + blob.size, 0),
  } as const;
}
