import { availableParallelism } from "node:os";
import { parseNewName } from "../store/image-names.ts";
import type { Image } from "../store/images.ts";
import { nameSystemError } from "../store/name-system-error.ts";
import { machinePlatform, platformText } from "../store/platform.ts";
import { openStore, type Store } from "../store/store.ts";
import { assembleConfig } from "./assemble.ts";
import { stepCache } from "./cache/records.ts";
import { contextRoot } from "./context/context-root.ts";
import { directoryContext } from "./context/directory.ts";
import { parseIgnoreFile } from "./context/ignore.ts";
import { located } from "./dockerfile/errors.ts";
import type { Dockerfile } from "./dockerfile/instruction.ts";
import { parseDockerfile } from "./dockerfile/parse.ts";
import { execute } from "./execute.ts";
import { openBase } from "./open-base.ts";
import { type BuildOptions, type BuildResult, type ResolvedBuildOptions, resolveBuildOptions } from "./options.ts";
import { type BuildPlan, outlineBuild, type PlannedImage, type PlanOptions, planBuild, type StageWork } from "./plan/build-plan.ts";
import { normalizePlatform, parsePlatform } from "./plan/platform.ts";
import { type ImageUse, imageKey } from "./plan/stages.ts";
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
  const root = await contextRoot(options.context);
  const started = await readDockerfile(options.context, options.dockerfile);
  const dockerfile = parseDockerfile(started.text, started.file);
  const planOptions = planOptionsOf(options);
  const { outline, sources, images } = outlineBuild(dockerfile, planOptions);

  const store = await openStore(options.store);
  try {
    const resolved = await resolveImages(store, images, dockerfile, options);
    const plan = planBuild(dockerfile, outline, sources, resolved, planOptions);
    warnUnusedArgs(plan, dockerfile, options);
    options.onEvent({
      type: "plan",
      steps: plan.stages.flatMap(({ fromInfo, infos }) => [fromInfo, ...infos]).sort((a, b) => a.id - b.id),
    });
    return await buildPlan(plan, store, lazyContext(store, root, started), options);
  } catch (error) {
    throw nameSystemError(error, store.root);
  } finally {
    await store.close();
  }
}

async function buildPlan(plan: BuildPlan, store: Store, context: LazyContext, options: ResolvedBuildOptions): Promise<BuildResult> {
  const epoch = options.sourceDateEpoch;
  const said = new Set<string>();
  const onNote = (message: string): void => {
    if (!said.has(message)) options.onEvent({ type: "note", message });
    said.add(message);
  };
  const host = openHost(store, onNote);
  try {
    const results = await execute({
      plan,
      store,
      cache: stepCache(store),
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
      signal: options.signal ?? new AbortController().signal,
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
    const image = await store.images.put({ config, layers: result.files.layers.map(({ blob }) => blob), names: options.tags });
    options.onEvent(imageEvent(image));
    const all = [...results.values()];
    return {
      imageId: image.imageId,
      manifestDigest: image.descriptor.digest,
      names: image.names,
      cachedSteps: all.reduce((sum, { cachedSteps }) => sum + cachedSteps, 0),
      totalSteps: all.reduce((sum, { created }) => sum + created.length, 0),
    };
  } finally {
    await host.close();
  }
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

async function resolveImages(
  store: Store,
  uses: readonly ImageUse[],
  dockerfile: Dockerfile,
  { onEvent }: ResolvedBuildOptions,
): Promise<ReadonlyMap<string, PlannedImage>> {
  const found = new Map<string, PlannedImage>();
  for (const use of uses) {
    const { image: name, platform, instruction } = use;
    if (found.has(imageKey(use))) continue;
    try {
      const image = await openBase(store, name, platform);
      const offered = normalizePlatform(image.config);
      if (offered.architecture !== platform.architecture || offered.os !== platform.os) {
        const message = `image "${name}" is for ${platformText(offered)}, and ${platformText(platform)} is wanted`;
        onEvent({ type: "warning", message, range: instruction.range });
      }
      found.set(imageKey(use), image);
    } catch (error) {
      throw located(error, dockerfile, instruction.range);
    }
  }
  return found;
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

function imageEvent(image: Image) {
  return {
    type: "image",
    imageId: image.imageId,
    manifestDigest: image.descriptor.digest,
    names: image.names,
    sizeBytes: image.layers.reduce((sum, { blob }) => sum + blob.size, 0),
  } as const;
}
