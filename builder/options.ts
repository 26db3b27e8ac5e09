import type { ResourceLimits } from "../runtime-addon/index.ts";
import type { EventSink } from "./progress/event.ts";

export type { ResourceLimits };

export type NetworkMode = "default" | "none" | "host";

/** Everything a build depends on. Nothing below `build()` reads the environment, the command line or a settings file. */
export interface BuildOptions {
  /** The context: a directory of the host. */
  readonly context: string;
  /** Path of the Dockerfile, or its text (stdin). Absent: Dockerfile, then dockerfile, then Containerfile in the context. */
  readonly dockerfile?: { readonly path: string } | { readonly text: string };
  /** Names for the image, as typed. */
  readonly tags: readonly string[];
  readonly target?: string;
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** "linux/amd64"; absent: this machine's. */
  readonly platform?: string;
  readonly noCache: boolean;
  /** Stage names whose steps must run again. */
  readonly noCacheFilter: readonly string[];
  readonly network: NetworkMode;
  readonly addHosts: readonly string[];
  readonly limits: ResourceLimits;
  /** Bytes of /dev/shm. */
  readonly shmSizeBytes?: number;
  /** Seconds. Absent: file times are what they are. */
  readonly sourceDateEpoch?: number;
  /** RUN steps see the host's bundle of CA certificates. */
  readonly hostCa: boolean;
  /** How many steps at once; absent: the number of processors. */
  readonly jobs?: number;
  /** The store's directory. */
  readonly store: string;
  readonly onEvent: EventSink;
  readonly signal?: AbortSignal;
  /** Values of the predefined proxy variables (HTTP_PROXY, …) of the caller: given to RUN, outside key and history. */
  readonly proxy: Readonly<Record<string, string>>;
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
