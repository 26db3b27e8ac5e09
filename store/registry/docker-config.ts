import { join } from "node:path";
import { TsbuildError } from "../errors.ts";
import type { Abortable } from "../file-bytes.ts";
import {
  bestKey,
  type ConfigFile,
  entryCredential,
  keyOf,
  keysOf,
  parseConfigFile,
  readConfigFile,
  readKey,
  unreadable,
} from "./config-file.ts";
import type { Credential, CredentialPlace, CredentialSource } from "./credential.ts";
import { credentialHelper } from "./credential-helper.ts";
import { onceEach } from "./single-flight.ts";

export interface DockerConfigOptions {
  /** Where DOCKER_CONFIG and its like are looked up, and the environment of credential helpers. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user's directory. */
  readonly home: string;
  /** A file that comes before all others. */
  readonly authFile?: string;
  /** Hears, once for each reason, of a credential helper that fails for a registry of which nothing says that it has anything. */
  readonly warn?: (message: string) => void;
}

/** The credentials that other programs keep. */
export interface DockerCredentials extends CredentialSource {
  placeOf(registry: string, repository?: string, options?: Abortable): Promise<CredentialPlace | undefined>;
}

interface Wanted {
  readonly registry: string;
  readonly repository: string | undefined;
}

interface Found {
  readonly credential: Credential;
  readonly place: CredentialPlace;
}

/**
 * Credentials as Docker, podman, buildah and skopeo keep them. The first place with one for the registry counts:
 *
 * 1. `authFile`, which somebody named for this one command;
 * 2. $DOCKER_AUTH_CONFIG, JSON text: as in Docker before any file. Not so in GitLab's jobs, where it is the runner's own and comes last: there what a job logs in to
 *    must count;
 * 3. the file $REGISTRY_AUTH_FILE;
 * 4. $DOCKER_CONFIG/config.json, else ~/.docker/config.json: where `login` writes to;
 * 5. $XDG_RUNTIME_DIR/containers/auth.json, where podman writes to (/run/containers/<uid> where the variable is missing);
 * 6. $XDG_CONFIG_HOME/containers/auth.json, else ~/.config/containers/auth.json.
 *
 * In a file the helper that `credHelpers` names for the registry comes first, then `credsStore`, then what `auths` itself holds. Each file is read, and each
 * helper asked for a registry, once at most. Throws CREDENTIALS_UNREADABLE and CREDENTIAL_HELPER.
 */
export function dockerCredentials(options: DockerConfigOptions): DockerCredentials {
  const { env, warn } = options;
  const places = placesOf(options).map((read) => once(read));
  const warned = new Set<string>();
  const askOnce = onceEach<Credential | undefined>();

  const ask = (helper: string, server: string, abort: Abortable): Promise<Credential | undefined> =>
    askOnce(`${helper} ${server}`, (signal) => credentialHelper(helper, { env }).get(server, { signal }), abort);

  const findIn = async (config: ConfigFile, { registry, repository }: Wanted, abort: Abortable): Promise<Found | undefined> => {
    const { where } = config;
    const key = bestKey(config, registry, repository);
    const entry = key === undefined ? undefined : entryCredential(config, key);
    const isLogin = where === loginFile(options) && key !== undefined && readKey(key).path === "";
    const written: Found | undefined =
      entry === undefined ? undefined : { credential: entry, place: { where, ...(isLogin ? { isLogin } : {}) } };
    const given = async (helper: string): Promise<Found | undefined> => {
      const credential = await ask(helper, server, abort);
      return credential === undefined ? written : { credential, place: { where, helper } };
    };
    const server = keysOf(config.auths, registry)[0] ?? keyOf(registry);
    const own = ownHelper(config, registry);
    if (own !== undefined) return given(own);
    if (config.credsStore === undefined) return written;
    try {
      return await given(config.credsStore);
    } catch (error) {
      // A store that is broken or not installed keeps nobody from public images: only who has logged in there has something in it, and an entry.
      if (!(error instanceof TsbuildError) || (key !== undefined && written === undefined)) throw error;
      if (!warned.has(error.message)) warn?.(`${error.message}; going on without it`);
      warned.add(error.message);
      return written;
    }
  };

  const search = async (wanted: Wanted, abort: Abortable): Promise<Found | undefined> => {
    for (const place of places) {
      const config = await place();
      const found = config === undefined ? undefined : await findIn(config, wanted, abort);
      if (found !== undefined) return found;
    }
    return undefined;
  };

  return {
    find: async (registry, repository, abort = {}) => (await search({ registry, repository }, abort))?.credential,
    placeOf: async (registry, repository, abort = {}) => (await search({ registry, repository }, abort))?.place,
  };
}

/** The file that `login` writes to. */
export function loginFile({ env, home, authFile }: DockerConfigOptions): string {
  return authFile ?? (env.REGISTRY_AUTH_FILE || join(env.DOCKER_CONFIG || join(home, ".docker"), "config.json"));
}

/** The helper that has this registry's credentials and no others'. Throws CREDENTIALS_UNREADABLE. */
export function ownHelper({ credHelpers, where }: ConfigFile, registry: string): string | undefined {
  const [key] = keysOf(credHelpers, registry);
  if (key === undefined) return undefined;
  const name = credHelpers[key];
  if (typeof name !== "string") throw unreadable(where, `credHelpers of ${key} is no text`);
  return name === "" ? undefined : name;
}

function placesOf({ env, home, authFile }: DockerConfigOptions): readonly (() => Promise<ConfigFile | undefined>)[] {
  const file = (path: string | undefined) => (path === undefined || path === "" ? [] : [() => readConfigFile(path)]);
  const text = env.DOCKER_AUTH_CONFIG;
  const variable = text === undefined || text === "" ? [] : [async () => parseConfigFile(text, "$DOCKER_AUTH_CONFIG")];
  // Nobody named these: where they may not be looked into, there is nothing for us (podman keeps /run/containers for root alone).
  const guessed = (path: string) => [() => readConfigFile(path, { orRefused: true })];
  const inGitlab = env.GITLAB_CI === "true";
  return [
    ...file(authFile),
    ...(inGitlab ? [] : variable),
    ...file(env.REGISTRY_AUTH_FILE),
    ...file(join(env.DOCKER_CONFIG || join(home, ".docker"), "config.json")),
    ...guessed(
      join(env.XDG_RUNTIME_DIR || `/run/containers/${process.getuid?.() ?? 0}`, env.XDG_RUNTIME_DIR ? "containers/auth.json" : "auth.json"),
    ),
    ...guessed(join(env.XDG_CONFIG_HOME || join(home, ".config"), "containers", "auth.json")),
    ...(inGitlab ? variable : []),
  ];
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => (result ??= work());
}
