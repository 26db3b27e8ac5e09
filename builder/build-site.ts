import { TsbuildError } from "../store/errors.ts";
import { nameSystemError } from "../store/name-system-error.ts";
import type { Platform } from "../store/oci.ts";
import { machinePlatform, platformText } from "../store/platform.ts";
import type { Registry } from "../store/registry/registry.ts";
import { openStore, type Store } from "../store/store.ts";
import { layoutsOf, planContexts } from "./context/named-context.ts";
import { type Contexts, openContexts } from "./context/open-contexts.ts";
import type { Dockerfile } from "./dockerfile/instruction.ts";
import { parseDockerfile } from "./dockerfile/parse.ts";
import type { RemoteSources } from "./fetch/remote-sources.ts";
import { type ImageFinder, imageFinder } from "./find-image.ts";
import type { FoundImage } from "./found-image.ts";
import { lazyRegistry } from "./lazy-registry.ts";
import { type Lock, openLock } from "./lock/lock.ts";
import { type BuildOptions, type ContextSource, type ResolvedBuildOptions, resolveBuildOptions } from "./options.ts";
import type { PlanOptions } from "./plan/build-plan.ts";
import { platformsOf, severalPlatforms } from "./platforms.ts";
import type { EventSink, NoteSink } from "./progress/event.ts";
import { openSecrets, type Secrets } from "./secrets/secrets.ts";

/** What a build for one platform, its dry run and its checks work with. What is a function is opened when it is first called. */
export interface BuildSite {
  readonly options: ResolvedBuildOptions;
  /** The platform that was asked for. Absent: none was. */
  readonly asked?: Platform;
  readonly dockerfile: Dockerfile;
  readonly planOptions: PlanOptions;
  readonly contexts: Contexts;
  readonly lock: Lock;
  readonly secrets: Secrets;
  readonly store: () => Promise<Store>;
  readonly finder: () => Promise<ImageFinder>;
  readonly remote: () => Promise<RemoteSources>;
  readonly registry: () => Promise<Registry>;
  /** Says a note once. */
  readonly onNote: NoteSink;
  readonly signal: AbortSignal;
}

/** As withBuildSites, for what is of one platform. Throws SEVERAL_PLATFORMS where several are given; `doing` begins the message. */
export function withBuildSite<T>(options: BuildOptions, doing: string, work: (site: BuildSite) => Promise<T>): Promise<T> {
  return withBuildSites(options, (sites) => {
    const [only, ...others] = sites;
    if (others.length === 0) return work(only);
    throw severalPlatforms(
      sites.map(({ planOptions }) => planOptions.platform),
      doing,
    );
  });
}

/** One for each platform that was asked for, in that order; one alone where none was. They differ in their platforms, and share everything else. */
export type BuildSites = readonly [BuildSite, ...BuildSite[]];

/**
 * Reads and parses the Dockerfile, hands everything to `work`, and closes it again. Throws INVALID_PLATFORM, DockerfileErrors, what opening the context throws, and what `work`
 * does.
 */
export async function withBuildSites<T>(given: BuildOptions, work: (sites: BuildSites) => Promise<T>): Promise<T> {
  const asked = platformsOf(given.platform);
  const options = asked.length > 1 ? warnedOnce(resolveBuildOptions(given)) : resolveBuildOptions(given);
  const signal = options.signal ?? new AbortController().signal;
  const onNote = saidOnce(options.onEvent);
  const lock = await openLock(options.lock, options.hermetic);
  const secrets = openSecrets(options.secrets, options.allowSecretsInImage);
  await using registries = lazyRegistry({ onRetry: (message) => onNote(message, "passing"), ...options.registry });
  const store = opened(() => openStore(options.store, options));
  const remote = opened(async () => {
    const { openRemoteSources } = await import("./fetch/open-remote-sources.ts");
    const { settings, proxy, userAgent } = options.registry;
    return openRemoteSources({
      store: await store.open(),
      ...(settings === undefined ? {} : { settings }),
      ...(proxy === undefined ? {} : { proxy }),
      ...(userAgent === undefined ? {} : { userAgent }),
      environment: options.environment,
      secret: async (id) => (await secrets.get(id))?.bytes,
      onResolved: lock,
      onNote,
      signal,
    });
  });
  const finder = opened(async () =>
    askedOnce(
      imageFinder(await store.open(), {
        pull: options.pull,
        take: "lazily",
        layouts: layoutsOf(options.contexts),
        registry: registries.open,
        onEvent: options.onEvent,
        onNote,
        signal,
      }),
    ),
  );
  try {
    const contexts = await openContexts({
      main: contextOf(options.context),
      named: options.contexts,
      dockerfile: options.dockerfile,
      buildArgs: options.buildArgs,
      store: store.open,
      remote: remote.open,
      signal,
      now: Date.now,
    });
    const { text, file } = await contexts.dockerfile();
    const dockerfile = parseDockerfile(text, file, options.buildArgs.BUILDKIT_SYNTAX);
    const siteFor = (platform?: Platform): BuildSite => ({
      ...{ options, dockerfile, contexts, lock, secrets, onNote, signal },
      ...{ store: store.open, finder: finder.open, remote: remote.open, registry: registries.open },
      planOptions: planOptionsOf(options, platform, asked.length > 1),
      ...(platform === undefined ? {} : { asked: platform }),
    });
    const [first, ...others] = asked;
    return await work([siteFor(first), ...others.map(siteFor)]);
  } catch (error) {
    const { root } = (await store.known()) ?? { root: undefined };
    throw root === undefined ? error : nameSystemError(error, root);
  } finally {
    // Checkouts are the store's temporary files.
    await (await remote.known())?.close();
    await (await store.known())?.close();
  }
}

function contextOf(context: string | ContextSource): ContextSource {
  return typeof context === "string" ? { kind: "directory", path: context } : context;
}

function planOptionsOf(options: ResolvedBuildOptions, platform: Platform | undefined, severalPlatforms: boolean): PlanOptions {
  if (options.hermetic && options.network === "host") {
    throw new TsbuildError("HERMETIC_NETWORK", "planning the build: a hermetic build has no network, and RUN steps shall have the host's");
  }
  const { target = [] } = options;
  return {
    targets: typeof target === "string" ? [target] : target,
    contexts: planContexts(options.contexts),
    hermetic: options.hermetic,
    buildArgs: options.buildArgs,
    platform: platform ?? machinePlatform(),
    severalPlatforms,
    network: options.network === "isolated" ? "default" : options.network,
  };
}

/** Plans of several platforms have much in common, and so have their warnings. */
function warnedOnce(options: ResolvedBuildOptions): ResolvedBuildOptions {
  const said = new Set<string>();
  const onEvent: EventSink = (event) => {
    const warning = event.type === "warning" ? JSON.stringify(event) : undefined;
    if (warning === undefined || !said.has(warning)) options.onEvent(event);
    if (warning !== undefined) said.add(warning);
  };
  return { ...options, onEvent };
}

/** Whoever looks for the same image in one build finds the same, and a registry is asked once. */
function askedOnce(finder: ImageFinder): ImageFinder {
  const found = new Map<string, Promise<FoundImage>>();
  return {
    ...finder,
    find(name, platform) {
      const key = JSON.stringify([name, platform && platformText(platform)]);
      const image = found.get(key) ?? finder.find(name, platform);
      found.set(key, image);
      return image;
    },
  };
}

function saidOnce(onEvent: EventSink): NoteSink {
  const said = new Set<string>();
  return (message, passing) => {
    if (!said.has(message)) onEvent({ type: "note", message, ...(passing === "passing" ? { passing: true } : {}) });
    said.add(message);
  };
}

interface Opened<T> {
  open(): Promise<T>;
  /** What was opened, if anything was and could be. */
  known(): Promise<T | undefined>;
}

function opened<T>(open: () => Promise<T>): Opened<T> {
  let result: Promise<T> | undefined;
  return {
    open() {
      result ??= open();
      return result;
    },
    known: async () => result?.catch(() => undefined),
  };
}
