import { availableParallelism } from "node:os";
import { TsbuildError } from "../store/errors.ts";
import { parseNewName } from "../store/image-names.ts";
import { nameSystemError } from "../store/name-system-error.ts";
import type { LayerRef } from "../store/open-rootfs.ts";
import { machinePlatform } from "../store/platform.ts";
import type { Registry } from "../store/registry/registry.ts";
import { openStore, type Store } from "../store/store.ts";
import { assembleConfig } from "./assemble.ts";
import { stepCache } from "./cache/records.ts";
import { contextRoot } from "./context/context-root.ts";
import { directoryContext } from "./context/directory.ts";
import { parseIgnoreFile } from "./context/ignore.ts";
import { type Delivered, deliver } from "./deliver.ts";
import { located } from "./dockerfile/errors.ts";
import type { Dockerfile } from "./dockerfile/instruction.ts";
import { parseDockerfile } from "./dockerfile/parse.ts";
import { execute } from "./execute.ts";
import { type ImageFinder, imageFinder } from "./find-image.ts";
import { lazyRegistry } from "./lazy-registry.ts";
import { type BuildOptions, type BuildResult, type ResolvedBuildOptions, resolveBuildOptions } from "./options.ts";
import { otherPlatform } from "./other-platform.ts";
import { type BuildPlan, outlineBuild, type PlannedImage, type PlanOptions, planBuild, type StageWork } from "./plan/build-plan.ts";
import { parsePlatform } from "./plan/platform.ts";
import { type ImageUse, imageKey } from "./plan/stages.ts";
import type { EventSink } from "./progress/event.ts";
import { type DockerfileText, readDockerfile } from "./read-dockerfile.ts";
import { openHost } from "./sandbox/host.ts";
import { type ContextReader, contextReader } from "./steps/context-inputs.ts";

/**
 * Builds the target stage of a Dockerfile and names the image in the store. Throws DockerfileError(s) for what is wrong with the file, StepError
 * for a command that failed, SandboxError where none can be made, TsbuildError otherwise, and the signal's reason when aborted. When the
 * promise settles nothing is left running, and a failed build has changed no name.
 */
export async function build(given: BuildOptions): Promise<BuildResult> {
  const options = resolveBuildOptions(given);
  // Before anything is built that could not be named afterwards.
  options.tags.forEach(parseNewName);
  refuseNameless(options);
  const root = await contextRoot(options.context);
  const started = await readDockerfile(options.context, options.dockerfile);
  const dockerfile = parseDockerfile(started.text, started.file);
  const planOptions = planOptionsOf(options);
  const { outline, sources, images } = outlineBuild(dockerfile, planOptions);

  const signal = options.signal ?? new AbortController().signal;
  const onNote = notes(options.onEvent);
  await using registries = lazyRegistry(options.registry);
  const store = await openStore(options.store);
  try {
    const finder = imageFinder(store, {
      pull: options.pull,
      take: "lazily",
      registry: registries.open,
      onEvent: options.onEvent,
      onNote,
      signal,
    });
    const resolved = await resolveImages(finder, images, dockerfile, options);
    const plan = planBuild(dockerfile, outline, sources, resolved, planOptions);
    warnUnusedArgs(plan, dockerfile, options);
    options.onEvent({
      type: "plan",
      steps: plan.stages.flatMap(({ fromInfo, infos }) => [fromInfo, ...infos]).sort((a, b) => a.id - b.id),
    });
    const site = { store, finder, registry: registries.open, context: lazyContext(store, root, started), onNote, signal };
    return await buildPlan(plan, site, options);
  } catch (error) {
    throw nameSystemError(error, store.root);
  } finally {
    await store.close();
  }
}

/** What a build works with. */
interface Site {
  readonly store: Store;
  readonly finder: ImageFinder;
  readonly registry: () => Promise<Registry>;
  readonly context: LazyContext;
  readonly onNote: (message: string) => void;
  readonly signal: AbortSignal;
}

async function buildPlan(plan: BuildPlan, site: Site, options: ResolvedBuildOptions): Promise<BuildResult> {
  const { store, finder, context, onNote, signal } = site;
  const epoch = options.sourceDateEpoch;
  const host = openHost(store, onNote);
  try {
    const results = await execute({
      plan,
      store,
      cache: stepCache(store),
      fetch: async (layers, reading) => (await finder.fetcher()).fetch(layers, reading),
      context: context.open,
      run: {
        host,
        limits: options.limits,
        addHosts: options.addHosts,
        proxy: { ...options.proxy, ...Object.fromEntries(Object.entries(options.buildArgs).filter(([name]) => isProxy(name))) },
        hostCa: options.hostCa,
        onNote,
        ...(options.shmSizeBytes === undefined ? {} : { shmSizeBytes: options.shmSizeBytes }),
      },
      ...(epoch === undefined ? {} : { epoch }),
      jobs: options.jobs ?? availableParallelism(),
      useCache: (stage) => !options.noCache && !isFiltered(stage, options.noCacheFilter),
      onEvent: options.onEvent,
      signal,
      now: Date.now,
    });
    await context.save();
    const result = results.get(plan.target.index);
    if (result === undefined) throw new RangeError("the target was not built");
    const config = assembleConfig(plan, results, {
      labels: options.labels,
      ...(options.platform === undefined ? {} : { platform: parsePlatform(options.platform) }),
      ...(epoch === undefined ? {} : { epoch }),
    });
    const { layers } = result.files;
    const image = { config, layers, annotations: options.annotations, names: options.tags };
    const delivered = await deliver(store, image, options.outputs, { ...site, fetcher: finder.fetcher, onEvent: options.onEvent });
    options.onEvent(imageEvent(delivered, layers));
    const all = [...results.values()];
    return {
      imageId: delivered.imageId,
      manifestDigest: delivered.manifestDigest,
      names: delivered.names,
      cachedSteps: all.reduce((sum, { cachedSteps }) => sum + cachedSteps, 0),
      totalSteps: all.reduce((sum, { created }) => sum + created.length, 0),
    };
  } finally {
    await host.close();
  }
}

/** Says each note once. */
function notes(onEvent: EventSink): (message: string) => void {
  const said = new Set<string>();
  return (message) => {
    if (!said.has(message)) onEvent({ type: "note", message });
    said.add(message);
  };
}

/** A registry knows images by their names only. */
function refuseNameless({ outputs, tags }: ResolvedBuildOptions): void {
  if (tags.length > 0 || !outputs.some(({ type }) => type === "registry")) return;
  throw new TsbuildError("INVALID_REFERENCE", "pushing the image: it has no name that says where to", {
    hint: "name it: -t HOST/REPOSITORY:TAG",
  });
}

function planOptionsOf(options: ResolvedBuildOptions): PlanOptions {
  return {
    buildArgs: options.buildArgs,
    platform: options.platform === undefined ? machinePlatform() : parsePlatform(options.platform),
    network: options.network,
    ...(options.target === undefined ? {} : { target: options.target }),
  };
}

/** The build context, opened when the first COPY asks. */
interface LazyContext {
  open(): Promise<ContextReader>;
  /** Writes down what the build learned of it, if it was opened. */
  save(): Promise<void>;
}

function lazyContext(store: Store, root: string, { ignore }: DockerfileText): LazyContext {
  let reader: Promise<ContextReader> | undefined;
  const read = async () => {
    const rules = ignore === undefined ? undefined : parseIgnoreFile(ignore.text, ignore.file);
    return contextReader(store, directoryContext(root, rules), Date.now);
  };
  return {
    open() {
      reader ??= read();
      return reader;
    },
    save: async () => (await reader)?.save(),
  };
}

/** All at once: each may need an answer from far away. */
async function resolveImages(
  finder: ImageFinder,
  uses: readonly ImageUse[],
  dockerfile: Dockerfile,
  { onEvent }: ResolvedBuildOptions,
): Promise<ReadonlyMap<string, PlannedImage>> {
  const distinct = new Map<string, ImageUse>();
  for (const use of uses) if (!distinct.has(imageKey(use))) distinct.set(imageKey(use), use);
  const found = await Promise.allSettled(
    [...distinct].map(async ([key, { image: name, platform, instruction }]): Promise<[string, PlannedImage]> => {
      try {
        const image = await finder.find(name, platform);
        const message = otherPlatform(name, image.config, platform);
        if (message !== undefined) onEvent({ type: "warning", message, range: instruction.range });
        return [key, image];
      } catch (error) {
        throw located(error, dockerfile, instruction.range);
      }
    }),
  );
  const failed = found.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return new Map(found.flatMap((result) => (result.status === "fulfilled" ? [result.value] : [])));
}

function warnUnusedArgs(plan: BuildPlan, dockerfile: Dockerfile, { buildArgs, onEvent }: ResolvedBuildOptions): void {
  const used = new Set(["SOURCE_DATE_EPOCH", ...dockerfile.globals.flatMap(({ args }) => args.map(({ name }) => name))]);
  for (const { state } of plan.stages) for (const name of state.scope.args) used.add(name);
  const unused = Object.keys(buildArgs).filter((name) => !used.has(name) && !isProxy(name));
  if (unused.length > 0) onEvent({ type: "warning", message: `build arguments that no ARG declares: ${unused.join(", ")}` });
}

function isProxy(name: string): boolean {
  return /^(https?|ftp|no|all)_proxy$/i.test(name);
}

function isFiltered(stage: StageWork, filter: readonly string[]): boolean {
  return filter.some((name) => name.toLowerCase() === stage.name || name === String(stage.index));
}

function imageEvent({ imageId, manifestDigest, names, pushed }: Delivered, layers: readonly LayerRef[]) {
  return {
    type: "image",
    imageId,
    manifestDigest,
    names,
    pushed,
    sizeBytes: layers.reduce((sum, { blob }) => sum + blob.size, 0),
  } as const;
}
