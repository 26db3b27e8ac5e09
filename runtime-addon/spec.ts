import type { Cgroup } from "./cgroup.ts";
import type { Rlimit, RlimitName } from "./rlimits.ts";
import type { SeccompProfile } from "./seccomp/profile.ts";

/** What one sandbox is made of. Paths of the host are absolute; targets are absolute paths inside the root. */
export interface SandboxSpec {
  readonly root: SandboxRoot;
  /** A process whose user namespace is joined before everything else; see openNamespaceWorker. */
  readonly userNamespace?: JoinedNamespace;
  /** "outer": the /proc that this process sees, where no new one can be mounted. "own" where absent. */
  readonly proc?: "own" | "outer";
  /** "none": a new network namespace with nothing but a loopback interface. A process: the namespace that it is in, see openNetwork. */
  readonly network: "host" | "none" | { readonly pid: number };
  readonly hostname: string;
  /**
   * Made in order: of equal targets the later is on top. A target that is missing is created and reported in SandboxResult.created. Symlinks in
   * targets are followed as if the root were "/"; where they end on the root itself, on /dev or in /proc or /sys, the mount is refused.
   */
  readonly mounts: readonly Mount[];
  /** Nothing of the root itself can be written, only what is mounted on it. */
  readonly readOnlyRoot?: boolean;
  /** Small files in the sandbox's /dev, for what must leave no trace in the root file system. */
  readonly files: readonly ProvidedFile[];
  /** Size of /dev/shm; 64 MiB where absent or 0. */
  readonly shmSizeBytes?: number;
  /**
   * Nothing of /proc and /sys is hidden, /sys can be written, and /dev has the nodes of these devices too where the machine has or makes them; what is mounted there
   * can hold others.
   */
  readonly privileged?: { readonly devices: readonly Device[] };
  /** Nothing of /proc and /sys is hidden or read-only beyond what they are mounted with. False where absent. */
  readonly openSystemPaths?: boolean;
  readonly process: SandboxProcess;
  /** Control groups for the command; the caller closes them. */
  readonly cgroup?: Cgroup;
}

export interface JoinedNamespace {
  readonly pid: number;
  /**
   * A directory of the host: what is below it belongs, in the sandbox, to the ids that it has on disk, and what the sandbox makes there likewise. For root only, on file systems that can
   * be mounted so (mount_setattr(2), "ID-mapped mounts"; overlays of them need Linux 5.19).
   */
  readonly mapped?: string;
}

/**
 * An overlay of directories, or one plain directory.
 *
 * The overlay needs Linux 5.12 (userxattr came with 5.11, mount_setattr with 5.12). Equal directories among the lowers are refused by
 * the kernel. The sandbox creates no mount point where the bottom-most lower offers /proc, /sys, /dev, /etc/resolv.conf and so on.
 */
export type SandboxRoot =
  | {
      /** Topmost first; at most 500. */
      readonly lowers: readonly string[];
      readonly upper: string;
      /** Empty, and on the file system of `upper`. */
      readonly work: string;
    }
  | { readonly directory: string };

export type Mount =
  | {
      readonly kind: "bind";
      /** A file or directory; symlinks in it are followed on the host. */
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
      /** With what is mounted below the source; true where absent. */
      readonly recursive?: boolean;
    }
  | {
      /** What `source` names in an overlay of its own, which stays nowhere else in reach. */
      readonly kind: "overlay";
      /** Topmost first, as of the root; at least two where there is no upper. */
      readonly lowers: readonly string[];
      /** Takes what is written; absent: read-only. */
      readonly changes?: { readonly upper: string; readonly work: string };
      /** A file or directory in the overlay: an absolute path, symlinks followed as if the overlay were "/". */
      readonly source: string;
      readonly target: string;
    }
  | ContentMount
  | TmpfsMount;

/** A read-only file that exists in memory only, and in this sandbox only. */
export interface ContentMount {
  readonly kind: "content";
  readonly target: string;
  readonly content: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Nothing in it can be a usable device file or gain its owner's rights. */
export interface TmpfsMount {
  readonly kind: "tmpfs";
  readonly target: string;
  /** Half of the machine's memory where absent or 0. */
  readonly sizeBytes?: number;
  /** 0o1777 where absent. */
  readonly mode?: number;
  /** Owner of its top directory; root where absent. */
  readonly uid?: number;
  readonly gid?: number;
  readonly readOnly?: boolean;
  readonly noExec?: boolean;
}

/** A device file (mknod(2)). */
export interface Device {
  /** Below /dev. */
  readonly name: string;
  readonly kind: "character" | "block";
  readonly major: number;
  readonly minor: number;
}

export interface ProvidedFile {
  /** Below /dev/. */
  readonly target: string;
  /** Without NUL characters. */
  readonly content: string;
  /** 0o444 where absent. */
  readonly mode?: number;
}

export interface SandboxProcess {
  readonly args: readonly [string, ...string[]];
  /** The whole environment; its PATH (else Docker's default) is where args[0] is looked for if it has no slash. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
  /** Names, with or without CAP_; DEFAULT_CAPABILITIES where absent. Effective for uid 0, an upper bound for others. */
  readonly capabilities?: readonly string[];
  /** Which system calls the command may make: a profile's, all, or where absent those of a profile like Docker's. */
  readonly seccomp?: SeccompProfile | "unconfined";
  /** Set-uid programs and file capabilities give nothing. False where absent. */
  readonly noNewPrivileges?: boolean;
  /** A terminal of its own, relayed to the caller's stdin and stdout. */
  readonly tty?: boolean;
  /** 0o022 where absent. */
  readonly umask?: number;
  /** Seccomp filters as arrays of sock_filter, beside the sandbox's own: of all answers to a call the strictest counts (seccomp(2)). */
  readonly filters?: readonly Uint8Array[];
  readonly rlimits?: Readonly<Partial<Record<RlimitName, Rlimit>>>;
}
