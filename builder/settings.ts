import { isAbsolute } from "node:path";
import type { StoreLimits } from "../store/gc/limits.ts";
import { isComponent, isReadAsHost, isRegistryHost } from "../store/reference.ts";
import type { HostSettings, RegistrySettings } from "../store/registry/settings.ts";
import type { UnpackLimits } from "../store/unpack-limits.ts";
import { parseDuration, parseSize } from "./amounts.ts";
import type { NetworkMode, UserNamespaceMode } from "./options.ts";
import { type ProgressMode, progressModes } from "./progress/mode.ts";

/** What the settings files say; flags win over it. */
export interface Settings {
  /** RUN steps and containers see the host's bundle of CA certificates. */
  readonly hostCa?: boolean;
  readonly network?: NetworkMode | "isolated";
  /** The seccomp profile of RUN steps and containers: "unconfined", or a file's absolute path. */
  readonly seccomp?: string;
  readonly userns?: UserNamespaceMode;
  /** How many steps at once. */
  readonly jobs?: number;
  readonly progress?: ProgressMode;
  /** What failed RUN steps leave is kept. */
  readonly keepFailed?: boolean;
  /** The store's directory, absolute. */
  readonly storeRoot?: string;
  /** What commands that add to the store keep it to when they end. */
  readonly storeLimits?: StoreLimits;
  /** What one layer may come to that is unpacked or made; absent ones: the defaults. */
  readonly unpackLimits?: Partial<UnpackLimits>;
  /** What differs from the defaults. */
  readonly registry?: Partial<RegistrySettings>;
}

type Draft<T> = { -readonly [K in keyof T]: T[K] };
export type SettingsDraft = Draft<Settings>;

/** A setting that a file may hold. */
export interface Key {
  /** Dotted; "*" stands for a name that the file chooses. */
  readonly name: string;
  readonly expects: string;
  readonly accepts: (value: unknown) => boolean;
  /** What is wrong with the name that stands for "*"; undefined: nothing. */
  readonly refuses?: (chosen: string) => string | undefined;
  /** Whether a project's own file may set this value: it may take away, but not grant. */
  readonly inProject: (value: unknown) => boolean;
  /** Puts an accepted value into its place; `chosen` is what stood for "*". */
  readonly put: (settings: SettingsDraft, value: unknown, chosen: string) => void;
}

const networks: readonly unknown[] = ["default", "isolated", "none", "host"];
const isSwitch = (value: unknown): boolean => typeof value === "boolean";
const isPath = (value: unknown): boolean => typeof value === "string" && isAbsolute(value);
const isWhole = (min: number, max: number) => (value: unknown) => Number.isInteger(value) && Number(value) >= min && Number(value) <= max;
const isMirrorList = (value: unknown): boolean => Array.isArray(value) && value.length > 0 && value.every(isMirror);
// Who writes the context must not choose where images come from, nor what is trusted.
const never = (): boolean => false;

/** A setting whose value is kept as it is, under a name of its own. */
function plain(setting: keyof Settings, key: Omit<Key, "put">): Key {
  // `accepts` has looked at the value.
  return { ...key, put: (settings, value) => Object.assign(settings, { [setting]: value }) };
}

function registryNumber(name: string, field: keyof RegistrySettings, min: number, max: number, factor = 1): Key {
  return {
    name: `registry.${name}`,
    expects: `a whole number from ${min} to ${max}`,
    accepts: isWhole(min, max),
    inProject: never,
    put: (settings, value) => {
      settings.registry = { ...settings.registry, [field]: Number(value) * factor };
    },
  };
}

/** A limit of the whole store. */
function storeLimit(name: string, field: keyof StoreLimits, limit: LimitForm): Key {
  return limitKey(name, limit, (settings, value) => {
    settings.storeLimits = { ...settings.storeLimits, [field]: value };
  });
}

/** A limit of what one layer may come to. */
function unpackLimit(name: string, field: keyof UnpackLimits, limit: LimitForm): Key {
  return limitKey(name, limit, (settings, value) => {
    settings.unpackLimits = { ...settings.unpackLimits, [field]: value };
  });
}

/** How a limit is written. `read` gives undefined for what is none. */
interface LimitForm {
  readonly expects: string;
  readonly read: (value: unknown) => number | undefined;
}

function limitKey(name: string, { expects, read }: LimitForm, put: (settings: SettingsDraft, value: number | undefined) => void): Key {
  return {
    name: `store.${name}`,
    expects,
    accepts: (value) => (read(value) ?? 0) > 0,
    inProject: never,
    put: (settings, value) => put(settings, read(value)),
  };
}

/** Written as text with a unit; the example says of what order limits like this one are. */
function sizeAs(example: string): LimitForm {
  return { expects: `a size, as ${JSON.stringify(example)}`, read: (value) => (typeof value === "string" ? parseSize(value) : undefined) };
}

const duration: LimitForm = {
  expects: 'a duration, as "30d" or "24h"',
  read: (value) => (typeof value === "string" ? parseDuration(value) : undefined),
};
const count: LimitForm = {
  expects: `a whole number from 1 to ${2 ** 31}`,
  read: (value) => (isWhole(1, 2 ** 31)(value) ? Number(value) : undefined),
};

/** "host:5000/path": a host that names of images can have, and what may follow it in them. */
function isPlace(text: string): boolean {
  const [host = "", ...path] = text.replace(/\/+$/, "").split("/");
  return isRegistryHost(host) && path.every(isComponent);
}

function isMirror(value: unknown): boolean {
  return typeof value === "string" && isPlace(value.replace(/^https?:\/\//i, ""));
}

/** Names are compared whole, with their host: a beginning without one would never be met. */
function isRewritten(from: string): boolean {
  const [host = ""] = from.split("/");
  return isPlace(from) && isReadAsHost(host);
}

function hostKey(name: string, field: keyof HostSettings, expects: string, accepts: Key["accepts"]): Key {
  return {
    name: `registry.host.*.${name}`,
    expects,
    accepts,
    refuses: (chosen) => (isRegistryHost(chosen) ? undefined : `"${chosen}" is no host, as registry.example:5000`),
    inProject: never,
    put: (settings, value, chosen) => {
      const host = chosen === "index.docker.io" ? "docker.io" : chosen;
      const hosts = settings.registry?.hosts ?? {};
      const changed = { ...(Object.hasOwn(hosts, host) ? hosts[host] : {}), [field]: value };
      settings.registry = { ...settings.registry, hosts: { ...hosts, [host]: changed } };
    },
  };
}

const second = 1000;
const mebibyte = 2 ** 20;

export const settingKeys: readonly Key[] = [
  plain("hostCa", { name: "sandbox.host_ca", expects: "true or false", accepts: isSwitch, inProject: (value) => value === false }),
  plain("network", {
    name: "sandbox.network",
    expects: '"default", "isolated", "none" or "host"',
    accepts: (value) => networks.includes(value),
    inProject: (value) => value === "none" || value === "isolated",
  }),
  plain("seccomp", {
    name: "sandbox.seccomp",
    expects: '"unconfined", or the absolute path of a profile',
    accepts: (value) => value === "unconfined" || isPath(value),
    inProject: never,
  }),
  plain("userns", {
    name: "sandbox.userns",
    expects: '"auto" or "host"',
    accepts: (value) => value === "auto" || value === "host",
    inProject: (value) => value === "auto",
  }),
  plain("jobs", { name: "build.jobs", expects: "a whole number from 1 to 1024", accepts: isWhole(1, 1024), inProject: () => true }),
  plain("progress", {
    name: "build.progress",
    expects: progressModes.map((mode) => `"${mode}"`).join(", "),
    accepts: (value) => progressModes.some((mode) => mode === value),
    inProject: () => true,
  }),
  // What is kept takes room, and files of a step outlive it: a stranger's context may ask for less of that, not for more.
  plain("keepFailed", {
    name: "build.keep_failed",
    expects: "true or false",
    accepts: isSwitch,
    inProject: (value) => value === false,
  }),
  plain("storeRoot", { name: "store.root", expects: "an absolute path", accepts: isPath, inProject: never }),
  storeLimit("max_size", "maxStoreBytes", sizeAs("50g")),
  storeLimit("min_free", "minFreeBytes", sizeAs("10g")),
  storeLimit("keep", "maxAgeSeconds", duration),
  unpackLimit("max_layer_size", "plainBytes", sizeAs("256g")),
  unpackLimit("max_layer_entries", "entries", count),
  unpackLimit("max_layer_names", "nameBytes", sizeAs("192m")),
  registryNumber("parallel", "parallel", 1, 64),
  registryNumber("attempts", "attempts", 1, 100),
  registryNumber("deadline_seconds", "deadlineMs", 1, 86_400, second),
  registryNumber("connect_timeout_seconds", "connectTimeoutMs", 1, 3600, second),
  registryNumber("stall_timeout_seconds", "stallTimeoutMs", 1, 3600, second),
  registryNumber("max_layer_mib", "maxLayerBytes", 1, 2 ** 30, mebibyte),
  registryNumber("max_download_mib", "maxDownloadBytes", 1, 2 ** 30, mebibyte),
  {
    name: "registry.rewrite.*",
    expects: 'the beginning of image names that is read instead: "host/path"',
    accepts: (value) => typeof value === "string" && isPlace(value),
    refuses: (chosen) =>
      isRewritten(chosen) ? undefined : `"${chosen}" does not begin with a host: docker.io/library/NAME is what NAME means`,
    inProject: never,
    put: (settings, value, chosen) => {
      const others = settings.registry?.rewrites?.filter(({ from }) => from !== chosen) ?? [];
      settings.registry = { ...settings.registry, rewrites: [...others, { from: chosen, to: String(value) }] };
    },
  },
  hostKey("mirrors", "mirrors", 'a list of hosts, as ["mirror.example:5000/prefix"]', isMirrorList),
  hostKey("insecure", "insecure", "true or false", isSwitch),
  hostKey("ca", "ca", "the absolute path of a PEM file", isPath),
  hostKey("client_certificate", "clientCertificate", "the absolute path of a PEM file", isPath),
  hostKey("client_key", "clientKey", "the absolute path of a PEM file", isPath),
];

/** The key that a file's path of names means, and what stands for its "*". */
export function findKey(path: readonly string[]): { readonly key: Key; readonly chosen: string } | undefined {
  for (const key of settingKeys) {
    const parts = key.name.split(".");
    if (parts.length !== path.length || !parts.every((part, i) => part === "*" || part === path[i])) continue;
    return { key, chosen: path[parts.indexOf("*")] ?? "" };
  }
  return undefined;
}

/** Whether keys lie below this path of names. */
export function isTable(path: readonly string[]): boolean {
  return settingKeys.some(({ name }) => {
    const parts = name.split(".");
    return parts.length > path.length && path.every((part, i) => parts[i] === "*" || parts[i] === part);
  });
}
