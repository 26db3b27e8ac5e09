import type { Writable } from "node:stream";
import type { DeviceValue, ResourceLimits, SandboxProcess, SeccompProfile } from "../runtime-addon/index.ts";
import type { LayerForm } from "../store/layer-form.ts";
import type { PlacedAnnotation } from "../store/registry/placed-annotations.ts";
import type { RegistryOptions } from "../store/registry/registry.ts";
import type { UnpackLimits } from "../store/unpack-limits.ts";
import type { EventSink, StepInfo } from "./progress/event.ts";

export type { DeviceValue, RegistryOptions, ResourceLimits };

/** "auto": as root too, steps run in a user namespace, whose root is nobody on the machine. "host": only where nothing else is allowed. */
export type UserNamespaceMode = "auto" | "host";

export type NetworkMode = "default" | "none" | "host";

/** What /etc/resolv.conf of a container says instead of the host's; empty lists say nothing. A search list of "." is none. */
export interface DnsSettings {
  /** Addresses. */
  readonly servers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

export const hostDns: DnsSettings = { servers: [], search: [], options: [] };

/**
 * When a registry is asked for an image: where the store has none of that name (missing), each time, and the store's is taken only where it is the same (always) or where the
 * registry does not answer (newer), or not at all. A name with a digest is looked for in the store first in any case.
 */
export type PullPolicy = "missing" | "always" | "newer" | "never";

/** What a command may do: what differs from Docker's defaults. */
export interface SecurityOptions {
  /** Capabilities, with or without CAP_, in any case; "ALL" is all of them. What is added wins over what is dropped. */
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  /** Absent: a profile of Docker's effect. */
  readonly seccomp?: SeccompProfile | "unconfined";
  /** Set-uid programs and file capabilities give nothing. Absent: they do. */
  readonly noNewPrivileges?: boolean;
  /** Nothing of /proc and /sys is hidden or made read-only. */
  readonly systemPaths?: "unconfined";
  /** Limits of each process. Absent: this process's own, but 1024 open files. */
  readonly rlimits?: NonNullable<SandboxProcess["rlimits"]>;
}

/** What a Dockerfile may ask for only where the caller allows it, by BuildKit's names. */
export type Entitlement = "security.insecure" | "network.host";

/** Where an archive goes: a file, which is replaced in one step, or a stream, which is ended. */
export type ArchiveTarget = { readonly file: string } | { readonly stream: Writable };

/** In what form an image leaves. */
export interface ImageForm extends Partial<LayerForm> {
  /** Of the documents. Absent: "oci". */
  readonly format?: "oci" | "docker";
  /** Of the manifest, beside those of the build and over them. Absent: none. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** How the files of an image leave. */
export interface FilesForm {
  /** In a folder "linux_arm64"; without folders no two platforms may have a file of the same path. Absent: where there are several platforms. */
  readonly platformSplit?: boolean;
}

/** Where the image goes. */
export type BuildOutput =
  /** Into the store, whole, under its names. */
  | { readonly type: "image" }
  /** To the registries that its names name. What is not in the store goes from registry to registry. Plain layers of ours are compressed with gzip where nothing else is said. */
  | ({ readonly type: "registry" } & ImageForm)
  /** An OCI archive, or an image layout in a directory that is new or empty; likewise compressed. */
  | ({ readonly type: "oci"; readonly to: ArchiveTarget | { readonly directory: string } } & ImageForm)
  /** An archive for every `docker load`, and for OCI tools too; plain layers of ours stay plain where nothing else is said. */
  | ({ readonly type: "docker"; readonly to: ArchiveTarget } & ImageForm)
  /** The image's files as a tar; of several targets each in a folder of its name. */
  | ({ readonly type: "tar"; readonly to: ArchiveTarget } & FilesForm)
  /** The image's files among those of a directory; of several targets each in a directory of its name. */
  | ({ readonly type: "local"; readonly directory: string } & FilesForm)
  /** Nowhere: the cache has what was built. */
  | { readonly type: "cacheonly" };

/** Where files, an image or a stage come from: the build context, and those that the Dockerfile knows by names (--build-context). */
export type ContextSource =
  /** A directory of the host, with its ignore file. */
  | { readonly kind: "directory"; readonly path: string }
  /** A tar, compressed or not: standard input, or a file of the host. */
  | { readonly kind: "tar"; readonly bytes: AsyncIterable<Uint8Array> }
  /** No files. */
  | { readonly kind: "empty" }
  /** As written: "https://host/path.git#ref:subdir", also with the query form. */
  | { readonly kind: "git"; readonly url: string }
  /** A tar, or (of the build context) a Dockerfile. */
  | { readonly kind: "http"; readonly url: string }
  /** docker-image://NAME. Not for the build context. */
  | { readonly kind: "image"; readonly image: string }
  /** oci-layout://DIRECTORY[:TAG][@DIGEST]. Not for the build context. */
  | { readonly kind: "oci-layout"; readonly path: string; readonly name?: string }
  /** target:STAGE, of the same Dockerfile. Not for the build context. */
  | { readonly kind: "stage"; readonly stage: string };

/** Where the value of a secret is. It is read when a step that mounts it runs; 500 KiB at most. */
export type SecretSource = { readonly file: string } | { readonly value: string | Uint8Array };

/** The socket of an SSH agent, or files of private keys, of which an agent of our own is made. */
export type SshSource = { readonly socket: string } | { readonly keys: readonly string[] };

/** A file that names what the build may use: a digest for each image, a commit for each repository, a checksum for each URL. */
export interface LockOptions {
  /** Path on the host. */
  readonly file: string;
  /** What the build uses must be what the file says, and the file is not written; otherwise it is written when the build has succeeded. */
  readonly locked: boolean;
}

/**
 * Everything a build depends on; all but the context and the store may be left out. Nothing below `build()` reads the environment, the command
 * line or a settings file.
 */
export interface BuildOptions {
  /** The build context; a text is a directory of the host. */
  readonly context: string | ContextSource;
  /** By the names that FROM, --from and mounts use. Absent: none. */
  readonly contexts?: Readonly<Record<string, ContextSource>>;
  /** The store's directory; it becomes a store when it is missing or empty. */
  readonly store: string;
  /** What one layer may come to that is unpacked or made. Absent: the defaults. */
  readonly unpackLimits?: Partial<UnpackLimits>;
  /**
   * Path of the Dockerfile, on the host or, where the context is no directory of the host, in the context; or its text. Absent: Dockerfile, then dockerfile,
   * then Containerfile in the context.
   */
  readonly dockerfile?: { readonly path: string } | { readonly text: string };
  /** Names for the image, as typed; "TARGET=NAME" where several targets are built. None: it is found by its id only. */
  readonly tags?: readonly string[];
  /** The stages to build, "*" for all; absent: the last. */
  readonly target?: string | readonly string[];
  /** Absent: nothing is locked. */
  readonly lock?: LockOptions;
  /** RUN steps have no network, and everything that comes from elsewhere must be locked. Absent: false. */
  readonly hermetic?: boolean;
  /** By the ids that RUN --mount=type=secret has. Their values are in no layer, key, log or history; absent: none. */
  readonly secrets?: Readonly<Record<string, SecretSource>>;
  /** Ids of secrets that the image may hold: finding one of the others there fails the build. Absent: none. */
  readonly allowSecretsInImage?: readonly string[];
  /** By the ids that RUN --mount=type=ssh has. A step can list keys and have them sign, and no more. Absent: none. */
  readonly ssh?: Readonly<Record<string, SshSource>>;
  /** Values of ARGs. */
  readonly buildArgs?: Readonly<Record<string, string>>;
  /** Labels beside those of the Dockerfile, and over them. */
  readonly labels?: Readonly<Record<string, string>>;
  /**
   * "linux/amd64". Of several, each once, an image is built for every one, and an index in their order is what has the names. Absent: base images are this machine's, and the
   * image is for what its base is for.
   */
  readonly platform?: string | readonly string[];
  /** All steps must run again. Absent: false. */
  readonly noCache?: boolean;
  /** Stage names whose steps must run again. */
  readonly noCacheFilter?: readonly string[];
  /**
   * Of RUN steps that say nothing themselves. "default" is a network of the step's own where this machine can make one, else the host's; "isolated" is
   * the same, and an error where there would be the host's. Absent: "default".
   */
  readonly network?: NetworkMode | "isolated";
  /** What /etc/resolv.conf says instead of the host's. Absent: as the host. */
  readonly dns?: DnsSettings;
  /** Absent: "host". */
  readonly userns?: UserNamespaceMode;
  /** Lines of /etc/hosts in RUN steps: "name:address", or "name:host-gateway". */
  readonly addHosts?: readonly string[];
  /** Of each RUN step. Absent: none. */
  readonly limits?: ResourceLimits;
  /** Of RUN steps. Absent: Docker's defaults. */
  readonly security?: SecurityOptions;
  /** What RUN steps may ask for: --security=insecure, --network=host. Absent: neither; the host's network, where `network` says so. */
  readonly allow?: readonly Entitlement[];
  /** Bytes of /dev/shm; absent: 64 MiB. */
  readonly shmSizeBytes?: number;
  /**
   * Seconds; or what has the time: "context" for the build context, "git" for the last commit of the repository that it is in, the name of a context, or of a stage that is one ADD
   * from elsewhere. Absent: as the build argument SOURCE_DATE_EPOCH says it, else the ARG before the first FROM; where nothing does, file times are what they are.
   */
  readonly sourceDateEpoch?: number | string;
  /** RUN steps see the host's bundle of CA certificates. Absent: false. */
  readonly hostCa?: boolean;
  /** What a failed RUN step left is kept in the store for shellInFailed, until the next build of the same target, or until other failed steps take its place. Absent: false. */
  readonly keepFailed?: boolean;
  /** How many steps at once; absent: the number of processors that affinity and quotas of control groups leave this process. */
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
  /** The layers of this build become one, or those of its base image too. The cache keeps them as they were. Absent: each stays. */
  readonly squash?: "build" | "all";
  /** Of the image's manifest, of each platform's where there are several. Absent: none. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Beside them and over them, where an image is for several platforms: of the index, of what it says of manifests, of one platform's manifest. Absent: none. */
  readonly placedAnnotations?: readonly PlacedAnnotation[];
  /** Of this process, for git and the ssh that it starts: PATH, HOME and SSH_AUTH_SOCK are taken. Absent: the system's own PATH, no agent. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
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
  | "dns"
  | "addHosts"
  | "limits"
  | "hostCa"
  | "keepFailed"
  | "onEvent"
  | "pull"
  | "registry"
  | "outputs"
  | "annotations"
  | "placedAnnotations"
  | "contexts"
  | "environment"
  | "hermetic"
  | "proxy"
  | "secrets"
  | "allowSecretsInImage"
  | "ssh";

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
    dns: options.dns ?? hostDns,
    addHosts: options.addHosts ?? [],
    limits: options.limits ?? {},
    hostCa: options.hostCa ?? false,
    keepFailed: options.keepFailed ?? false,
    onEvent: options.onEvent ?? (() => undefined),
    pull: options.pull ?? "missing",
    registry: options.registry ?? {},
    outputs: options.outputs ?? [{ type: "image" }],
    annotations: options.annotations ?? {},
    placedAnnotations: options.placedAnnotations ?? [],
    contexts: options.contexts ?? {},
    environment: options.environment ?? {},
    hermetic: options.hermetic ?? false,
    proxy: options.proxy ?? {},
    secrets: options.secrets ?? {},
    ssh: options.ssh ?? {},
    allowSecretsInImage: options.allowSecretsInImage ?? [],
  };
}

/** What was built of a target for one of several platforms. */
export interface PlatformBuild {
  /** "linux/arm64": what the image's config says. */
  readonly platform: string;
  /** Digest of the image config. */
  readonly imageId: string;
  /** As pushed, where it was pushed; else as it is in an archive or in the store. Absent: only files were written. */
  readonly manifestDigest?: string;
  /** DiffIds, bottom first. */
  readonly layers: readonly string[];
  /** What made the topmost of them, bottom first; none where they were merged. Those below are the base image's. */
  readonly steps: readonly StepInfo[];
}

/** One target's image. */
export interface BuiltImage {
  /** The stage's name in lower case, else its number; "" where no target was named. */
  readonly target: string;
  /** Digest of the image config; of an image for several platforms that of its index, as it is in the store, else as pushed or in an archive. */
  readonly imageId: string;
  /** Of the manifest or index: as pushed, where it was pushed; else as it is in an archive or in the store. Absent: only files were written. */
  readonly manifestDigest?: string;
  /** Of this build, as people see them; none where only files were written. */
  readonly names: readonly string[];
  /** DiffIds, bottom first; none of an image for several platforms. */
  readonly layers: readonly string[];
  /** What made the topmost of them, bottom first; none where they were merged. Those below are the base image's. */
  readonly steps: readonly StepInfo[];
  /** In the order asked for. Absent: the image is for one. */
  readonly platforms?: readonly PlatformBuild[];
}

/** The image of the first target is the result's own. */
export interface BuildResult extends BuiltImage {
  /** In the order of the targets. */
  readonly images: readonly BuiltImage[];
  /** How many of the steps that could be cached were. */
  readonly cachedSteps: number;
  readonly totalSteps: number;
}
