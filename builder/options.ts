import type { ResourceLimits } from "../runtime-addon/index.ts";
import type { RegistryOptions } from "../store/registry/registry.ts";
import type { EventSink } from "./progress/event.ts";

export type { RegistryOptions, ResourceLimits };

export type NetworkMode = "default" | "none" | "host";

/**
 * When a registry is asked for an image: where the store has none of that name (missing), each time, and the store's is taken only where it is the same (always) or where the
 * registry does not answer (newer), or not at all. A name with a digest is looked for in the store first in any case.
 */
export type PullPolicy = "missing" | "always" | "newer" | "never";

/** Where the image goes. */
export type BuildOutput =
  /** Into the store, whole, under its names. */
  | { readonly type: "image" }
  /** To the registries that its names name. What is not in the store goes from registry to registry. */
  | { readonly type: "registry"; readonly compression?: "gzip" | "none"; readonly format?: "oci" | "docker" };

/**
 * Everything a build depends on; all but the context and the store may be left out. Nothing below `build()` reads the environment, the command
 * line or a settings file.
 */
export interface BuildOptions {
  /** The context: a directory of the host. */
  readonly context: string;
  /** The store's directory; it becomes a store when it is missing or empty. */
  readonly store: string;
  /** Path of the Dockerfile, or its text (stdin). Absent: Dockerfile, then dockerfile, then Containerfile in the context. */
  readonly dockerfile?: { readonly path: string } | { readonly text: string };
  /** Names for the image, as typed. None: it is found by its id only. */
  readonly tags?: readonly string[];
  /** The stage to build; absent: the last. */
  readonly target?: string;
  /** Values of ARGs. */
  readonly buildArgs?: Readonly<Record<string, string>>;
  /** Labels beside those of the Dockerfile, and over them. */
  readonly labels?: Readonly<Record<string, string>>;
  /** "linux/amd64". Absent: base images are this machine's, and the image is for what its base is for. */
  readonly platform?: string;
  /** All steps must run again. Absent: false. */
  readonly noCache?: boolean;
  /** Stage names whose steps must run again. */
  readonly noCacheFilter?: readonly string[];
  /** Of RUN steps that say nothing themselves. Absent: "default". */
  readonly network?: NetworkMode;
  /** Lines of /etc/hosts in RUN steps: "name:address", or "name:host-gateway". */
  readonly addHosts?: readonly string[];
  /** Of each RUN step. Absent: none. */
  readonly limits?: ResourceLimits;
  /** Bytes of /dev/shm; absent: 64 MiB. */
  readonly shmSizeBytes?: number;
  /** Seconds. Absent: file times are what they are. */
  readonly sourceDateEpoch?: number;
  /** RUN steps see the host's bundle of CA certificates. Absent: false. */
  readonly hostCa?: boolean;
  /** How many steps at once; absent: the number of processors. */
  readonly jobs?: number;
  /** Hears what the build does while it goes on. Absent: nobody does. */
  readonly onEvent?: EventSink;
  /** Aborting ends the build. */
  readonly signal?: AbortSignal;
  /** Of base images and COPY --from. Absent: "missing". */
  readonly pull?: PullPolicy;
  /** How registries are spoken to. Absent: as their defaults are, and as nobody in particular. */
  readonly registry?: RegistryOptions;
  /** Absent: the store alone. */
  readonly outputs?: readonly BuildOutput[];
  /** Of the image's manifest. Absent: none. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Values of the predefined proxy variables (HTTP_PROXY, …): given to RUN, outside key and history. Absent: none. */
  readonly proxy?: Readonly<Record<string, string>>;
}

type Defaulted =
  | "tags"
  | "buildArgs"
  | "labels"
  | "noCache"
  | "noCacheFilter"
  | "network"
  | "addHosts"
  | "limits"
  | "hostCa"
  | "onEvent"
  | "pull"
  | "registry"
  | "outputs"
  | "annotations"
  | "proxy";

/** BuildOptions with the defaults in place. */
export type ResolvedBuildOptions = BuildOptions & Required<Pick<BuildOptions, Defaulted>>;

export function resolveBuildOptions(options: BuildOptions): ResolvedBuildOptions {
  return {
    ...options,
    tags: options.tags ?? [],
    buildArgs: options.buildArgs ?? {},
    labels: options.labels ?? {},
    noCache: options.noCache ?? false,
    noCacheFilter: options.noCacheFilter ?? [],
    network: options.network ?? "default",
    addHosts: options.addHosts ?? [],
    limits: options.limits ?? {},
    hostCa: options.hostCa ?? false,
    onEvent: options.onEvent ?? (() => undefined),
    pull: options.pull ?? "missing",
    registry: options.registry ?? {},
    outputs: options.outputs ?? [{ type: "image" }],
    annotations: options.annotations ?? {},
    proxy: options.proxy ?? {},
  };
}

export interface BuildResult {
  /** Digest of the image config. */
  readonly imageId: string;
  /** As pushed, where it was pushed; else as it is in the store. */
  readonly manifestDigest: string;
  readonly names: readonly string[];
  /** How many of the steps that could be cached were. */
  readonly cachedSteps: number;
  readonly totalSteps: number;
}
