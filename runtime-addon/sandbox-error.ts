import { constants } from "node:os";
import { type ErrorDetails, TsbuildError } from "./errors.ts";
import { namespaceRemedy } from "./namespace-switches.ts";
import { RLIMIT_NAMES } from "./rlimits.ts";

/** Where a sandbox failed: the operation of its plan, and the system call. */
export interface SandboxFailure {
  readonly op: string;
  readonly syscall: string;
  /** Name of the errno, e.g. "EPERM". */
  readonly errno: string;
  readonly path: string;
}

/** A sandbox that could not be made, or whose command could not be started. */
export class SandboxError extends TsbuildError {
  readonly failure: SandboxFailure | undefined;

  constructor(code: string, message: string, details: ErrorDetails & { readonly failure?: SandboxFailure } = {}) {
    super(code, message, details);
    this.failure = details.failure;
  }
}

/** What tsb-init reports of a failure. */
export interface ReportedFailure {
  readonly op: string;
  readonly syscall: string;
  readonly errno: number;
  readonly path: string;
}

/** The error for a reported failure: the code by operation and errno, with the hint that fits; `tail` is put after the message. */
export function sandboxError(reported: ReportedFailure, tail = ""): SandboxError {
  const failure: SandboxFailure = { ...reported, errno: errnoName(reported.errno) };
  const { code, what, hint, isWhole = false } = explain(failure);
  return new SandboxError(
    code,
    `${what}${isWhole ? "" : `: ${failure.errno}, ${failure.syscall}`}${tail}`,
    hint === undefined ? { failure } : { failure, hint },
  );
}

/** By Node's table of the machine's numbers, which knows more of them than util.getSystemErrorName. */
function errnoName(errno: number): string {
  const [name] = Object.entries(constants.errno).find(([, number]) => number === errno) ?? [];
  return name ?? `errno ${errno}`;
}

interface Explanation {
  readonly code: string;
  readonly what: string;
  readonly hint?: string;
  /** `what` says why: the errno adds nothing. Absent: false. */
  readonly isWhole?: true;
}

function explain(failure: SandboxFailure): Explanation {
  const { op, errno, path } = failure;
  switch (op) {
    case "exec":
      return explainExec(failure);
    case "--cwd":
      return { code: "WORKING_DIRECTORY", what: `entering working directory ${path}` };
    case "--uid":
      return explainUser(failure);
    case "--overlay":
      return explainOverlay(failure);
    case "--bind":
    case "--bind-overlay":
    case "--content":
    case "--tmpfs":
      return explainMount(failure);
    case "--join":
    case "--worker":
    case "--map":
      return explainUserNamespace(failure);
    case "namespaces":
      return { code: "NAMESPACE_REFUSED", what: "making the sandbox's namespaces", ...namespaceHint(errno) };
    case "--own-users":
      return {
        code: "NAMESPACE_REFUSED",
        what: `making the command's user namespace, without which it could look into processes of the outer /proc, at ${path}`,
        hint:
          namespaceRemedy() ??
          "have an unmasked /proc, with which none is needed (docker: --security-opt systempaths=unconfined), or allow user namespaces here",
      };
    case "--network":
      return explainNetwork(failure);
    case "--routed":
      return explainRouter(failure);
    case "--join-network":
      return { code: "NETWORK_REFUSED", what: `entering the network namespace ${path}` };
    case "--scope":
      return { code: "SANDBOX_FAILED", what: "putting the abstract unix sockets of the host out of reach" };
    case "--sysctl":
      return { code: "SANDBOX_FAILED", what: `setting ${path.replace(/^\/proc\/sys\//, "")}` };
    case "--proc":
      return {
        code: "PROC_REFUSED",
        what: "mounting /proc",
        ...(errno === "EPERM" && {
          hint: "parts of this machine's /proc are hidden, as in most containers; run the outer container with an unmasked /proc (docker: --security-opt systempaths=unconfined)",
        }),
      };
    case "--limit":
      return {
        code: "LIMIT_UNAVAILABLE",
        what: `setting the limit of ${RLIMIT_NAMES[Number(path)] ?? path} for processes`,
        hint: "a hard limit above this process's own needs CAP_SYS_RESOURCE of the machine, and a soft one may not be above it",
      };
    case "--seccomp":
      return {
        code: "SECCOMP_REFUSED",
        what: "loading the filter of system calls",
        hint: "it needs a kernel with seccomp filters (CONFIG_SECCOMP_FILTER); an outer container must allow seccomp(2)",
      };
    case "--mapped":
      return { code: "NAMESPACE_REFUSED", what: `mapping the ids of ${path}` };
    case "spec":
      return { code: "SANDBOX_PROTOCOL", what: `reading the sandbox's plan at ${path}`, hint: "build tsb-init again: npm run build:addon" };
    default:
      return { code: "SANDBOX_FAILED", what: `making the sandbox: ${op.replace(/^--/, "")} ${path}`.trimEnd() };
  }
}

/** Root opens it but in a user namespace, where root is nobody on the machine. */
function tunHint(): string {
  const chmod = 'chmod 0666 /dev/net/tun (for good by a rule of udev: KERNEL=="tun", MODE="0666")';
  const who =
    process.getuid?.() === 0
      ? `in a user namespace (--userns auto) anybody must be able to open /dev/net/tun: ${chmod}`
      : `this user must be able to open /dev/net/tun: as root, ${chmod}`;
  return `${who}; inside a container add --device /dev/net/tun`;
}

function explainNetwork({ errno, syscall, path }: SandboxFailure): Explanation {
  const code = "NETWORK_REFUSED";
  if (errno === "ETIMEDOUT") return { code, what: `connecting the network: ${path} was not ready in time`, isWhole: true };
  // What pasta said itself.
  if (errno === "EPROTO")
    return { code, what: `connecting the network: ${path}`, isWhole: true, ...(/\btun\b/.test(path) && { hint: tunHint() }) };
  return { code, what: `making a network namespace at ${syscall} ${path}`.trimEnd(), ...namespaceHint(errno) };
}

function explainRouter({ errno, path }: SandboxFailure): Explanation {
  if (path.startsWith("/proc/sys/net/ipv6/"))
    return { code: "NETWORK_REFUSED", what: "handing on packets of IPv6", hint: "/proc/sys is read-only in most containers" };
  // One number of two names, of which Node versions choose differently.
  if (path === "veth" && (errno === "EOPNOTSUPP" || errno === "ENOTSUP")) {
    return {
      code: "NETWORK_REFUSED",
      what: "putting the network behind one that keeps it from this machine's loopback: the kernel has no veth interfaces",
      hint: "load the module veth (modprobe veth)",
      isWhole: true,
    };
  }
  return { code: "NETWORK_REFUSED", what: `putting the network behind one that keeps it from this machine's loopback, at ${path}` };
}

function explainExec({ errno, path }: SandboxFailure): Explanation {
  if (errno === "ENOENT") {
    return {
      code: "COMMAND_NOT_FOUND",
      what: `running ${path}: not found in the image`,
      hint: "is it installed, is its directory in PATH, and does the interpreter named in its first line exist?",
    };
  }
  if (errno === "ENOEXEC")
    return { code: "COMMAND_NOT_EXECUTABLE", what: `running ${path}: not a program for this machine, nor a script with #!` };
  if (errno === "E2BIG") return { code: "COMMAND_NOT_EXECUTABLE", what: `running ${path}: arguments and environment are too long` };
  return { code: "COMMAND_NOT_EXECUTABLE", what: `running ${path}: cannot be executed` };
}

function explainUser({ errno, syscall, path }: SandboxFailure): Explanation {
  if (errno === "EINVAL" || (errno === "EPERM" && syscall === "setgroups")) {
    return {
      code: "ID_NOT_MAPPED",
      what: `${path === "" ? "setting the command's groups" : `becoming user or group ${path}`}: this user namespace has no such id`,
      hint: "without sub-ids only root can run: give your user a range in /etc/subuid and /etc/subgid and install newuidmap (package uidmap); tsbuild info says what is missing, and the command for it",
    };
  }
  return { code: "SANDBOX_FAILED", what: `becoming user or group ${path}` };
}

function explainOverlay({ errno, path }: SandboxFailure): Explanation {
  const what = `mounting the overlay on ${path}`;
  if (errno === "ENOENT" || errno === "EACCES") return { code: "SANDBOX_FAILED", what };
  const hint =
    errno === "ELOOP"
      ? "a directory occurs twice among the layers"
      : "overlay mounts with userxattr need Linux 5.12 or newer, CAP_SYS_ADMIN or a user namespace, and a store that is not itself on an overlay (give --store a directory of a disk or tmpfs)";
  return { code: "OVERLAY_REFUSED", what, hint };
}

/** What the image, or another mount, has where a mount was asked for. */
function explainMount(failure: SandboxFailure): Explanation {
  const { op, errno, syscall, path } = failure;
  const refused = (why: string, hint?: string): Explanation => ({
    code: "MOUNT_TARGET_REFUSED",
    what: `mounting on ${path}: ${why}`,
    ...(hint !== undefined && { hint }),
  });
  if (syscall === "fstatfs" && errno === "EBUSY") return refused("symlinks lead it to what is the sandbox's own (/, /dev, /proc or /sys)");
  if (errno === "EROFS")
    return refused("it is missing in a mount that is read-only", "make the outer mount writable (rw), or have the path in its source");
  // move_mount(2) has no errno of its own for the two kinds.
  if (errno === "ENOTDIR" || (errno === "EINVAL" && syscall === "move_mount"))
    return refused("a file and a directory cannot be mounted on each other, nor anything below a file");
  if (errno === "ELOOP" && syscall === "openat2") return refused("symlinks lead it in circles, or through /proc");
  if (syscall === "fchown" && errno === "EINVAL")
    return { code: "ID_NOT_MAPPED", what: `giving a file to ${path}: this user namespace has no such id` };
  if (syscall === "mount") return explainOverlay(failure);
  return { code: "SANDBOX_FAILED", what: `making the sandbox: ${op.replace(/^--/, "")} ${path}` };
}

function explainUserNamespace({ op, errno, syscall, path }: SandboxFailure): Explanation {
  if (op === "--join") return { code: "NAMESPACE_REFUSED", what: `joining the user namespace of ${path}` };
  if (op === "--worker") return { code: "NAMESPACE_REFUSED", what: "making a user namespace", ...namespaceHint(errno) };
  if (syscall === "newidmap" || syscall === "posix_spawn") {
    return {
      code: "ID_MAP_REFUSED",
      what: `mapping ids with ${path}`,
      hint: "newuidmap and newgidmap (package uidmap) must be set-uid root, and the ranges in /etc/subuid and /etc/subgid must belong to your user",
    };
  }
  // Since Linux 5.12 (user_namespaces(7)).
  const selfHint = "a root that maps itself needs CAP_SETFCAP: add that right, or be another user";
  const hint = errno === "EPERM" && process.getuid?.() === 0 ? { hint: selfHint } : namespaceHint(errno);
  return { code: "ID_MAP_REFUSED", what: `mapping ids by ${path}`, ...hint };
}

function namespaceHint(errno: string): { readonly hint?: string } {
  const remedy = ["EPERM", "EACCES", "ENOSPC", "EUSERS"].includes(errno) ? namespaceRemedy() : undefined;
  if (remedy !== undefined) return { hint: `user namespaces are forbidden here: ${remedy}` };
  if (errno === "EPERM" || errno === "EACCES") {
    return {
      hint: "run as root, or allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0); inside a container add --security-opt seccomp=unconfined",
    };
  }
  if (errno === "ENOSPC" || errno === "EUSERS")
    return { hint: "the limit of namespaces is reached: raise user.max_user_namespaces and its siblings with sysctl" };
  if (errno === "EINVAL" || errno === "ENOSYS") return { hint: "this kernel lacks a kind of namespace that the sandbox needs" };
  return {};
}
