import type { TransferSink } from "../store/registry/transfer-event.ts";
import type { UnpackLimits } from "../store/unpack-limits.ts";
import {
  type DnsSettings,
  hostDns,
  type NetworkMode,
  type PullPolicy,
  type RegistryOptions,
  type ResourceLimits,
  type SecurityOptions,
  type UserNamespaceMode,
} from "./options.ts";
import type { RunningContainer } from "./sandbox/stop.ts";

/** A port of the host that leads to one of the container. */
export interface PortMapping {
  /** Address of the host to listen on; absent: all of them. */
  readonly hostAddress?: string;
  /** Absent: a free one, which onNote names. */
  readonly hostPort?: number;
  readonly containerPort: number;
  readonly protocol: "tcp" | "udp";
}

/** A file or directory of the host inside the container. */
export interface BindMount {
  /** Absolute path on the host. */
  readonly source: string;
  /** Absolute path in the container. */
  readonly target: string;
  readonly readOnly: boolean;
  /** With what is mounted below the source. Absent: true. */
  readonly recursive?: boolean;
}

/** An empty directory in memory; nothing in it can be a usable device file or gain its owner's rights. */
export interface TmpfsMount {
  /** Absolute path in the container. */
  readonly target: string;
  /** Absent: half of the memory, as the kernel has it. */
  readonly sizeBytes?: number;
  /** Absent: 0o1777. */
  readonly mode?: number;
  /** Absent: root. */
  readonly uid?: number;
  readonly gid?: number;
  readonly readOnly?: boolean;
  /** No program in it can be run. */
  readonly noExec?: boolean;
}

/**
 * Everything a container run depends on; all but the store and the image may be left out. Absent `command`, `entrypoint`, `workdir` and `user` are the image's own.
 * `runContainer(options)` resolves to the exit code: the command's own, or 128 + n when signal n ended it; it throws a
 * TsbuildError where the container could not be run (code COMMAND_NOT_FOUND: no such command; COMMAND_NOT_EXECUTABLE: it cannot be executed).
 */
export interface RunOptions {
  /** The store's directory. */
  readonly store: string;
  /** What one layer may come to that is unpacked or made. Absent: the defaults. */
  readonly unpackLimits?: Partial<UnpackLimits>;
  /** Name, digest or image id, as typed. */
  readonly image: string;
  /** Replaces the image's CMD when it has at least one word. Absent: none. */
  readonly command?: readonly string[];
  /** Replaces ENTRYPOINT, and then the image's CMD does not count; empty: no entrypoint. */
  readonly entrypoint?: readonly string[];
  /** Added to the image's variables. */
  readonly env?: Readonly<Record<string, string>>;
  readonly workdir?: string;
  readonly user?: string;
  readonly hostname?: string;
  /** The command reads this process's standard input; else it reads nothing. Absent: false. */
  readonly interactive?: boolean;
  /** The command gets a terminal. Absent: false. */
  readonly tty?: boolean;
  /** As BuildOptions.network. Absent: "default". */
  readonly network?: NetworkMode | "isolated";
  /** What /etc/resolv.conf says instead of the host's. Absent: as the host. */
  readonly dns?: DnsSettings;
  /** Absent: "host". */
  readonly userns?: UserNamespaceMode;
  readonly ports?: readonly PortMapping[];
  /** Lines of /etc/hosts: "name:address", or "name:host-gateway". */
  readonly addHosts?: readonly string[];
  readonly volumes?: readonly BindMount[];
  readonly tmpfs?: readonly TmpfsMount[];
  /** Name under which what the command changes is kept. Absent: it goes with the container. */
  readonly keep?: string;
  /** Only what is mounted can be written. Absent: false. */
  readonly readOnly?: boolean;
  /** What asks the command to end, by name or number. Absent: the image's STOPSIGNAL, else SIGTERM. */
  readonly stopSignal?: string;
  /** How long it may take, in seconds, before it is killed; negative: for ever. Absent: 10. */
  readonly stopTimeoutSeconds?: number;
  /** Absent: none. */
  readonly limits?: ResourceLimits;
  /** Absent: Docker's defaults. */
  readonly security?: SecurityOptions;
  /** Bytes of /dev/shm; absent: 64 MiB. */
  readonly shmSizeBytes?: number;
  /** When a registry is asked for the image. Absent: "missing". */
  readonly pull?: PullPolicy;
  /** Which platform of an image for several. Absent: this machine's. */
  readonly platform?: string;
  /** How registries are spoken to. Absent: as their defaults are, and as nobody in particular. */
  readonly registry?: RegistryOptions;
  /** Hears what comes from a registry. Absent: nobody does. */
  readonly onTransfer?: TransferSink;
  /** The container sees the host's bundle of CA certificates. Absent: false. */
  readonly hostCa?: boolean;
  /**
   * Gets what the command writes where it has no terminal; a pending promise holds that stream back, and one that rejects with EPIPE closes it, so that
   * the command gets SIGPIPE. Absent, the command has this process's own standard output and error, which a user other than ours may be refused to open
   * again (/dev/stdout).
   */
  readonly output?: (chunk: Uint8Array, stream: "stdout" | "stderr") => void | Promise<void>;
  /** Hears what this machine cannot do and the container does without. */
  readonly onNote?: (message: string) => void;
  /** Aborting kills the container at once. */
  readonly signal?: AbortSignal;
  /** Called once, when the command runs. */
  readonly onStarted?: (container: RunningContainer) => void;
}

type Defaulted =
  | "command"
  | "env"
  | "interactive"
  | "tty"
  | "network"
  | "dns"
  | "ports"
  | "addHosts"
  | "volumes"
  | "tmpfs"
  | "readOnly"
  | "stopTimeoutSeconds"
  | "limits"
  | "hostCa"
  | "pull"
  | "registry"
  | "onTransfer"
  | "onNote";

/** RunOptions with the defaults in place. */
export type ResolvedRunOptions = RunOptions & Required<Pick<RunOptions, Defaulted>>;

export function resolveRunOptions(options: RunOptions): ResolvedRunOptions {
  return {
    ...options,
    command: options.command ?? [],
    env: options.env ?? {},
    interactive: options.interactive ?? false,
    tty: options.tty ?? false,
    network: options.network ?? "default",
    dns: options.dns ?? hostDns,
    ports: options.ports ?? [],
    addHosts: options.addHosts ?? [],
    volumes: options.volumes ?? [],
    tmpfs: options.tmpfs ?? [],
    readOnly: options.readOnly ?? false,
    stopTimeoutSeconds: options.stopTimeoutSeconds ?? 10,
    limits: options.limits ?? {},
    hostCa: options.hostCa ?? false,
    pull: options.pull ?? "missing",
    registry: options.registry ?? {},
    onTransfer: options.onTransfer ?? (() => undefined),
    onNote: options.onNote ?? (() => undefined),
  };
}
