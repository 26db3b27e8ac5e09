import { join } from "node:path";
import { isProxied } from "../../store/registry/proxy.ts";
import type { RegistrySettings } from "../../store/registry/settings.ts";
import type { GitProtocol } from "../plan/git-remote.ts";

export interface GitEnvironmentOptions {
  /** PATH and SSH_AUTH_SOCK are taken. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly proxy: Readonly<Record<string, string | undefined>>;
  readonly settings: Pick<RegistrySettings, "hosts" | "connectTimeoutMs" | "stallTimeoutMs">;
  /** Absolute; repositories that lie around it are not looked at. */
  readonly folder: string;
}

/** Where a call of git may go, and what it works on. */
export interface GitScope {
  /** Absent: the network is out of reach. */
  readonly remote?: { readonly protocol: GitProtocol; readonly remote: string };
  /** The header that is sent along to the remote, and nowhere else. */
  readonly authorization?: string;
  readonly gitDir?: string;
  readonly workTree?: string;
  readonly indexFile?: string;
  /** The repository is the one that git finds from where it runs upwards, whoever it belongs to. Absent: none is looked for. */
  readonly lookUp?: true;
}

/**
 * The whole environment of git: nothing of the user's or the system's configuration, attributes, hooks, helpers and prompts; of repositories, their data alone. Of the user there are
 * only ssh's own settings, known hosts and agent.
 */
export function gitEnvironment(options: GitEnvironmentOptions, scope: GitScope): Readonly<Record<string, string>> {
  const { environment, proxy, settings, folder } = options;
  const { remote, authorization, gitDir, workTree, indexFile, lookUp } = scope;
  return {
    ...defined({
      PATH: environment.PATH,
      SSH_AUTH_SOCK: environment.SSH_AUTH_SOCK,
      GIT_DIR: gitDir,
      GIT_WORK_TREE: workTree,
      GIT_INDEX_FILE: indexFile,
    }),
    ...(remote === undefined ? {} : proxyVariables(remote, proxy)),
    LC_ALL: "C",
    // No .netrc, no .gitconfig; ssh does not go by it.
    HOME: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    ...(lookUp ? {} : { GIT_CEILING_DIRECTORIES: join(folder, "..") }),
    GIT_TERMINAL_PROMPT: "0",
    GIT_ASKPASS: "",
    SSH_ASKPASS: "",
    GCM_INTERACTIVE: "never",
    GIT_SSH_COMMAND: `ssh -o BatchMode=yes -o ConnectTimeout=${seconds(settings.connectTimeoutMs)}`,
    GIT_SSH_VARIANT: "ssh",
    // Of redirects, too: they must not lead from TLS to plain http.
    GIT_ALLOW_PROTOCOL: remote === undefined ? "none" : remote.protocol === "http" ? "http:https" : remote.protocol,
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_LITERAL_PATHSPECS: "1",
    GIT_LFS_SKIP_SMUDGE: "1",
    GIT_OPTIONAL_LOCKS: "0",
    ...configuration([
      ...fixed,
      ...slowness(settings),
      ...(remote === undefined ? [] : [...checking, ...trust(remote, settings), ...authorized(remote, authorization)]),
      ...(lookUp ? [anyOwner] : []),
    ]),
  };
}

type Setting = readonly [key: string, value: string];

const fixed: readonly Setting[] = [
  ["core.hooksPath", "/dev/null"],
  ["core.attributesFile", "/dev/null"],
  ["core.fsmonitor", "false"],
  ["core.symlinks", "true"],
  ["core.fileMode", "true"],
  ["core.autocrlf", "false"],
  ["core.logAllRefUpdates", "false"],
  ["core.protectHFS", "true"],
  ["core.protectNTFS", "true"],
  ["credential.helper", ""],
  ["fetch.recurseSubmodules", "false"],
  ["submodule.recurse", "false"],
  ["gc.auto", "0"],
  ["maintenance.auto", "false"],
  ["init.defaultBranch", "main"],
  ["protocol.version", "2"],
  ["http.followRedirects", "initial"],
];

/**
 * Old repositories have commits and tags with dates, time zones and names of people that no git writes today, and modes with a zero in front: nothing of it becomes a path. Whatever
 * else git's fsck finds is an attack, or of no use: names that are there twice, ".git", links in place of .gitmodules.
 */
const harmlessFaults = [
  ...["badDate", "badDateOverflow", "zeroPaddedDate", "badTimezone", "missingSpaceBeforeDate"],
  ...["badEmail", "missingEmail", "missingSpaceBeforeEmail", "badName", "missingNameBeforeEmail", "multipleAuthors"],
  ...["nulInCommit", "zeroPaddedFilemode"],
];

/** Of all that a remote sends. */
const checking: readonly Setting[] = [
  ["fetch.fsckObjects", "true"],
  ...harmlessFaults.map((fault): Setting => [`fetch.fsck.${fault}`, "ignore"]),
];

/** git's own guard is against what a repository's configuration starts; here nothing of it does. */
const anyOwner: Setting = ["safe.directory", "*"];

function slowness({ stallTimeoutMs }: Pick<RegistrySettings, "stallTimeoutMs">): readonly Setting[] {
  return [
    ["http.lowSpeedLimit", "1000"],
    ["http.lowSpeedTime", `${seconds(stallTimeoutMs)}`],
  ];
}

/** What the settings say of the remote's own host. */
function trust({ remote }: { readonly remote: string }, { hosts }: Pick<RegistrySettings, "hosts">): readonly Setting[] {
  if (!remote.startsWith("https://")) return [];
  const { host, origin } = new URL(remote);
  const { insecure, ca, clientCertificate, clientKey } = hosts[host] ?? {};
  const settings: readonly (readonly [key: string, value: string | undefined])[] = [
    ["sslVerify", insecure === true ? "false" : undefined],
    ["sslCAInfo", ca],
    ["sslCert", clientCertificate],
    ["sslKey", clientKey],
  ];
  return settings.flatMap(([key, value]) => (value === undefined ? [] : [[`http.${origin}/.${key}`, value] as const]));
}

/** git would send its headers on to where it is redirected. */
function authorized({ remote }: { readonly remote: string }, authorization: string | undefined): readonly Setting[] {
  if (authorization === undefined) return [];
  return [
    [`http.${new URL(remote).origin}/.extraHeader`, `Authorization: ${authorization}`],
    ["http.followRedirects", "false"],
  ];
}

/** git's own way to be configured without its command line, which everybody on the machine can read. */
function configuration(settings: readonly Setting[]): Readonly<Record<string, string>> {
  const pairs = settings.flatMap(([key, value], index) => [
    [`GIT_CONFIG_KEY_${index}`, key],
    [`GIT_CONFIG_VALUE_${index}`, value],
  ]);
  return { GIT_CONFIG_COUNT: `${settings.length}`, ...Object.fromEntries(pairs) };
}

/** As for registries: the lower-case name wins, and who is asked without a proxy is not left to how this git reads no_proxy: a header may go along. */
function proxyVariables(
  { remote }: { readonly remote: string },
  proxy: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  if (/^https?:/.test(remote) && !isProxied(new URL(remote), proxy)) return {};
  const value = (name: string) => (proxy[name] ?? proxy[name.toUpperCase()])?.trim() || undefined;
  const found = defined(Object.fromEntries(["http_proxy", "https_proxy", "all_proxy"].map((name) => [name, value(name)])));
  if (Object.keys(found).length === 0) return {};
  return { ...found, no_proxy: [value("no_proxy"), "localhost", "127.0.0.1", "::1"].filter((part) => part !== undefined).join(",") };
}

function defined(values: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

function seconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000));
}
