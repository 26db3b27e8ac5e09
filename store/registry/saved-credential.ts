import type { Abortable } from "../file-bytes.ts";
import { type ConfigFile, type Json, keyOf, keysOf, objectAt, parseConfigFile, readConfigFile } from "./config-file.ts";
import { updateConfigFile } from "./config-update.ts";
import type { Credential } from "./credential.ts";
import { type CredentialHelper, credentialHelper } from "./credential-helper.ts";
import { type DockerConfigOptions, loginFile, ownHelper } from "./docker-config.ts";

/** Where a credential was put or taken from. */
export interface Keeping {
  readonly file: string;
  /** The helper that the file names for this registry; absent: the file holds it itself, unencrypted. */
  readonly helper?: string;
}

/** Keeps a credential as `docker login` does, for Docker, podman and us to find: with the configured helper, else in the file. */
export async function saveCredential(
  options: DockerConfigOptions,
  registry: string,
  credential: Exclude<Credential, { kind: "bearer" }>,
  abort: Abortable = {},
): Promise<Keeping> {
  const file = loginFile(options);
  const found = await helperFor(file, options, registry);
  await found?.helper.store(keyOf(registry), credential, abort);
  // An empty entry says that the helper has it.
  const entry = found === undefined ? entryOf(credential) : {};
  const change = (config: Json): Json => ({ ...config, auths: { ...without(config, file, registry), [keyOf(registry)]: entry } });
  await updateConfigFile(file, change, abort);
  return keeping(file, found);
}

/** Forgets what is kept of a registry. Undefined when nothing was. What other files hold stays. */
export async function eraseCredential(options: DockerConfigOptions, registry: string, abort: Abortable = {}): Promise<Keeping | undefined> {
  const file = loginFile(options);
  const config = await readConfigFile(file);
  if (config === undefined) return undefined;
  const written = keysOf(config.auths, registry);
  const found = await helperFor(file, options, registry);
  let erased = written.length > 0;
  for (const server of new Set([keyOf(registry), ...written])) {
    if (found === undefined || (await found.helper.get(server, abort)) === undefined) continue;
    await found.helper.erase(server, abort);
    erased = true;
  }
  if (written.length > 0) {
    await updateConfigFile(file, (fields) => ({ ...fields, auths: without(fields, file, registry) }), abort);
  }
  return erased ? keeping(file, found) : undefined;
}

interface NamedHelper {
  readonly name: string;
  readonly helper: CredentialHelper;
}

async function helperFor(file: string, { env }: DockerConfigOptions, registry: string): Promise<NamedHelper | undefined> {
  const config = (await readConfigFile(file)) ?? parseConfigFile("", file);
  const name = helperName(config, registry);
  return name === undefined ? undefined : { name, helper: credentialHelper(name, { env }) };
}

function helperName(config: ConfigFile, registry: string): string | undefined {
  return ownHelper(config, registry) ?? config.credsStore;
}

function keeping(file: string, found: NamedHelper | undefined): Keeping {
  return { file, ...(found === undefined ? {} : { helper: found.name }) };
}

/** The entries of all other registries, and those below this one. */
function without(config: Json, file: string, registry: string): Json {
  const auths = objectAt(config, "auths", file);
  const gone = keysOf(auths, registry);
  return Object.fromEntries(Object.entries(auths).filter(([key]) => !gone.includes(key)));
}

function entryOf(credential: Exclude<Credential, { kind: "bearer" }>): Json {
  if (credential.kind === "identity") return { identitytoken: credential.token };
  return { auth: Buffer.from(`${credential.username}:${credential.password}`).toString("base64") };
}
