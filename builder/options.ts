import type { ResourceLimits } from "../runtime-addon/index.ts";
import type { EventSink } from "./progress/event.ts";

export type { ResourceLimits };

export type NetworkMode = "default" | "none" | "host";

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
    proxy: options.proxy ?? {},
  };
}

export interface BuildResult {
  /** Digest of the image config. */
  readonly imageId: string;
  readonly manifestDigest: string;
  readonly names: readonly string[];
  /** How many of the steps that could be cached were. */
  readonly cachedSteps: number;
  readonly totalSteps: number;
}
