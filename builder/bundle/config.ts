import {
  capabilityName,
  DEFAULT_CAPABILITIES,
  DEFAULT_PROFILE,
  type DeviceNumbers,
  MASKED_PATHS,
  ociSeccomp,
  READ_ONLY_PATHS,
  type Rlimit,
  type RlimitName,
  type thisMachine,
} from "../../runtime-addon/index.ts";
import type { ImageConfig } from "../../store/oci.ts";
import type { ResourceLimits } from "../options.ts";
import type { SandboxSecurity } from "../sandbox/security.ts";
import type { Identity } from "../steps/passwd.ts";
import type { Json } from "./json.ts";
import { type BundleMounts, bundleMounts } from "./mounts.ts";
import { bundleResources } from "./resources.ts";

/** A container that a runtime is to make. */
export interface BundledContainer {
  readonly image: ImageConfig;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly identity: Identity;
  readonly hostname: string;
  readonly security: SandboxSecurity;
  readonly limits: ResourceLimits;
  readonly deviceNumbers: DeviceNumbers;
  readonly readOnlyRoot: boolean;
  readonly mounts: BundleMounts;
  /** Who makes the bundle without being root, and whose ids are the container's only ones. Absent: root's bundle. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** The runtime is to run on one like it. */
  readonly machine: ReturnType<typeof thisMachine>;
}

/** The kernel's "unlimited" (RLIM_INFINITY). */
const unlimited = 0xffff_ffff_ffff_ffffn;

/** config.json of an OCI runtime bundle (runtime-spec 1.0.2), with the same limits to what the command may do as a container of ours has. */
export function bundleConfig(container: BundledContainer): Json {
  const { image, hostname, readOnlyRoot, mounts, owner, security, limits } = container;
  const isOpen = security.spec.openSystemPaths === true;
  return {
    ociVersion: "1.0.2",
    root: { path: "rootfs", readonly: readOnlyRoot },
    process: processOf(container),
    hostname,
    mounts: bundleMounts(mounts),
    annotations: annotationsOf(image),
    linux: {
      namespaces: namespacesOf(mounts.network, owner !== undefined),
      ...(owner === undefined ? {} : { uidMappings: onlyId(owner.uid), gidMappings: onlyId(owner.gid) }),
      ...(mounts.network === "none" ? { sysctl: networkSettings(owner === undefined) } : {}),
      resources: bundleResources(limits, { rootless: owner !== undefined, numbers: container.deviceNumbers }),
      ...(isOpen ? {} : { maskedPaths: MASKED_PATHS, readonlyPaths: READ_ONLY_PATHS }),
      seccomp: seccompOf(container),
    },
  };
}

function processOf({ args, env, cwd, identity, security, owner }: BundledContainer): Json {
  const { capabilities = DEFAULT_CAPABILITIES, noNewPrivileges = false, rlimits } = security.process;
  const names = capabilities.map((name) => `CAP_${capabilityName(name)}`);
  // Of another user they are what a program with capabilities of its own can have.
  const own = identity.uid === 0 ? names : [];
  return {
    terminal: false,
    user: {
      uid: identity.uid,
      gid: identity.gid,
      umask: 0o022,
      // A single id leaves no others to have.
      ...(owner !== undefined || identity.groups.length === 0 ? {} : { additionalGids: identity.groups }),
    },
    args,
    env: Object.entries({ HOME: identity.home, ...env }).map(([name, value]) => `${name}=${value}`),
    cwd,
    capabilities: { bounding: names, effective: own, permitted: own },
    noNewPrivileges,
    ...(rlimits === undefined ? {} : { rlimits: Object.entries(rlimits).map(([name, limit]) => rlimitOf(name as RlimitName, limit)) }),
  };
}

function rlimitOf(name: RlimitName, { soft, hard = soft }: Rlimit): Json {
  const value = (limit: Rlimit["soft"]) => (limit === "unlimited" ? unlimited : limit);
  return { type: `RLIMIT_${name.toUpperCase()}`, soft: value(soft), hard: value(hard) };
}

function namespacesOf(network: BundleMounts["network"], rootless: boolean): Json {
  const types = ["pid", "ipc", "uts", "mount", "cgroup", ...(network === "none" ? ["network"] : []), ...(rootless ? ["user"] : [])];
  return types.map((type) => ({ type }));
}

/** As Docker has them: every user may listen on low ports, and ping. */
function networkSettings(hasGroups: boolean): Json {
  return { "net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": `0 ${hasGroups ? 2 ** 31 - 1 : 0}` };
}

function onlyId(hostID: number): Json {
  return [{ containerID: 0, hostID, size: 1 }];
}

function seccompOf({ security, machine }: BundledContainer): Json | undefined {
  const { seccomp = DEFAULT_PROFILE, capabilities = DEFAULT_CAPABILITIES } = security.process;
  if (seccomp === "unconfined") return undefined;
  const { defaultAction, defaultErrnoRet, architectures, flags, syscalls } = ociSeccomp(seccomp, machine, capabilities.map(capabilityName));
  const rules = syscalls.map(({ names, action, errnoRet, args }) => ({
    names,
    action,
    errnoRet,
    args: args?.map((each) => ({ ...each })),
  }));
  return { defaultAction, defaultErrnoRet, architectures, flags, syscalls: rules };
}

/** As image-spec's conversion.md has them: what an image's labels say themselves wins. */
function annotationsOf({ os, architecture, variant, author, created, config = {} }: ImageConfig): Json {
  const { StopSignal, ExposedPorts, Labels } = config;
  const ports = Object.keys(ExposedPorts ?? {});
  return {
    "org.opencontainers.image.os": os,
    "org.opencontainers.image.architecture": architecture,
    "org.opencontainers.image.variant": variant,
    "org.opencontainers.image.author": author,
    "org.opencontainers.image.created": created,
    "org.opencontainers.image.stopSignal": StopSignal,
    "org.opencontainers.image.exposedPorts": ports.length === 0 ? undefined : ports.join(","),
    ...Labels,
  };
}
