import { capabilityName, capabilityNumber, DEFAULT_CAPABILITIES } from "./capabilities.ts";
import { encodeSpec } from "./protocol.ts";
import { RLIMIT_NAMES } from "./rlimits.ts";
import { SandboxError } from "./sandbox-error.ts";
import type { SeccompFilter } from "./seccomp/compile.ts";
import { DEFAULT_PROFILE } from "./seccomp/default-profile.ts";
import { seccompFilter } from "./seccomp/filter.ts";
import type { Machine } from "./seccomp/machine.ts";
import { SECCOMP_FLAGS } from "./seccomp/profile.ts";
import type { Mount, SandboxProcess, SandboxSpec, TmpfsMount } from "./spec.ts";
import { MASKED_PATHS, READ_ONLY_PATHS } from "./system-paths.ts";

/** What the plan depends on besides the spec. */
export interface PlanFacts {
  /** Group 5 ("tty") exists in the sandbox's user namespace. */
  readonly terminalGroupMapped: boolean;
  /** The last of the group ids from 0 on that the sandbox's user namespace has; the kernel counts them to 2^31 - 1 where it takes a range. */
  readonly lastGroup: number;
  readonly cgroupView: CgroupView;
  readonly machine: Machine;
}

/** How the sandbox sees its control groups. */
export type CgroupView =
  | { readonly kind: "v2" }
  /** Names of directories below /sys/fs/cgroup, with the controllers mounted there. */
  | { readonly kind: "v1"; readonly hierarchies: readonly { readonly name: string; readonly controllers: readonly string[] }[] }
  | { readonly kind: "none" };

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Size of /dev/shm. */
export const DEFAULT_SHM_BYTES: number = 64 * 1024 * 1024;

const HIDDEN = [...MASKED_PATHS.flatMap((path) => ["--mask", path]), ...READ_ONLY_PATHS.flatMap((path) => ["--read-only", path])];

/** The spec as tsb-init reads it. Throws SandboxError INVALID_SPEC where a value cannot be passed on. */
export function planSandbox(spec: SandboxSpec, facts: PlanFacts, relay: boolean): Buffer {
  const settings = [
    ...(spec.userNamespace === undefined ? [] : ["--join", String(spec.userNamespace.pid)]),
    ...(spec.userNamespace?.mapped === undefined ? [] : ["--mapped", absolute(spec.userNamespace.mapped)]),
    ...networkSettings(spec.network),
    ...(ownUsers(spec) ? ["--own-users"] : []),
    ...(spec.process.tty === true ? ["--terminal"] : []),
    ...(relay ? ["--relay"] : []),
    ...rootOperations(spec),
    ...["--dev", String(spec.shmSizeBytes || DEFAULT_SHM_BYTES), facts.terminalGroupMapped ? "5" : "-", devices(spec)],
    ...spec.files.flatMap((file) => ["--file", insideDev(file.target), octal(file.mode ?? 0o444), file.content]),
    ...[spec.proc === "outer" ? "--outer-proc" : "--proc", "/proc", "--sysfs", "/sys", spec.privileged === undefined ? "read-only" : "-"],
    ...cgroupOperations(facts.cgroupView),
    ...spec.mounts.flatMap(mountOperation),
    ...sysctls(spec, facts),
    ...(hides(spec) ? HIDDEN : []),
    ...(spec.readOnlyRoot === true ? ["--read-only-root"] : []),
    ...["--hostname", spec.hostname],
    ...(spec.network === "none" ? ["--loopback"] : []),
    ...processSettings(spec.process, facts.machine),
  ];
  for (const token of [...settings, ...spec.process.args]) {
    if (token.includes("\0")) throw invalid(`"${token.replaceAll("\0", "\\0")}" contains a NUL character`);
  }
  return encodeSpec(settings, spec.process.args);
}

/** As in Docker: in a network of its own every user may listen on every port, and every group ping. The outer /proc is not ours to write to. */
function sysctls({ network, proc }: SandboxSpec, { lastGroup }: PlanFacts): string[] {
  if (network === "host" || proc === "outer") return [];
  return [
    ...["--sysctl", "/proc/sys/net/ipv4/ip_unprivileged_port_start", "0"],
    ...["--sysctl", "/proc/sys/net/ipv4/ping_group_range", `0 ${lastGroup}`],
  ];
}

/** The outer /proc is others' too, and stays covered whatever is asked for. */
function hides({ proc, privileged, openSystemPaths }: SandboxSpec): boolean {
  return proc === "outer" || (privileged === undefined && openSystemPaths !== true);
}

/**
 * Where processes outside can be seen, the kernel lets whoever has their id and their capabilities look into them: not from another user namespace.
 * A privileged command is to have its capabilities over its mounts, and keeps the place where it has them.
 */
function ownUsers({ proc, privileged }: SandboxSpec): boolean {
  return proc === "outer" && privileged === undefined;
}

function devices({ privileged }: SandboxSpec): string {
  if (privileged === undefined) return "-";
  const words = privileged.devices.map(({ name, kind, major, minor }) => `${name}:${kind === "block" ? "b" : "c"}:${major}:${minor}`);
  return words.join(" ");
}

function networkSettings(network: SandboxSpec["network"]): string[] {
  // A namespace of its own has no sockets of others.
  if (network === "host") return ["--scope"];
  return network === "none" ? ["--new-network"] : ["--join-network", String(network.pid)];
}

function rootOperations({ root }: SandboxSpec): string[] {
  if ("directory" in root) return ["--directory", absolute(root.directory)];
  return [...lowers(root.lowers, 1), "--overlay", absolute(root.upper), absolute(root.work)];
}

/** The kernel mounts no overlay of a single directory. */
function lowers(directories: readonly string[], atLeast: 1 | 2): string[] {
  if (directories.length < atLeast)
    throw invalid(`an overlay needs ${atLeast === 1 ? "a lower directory" : "two lower directories, or an upper"}`);
  return directories.flatMap((directory) => ["--lower", absolute(directory)]);
}

function cgroupOperations(view: CgroupView): string[] {
  if (view.kind === "v2") return ["--cgroup2", "/sys/fs/cgroup"];
  if (view.kind === "none") return [];
  return ["--cgroup1", "/sys/fs/cgroup", view.hierarchies.map(({ name, controllers }) => `${name}=${controllers.join(",")}`).join(" ")];
}

function mountOperation(mount: Mount): string[] {
  const target = absolute(mount.target);
  if (/^[/.]*$/.test(target)) throw invalid(`mount target ${target} is the root itself`);
  if (mount.kind === "tmpfs") return tmpfsOperation(mount, target);
  if (mount.kind === "content") {
    const hex = Buffer.from(mount.content).toString("hex");
    return ["--content", target, octal(mount.mode), id(mount.uid), id(mount.gid), hex];
  }
  if (mount.kind === "overlay") {
    const { lowers: directories, changes, source } = mount;
    const upper = changes === undefined ? ["-", "-"] : [absolute(changes.upper), absolute(changes.work)];
    return [...lowers(directories, changes === undefined ? 2 : 1), "--bind-overlay", ...upper, absolute(source), target];
  }
  const flags = [mount.readOnly ? "read-only" : "-", ...((mount.recursive ?? true) ? ["recursive"] : [])];
  return ["--bind", absolute(mount.source), target, flags.join(" ")];
}

function tmpfsOperation({ sizeBytes, mode, uid, gid, readOnly, noExec }: TmpfsMount, target: string): string[] {
  const flags = [
    ...(readOnly === true ? ["read-only"] : []),
    ...(noExec === true ? ["noexec"] : []),
    ...(uid === undefined ? [] : [`uid=${id(uid)}`]),
    ...(gid === undefined ? [] : [`gid=${id(gid)}`]),
  ];
  return ["--tmpfs", target, sizeBytes ? String(sizeBytes) : "-", octal(mode ?? 0o1777), flags.join(" ") || "-"];
}

function processSettings(command: SandboxProcess, machine: Machine): string[] {
  return [
    ...Object.entries(command.env).flatMap(([name, value]) => ["--env", `${name}=${value}`]),
    ...["--cwd", absolute(command.cwd), "--search", command.env.PATH ?? DEFAULT_PATH],
    ...["--uid", id(command.uid), "--gid", id(command.gid), "--umask", octal(command.umask ?? 0o022)],
    ...command.groups.flatMap((group) => ["--group", id(group)]),
    ...(command.capabilities ?? DEFAULT_CAPABILITIES).flatMap((name) => ["--capability", capability(name)]),
    ...(command.noNewPrivileges ? ["--no-new-privileges"] : []),
    ...[...seccomp(command, machine), ...filters(command)].flatMap(({ flags, program }) => [
      "--seccomp",
      String(flags),
      program.toString("hex"),
    ]),
    ...limits(command),
  ];
}

function seccomp(
  { seccomp: profile = DEFAULT_PROFILE, capabilities = DEFAULT_CAPABILITIES }: SandboxProcess,
  machine: Machine,
): SeccompFilter[] {
  return profile === "unconfined" ? [] : [seccompFilter(profile, machine, capabilities.map(capabilityName))];
}

function filters({ filters: programs = [] }: SandboxProcess): SeccompFilter[] {
  return programs.map((program) => ({ flags: SECCOMP_FLAGS.SECCOMP_FILTER_FLAG_SPEC_ALLOW, program: Buffer.from(program) }));
}

function limits(command: SandboxProcess): string[] {
  // Node raises its own soft limit to the hard one at start, and programs that close "all" descriptors take minutes over a billion.
  const rlimits = { nofile: { soft: 1024 }, ...command.rlimits };
  return RLIMIT_NAMES.flatMap((name, number) => {
    const limit: { readonly soft: number | "unlimited"; readonly hard?: number | "unlimited" } | undefined = (
      rlimits as SandboxProcess["rlimits"]
    )?.[name];
    return limit === undefined
      ? []
      : ["--limit", String(number), limitValue(limit.soft), limit.hard === undefined ? "-" : limitValue(limit.hard)];
  });
}

function limitValue(value: number | "unlimited"): string {
  return value === "unlimited" ? "18446744073709551615" : String(value);
}

function capability(name: string): string {
  const number = capabilityNumber(name);
  if (number === undefined) throw invalid(`there is no capability ${name}`);
  return String(number);
}

/** uid_t is 32 bits, and its last value means "no change" (setresuid(2)). */
function id(value: number): string {
  if (!Number.isInteger(value) || value < 0 || value >= 0xffffffff) throw invalid(`${value} is no user or group id`);
  return String(value);
}

function insideDev(target: string): string {
  if (!target.startsWith("/dev/") || target.split("/").includes("..")) throw invalid(`provided file ${target} is not below /dev`);
  return target;
}

function absolute(path: string): string {
  if (!path.startsWith("/")) throw invalid(`path "${path}" is not absolute`);
  return path;
}

function octal(mode: number): string {
  return mode.toString(8);
}

function invalid(what: string): SandboxError {
  return new SandboxError("INVALID_SPEC", `planning the sandbox: ${what}`);
}
