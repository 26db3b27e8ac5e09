import type { NetworkMode, ResourceLimits } from "./options.ts";

/** A port of the host that leads to one of the container. */
export interface PortMapping {
  /** Address of the host to listen on; absent: all of them. */
  readonly hostAddress?: string;
  readonly hostPort: number;
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
}

/**
 * Everything a container run depends on. Absent `command`, `entrypoint`, `workdir` and `user` are the image's own.
 * `runContainer(options)` resolves to the exit code: the command's own, or 128 + n when signal n ended it; it throws a
 * TsbuildError where the container could not be run (code COMMAND_NOT_FOUND: no such command; COMMAND_NOT_EXECUTABLE: it cannot be executed).
 */
export interface RunOptions {
  /** The store's directory. */
  readonly store: string;
  /** Name, digest or image id, as typed. */
  readonly image: string;
  /** Replaces the image's CMD when it has at least one word. */
  readonly command: readonly string[];
  /** Replaces ENTRYPOINT, and then the image's CMD does not count; empty: no entrypoint. */
  readonly entrypoint?: readonly string[];
  /** Added to the image's variables. */
  readonly env: Readonly<Record<string, string>>;
  readonly workdir?: string;
  readonly user?: string;
  readonly hostname?: string;
  /** The command reads this process's standard input; else it reads nothing. */
  readonly interactive: boolean;
  /** The command gets a terminal. */
  readonly tty: boolean;
  readonly network: NetworkMode;
  readonly ports: readonly PortMapping[];
  /** "name:address" */
  readonly addHosts: readonly string[];
  readonly volumes: readonly BindMount[];
  readonly limits: ResourceLimits;
  /** Bytes of /dev/shm. */
  readonly shmSizeBytes?: number;
  readonly hostCa: boolean;
  /**
   * Gets what the command writes where it has no terminal; a pending promise holds that stream back. Absent, the command has this process's own
   * standard output and error, which a user other than ours may be refused to open again (/dev/stdout).
   */
  readonly output?: (chunk: Uint8Array, stream: "stdout" | "stderr") => void | Promise<void>;
  /** Aborting kills the container at once. */
  readonly signal?: AbortSignal;
  /** Called once, when the command runs, with what delivers a signal to it. */
  readonly onStarted?: (deliver: (signal: NodeJS.Signals) => void) => void;
}
