import { TsbuildError } from "../store/errors.ts";
import { nameSystemError } from "../store/name-system-error.ts";
import { machinePlatform } from "../store/platform.ts";
import type { Registry } from "../store/registry/registry.ts";
import { openStore, type Store } from "../store/store.ts";
import { layoutsOf, planContexts } from "./context/named-context.ts";
import { type Contexts, openContexts } from "./context/open-contexts.ts";
import type { Dockerfile } from "./dockerfile/instruction.ts";
import { parseDockerfile } from "./dockerfile/parse.ts";
import type { RemoteSources } from "./fetch/remote-sources.ts";
import { type ImageFinder, imageFinder } from "./find-image.ts";
import { lazyRegistry } from "./lazy-registry.ts";
import { type Lock, openLock } from "./lock/lock.ts";
import { type BuildOptions, type ContextSource, type ResolvedBuildOptions, resolveBuildOptions } from "./options.ts";
import type { PlanOptions } from "./plan/build-plan.ts";
import { parsePlatform } from "./plan/platform.ts";
import type { EventSink } from "./progress/event.ts";
import { openSecrets, type Secrets } from "./secrets/secrets.ts";

/** What a build, its dry run and its checks work with. What is a function is opened when it is first called. */
export interface BuildSite {
  readonly options: ResolvedBuildOptions;
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
  readonly onNote: (message: string) => void;
  readonly signal: AbortSignal;
}

/** Reads and parses the Dockerfile, hands everything to `work`, and closes it again. Throws DockerfileErrors, what opening the context throws, and what `work` does. */
export async function withBuildSite<T>(given: BuildOptions, work: (site: BuildSite) => Promise<T>): Promise<T> {
  const options = resolveBuildOptions(given);
  const signal = options.signal ?? new AbortController().signal;
  const onNote = saidOnce(options.onEvent);
  const lock = await openLock(options.lock, options.hermetic);
  const secrets = openSecrets(options.secrets, options.allowSecretsInImage);
  await using registries = lazyRegistry(options.registry);
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
    imageFinder(await store.open(), {
      pull: options.pull,
      take: "lazily",
      layouts: layoutsOf(options.contexts),
      registry: registries.open,
      onEvent: options.onEvent,
      onNote,
      signal,
    }),
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
    const planOptions = planOptionsOf(options);
    return await work({
      ...{ options, dockerfile, planOptions, contexts, lock, secrets, onNote, signal },
      ...{ store: store.open, finder: finder.open, remote: remote.open, registry: registries.open },
    });
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

function planOptionsOf(options: ResolvedBuildOptions): PlanOptions {
  if (options.hermetic && options.network === "host") {
    throw new TsbuildError("HERMETIC_NETWORK", "planning the build: a hermetic build has no network, and RUN steps shall have the host's");
  }
  const { target = [] } = options;
  return {
    targets: typeof target === "string" ? [target] : target,
    contexts: planContexts(options.contexts),
    hermetic: options.hermetic,
    buildArgs: options.buildArgs,
    platform: options.platform === undefined ? machinePlatform() : parsePlatform(options.platform),
    network: options.network === "isolated" ? "default" : options.network,
  };
}

function saidOnce(onEvent: EventSink): (message: string) => void {
  const said = new Set<string>();
  return (message) => {
    if (!said.has(message)) onEvent({ type: "note", message });
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
