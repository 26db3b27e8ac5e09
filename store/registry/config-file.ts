import { readFile } from "node:fs/promises";
import { isSystemError } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../errors.ts";
import type { Credential } from "./credential.ts";

// Docker's config.json and the auth.json of podman, buildah and skopeo: one format (containers-auth.json(5)), but for keys below a host, which are only theirs.

export type Json = Readonly<Record<string, unknown>>;

/** What a configuration says about credentials. */
export interface ConfigFile {
  /** As errors name it: a path or "$VARIABLE". */
  readonly where: string;
  readonly auths: Json;
  /** Registry → name of the helper that has its credentials. */
  readonly credHelpers: Json;
  /** Name of the helper for all others. */
  readonly credsStore: string | undefined;
}

/** Under which Docker Hub's credentials have always been kept. */
const hubKey = "https://index.docker.io/v1/";
const hub = "docker.io";
const hubNames: readonly string[] = [hub, "index.docker.io", "registry-1.docker.io"];

/** The key of a registry, as `docker login` writes it. */
export function keyOf(registry: string): string {
  return registry === hub ? hubKey : registry;
}

/**
 * What a key stands for: a host in any of the forms "host", "https://host", "https://host/v1/", or "host/namespace/repository". `path` is "" where all of the host
 * is meant.
 */
export function readKey(key: string): { readonly registry: string; readonly path: string } {
  const bare = key.replace(/^https?:\/\//i, "");
  const [host = "", ...rest] = bare.split("/");
  const name = host.toLowerCase();
  const path = rest.filter((part) => part !== "").join("/");
  const wholeHost = bare !== key || path === "v1" || path === "v2";
  return { registry: hubNames.includes(name) ? hub : name, path: wholeHost ? "" : path };
}

/** The keys that stand for the whole of a registry, as Docker writes it first. */
export function keysOf(fields: Json, registry: string): readonly string[] {
  const wanted = readKey(registry).registry;
  const keys = Object.keys(fields).filter((key) => {
    const { registry: named, path } = readKey(key);
    return named === wanted && path === "";
  });
  return keys.sort((a, b) => Number(b === keyOf(wanted)) - Number(a === keyOf(wanted)));
}

/** The key of `auths` that fits best: the longest one below the host that the repository lies in, else the host's own. */
export function bestKey({ auths }: ConfigFile, registry: string, repository = ""): string | undefined {
  const wanted = readKey(registry).registry;
  let best: { readonly key: string; readonly path: string } | undefined;
  for (const key of Object.keys(auths)) {
    const { registry: named, path } = readKey(key);
    const fits = named === wanted && path !== "" && (repository === path || repository.startsWith(`${path}/`));
    if (fits && path.length > (best?.path.length ?? 0)) best = { key, path };
  }
  return best?.key ?? keysOf(auths, registry)[0];
}

/** Undefined where the file is not there, or with `orRefused` may not be read. Throws CREDENTIALS_UNREADABLE. */
export async function readConfigFile(path: string, options: { readonly orRefused?: boolean } = {}): Promise<ConfigFile | undefined> {
  const text = await readIfThere(path, options);
  return text === undefined ? undefined : parseConfigFile(text, path);
}

export async function readIfThere(path: string, { orRefused = false }: { readonly orRefused?: boolean } = {}): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isSystemError(error, "ENOENT", "ENOTDIR")) return undefined;
    if (orRefused && isSystemError(error, "EACCES", "EPERM")) return undefined;
    if (isSystemError(error)) throw unreadable(path, error.message);
    throw error;
  }
}

/** Throws CREDENTIALS_UNREADABLE, which names `where` and quotes nothing of the text. */
export function parseConfigFile(text: string, where: string): ConfigFile {
  const json = parseJson(text, where);
  const { credsStore } = json;
  if (credsStore !== undefined && credsStore !== null && typeof credsStore !== "string") throw unreadable(where, "credsStore is no text");
  return {
    where,
    auths: objectAt(json, "auths", where),
    credHelpers: objectAt(json, "credHelpers", where),
    credsStore: credsStore || undefined,
  };
}

/** The text's object; an empty file is an empty object, as for Docker. */
export function parseJson(text: string, where: string): Json {
  if (text.trim() === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's message quotes what it cannot read.
    throw unreadable(where, "it is no JSON");
  }
  if (!isObject(value)) throw unreadable(where, "it is no JSON object");
  return value;
}

/** An object's field that is an object; missing, or null as Go writes it, it is empty. */
export function objectAt(json: Json, field: string, where: string): Json {
  const value = Object.hasOwn(json, field) ? json[field] : undefined;
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw unreadable(where, `${field} is no object`);
  return value;
}

/** What an entry of `auths` holds itself; undefined for an empty one, which says that a helper has it. Throws CREDENTIALS_UNREADABLE. */
export function entryCredential({ auths, where }: ConfigFile, key: string): Credential | undefined {
  const entry = objectAt(auths, key, where);
  const field = (name: string): string => {
    const value = entry[name];
    if (value === undefined || value === null) return "";
    if (typeof value !== "string") throw unreadable(where, `${name} of ${key} is no text`);
    return value;
  };
  const registryToken = field("registrytoken");
  if (registryToken !== "") return { kind: "bearer", token: registryToken };
  const identityToken = field("identitytoken");
  if (identityToken !== "") return { kind: "identity", token: identityToken };
  const auth = field("auth");
  if (auth !== "") return fromAuth(auth, () => unreadable(where, `auth of ${key} is not the base64 of name:password`));
  const username = field("username");
  return username === "" ? undefined : { kind: "basic", username, password: field("password") };
}

/** The password may hold colons; old versions of Docker left NULs behind it. */
function fromAuth(auth: string, wrong: () => TsbuildError): Credential {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(auth.trim())) throw wrong();
  const text = Buffer.from(auth, "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (colon <= 0) throw wrong();
  return { kind: "basic", username: text.slice(0, colon), password: text.slice(colon + 1).replace(/^\0+|\0+$/g, "") };
}

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function unreadable(where: string, why: string): TsbuildError {
  return new TsbuildError("CREDENTIALS_UNREADABLE", `reading the credentials in ${where}: ${why}`);
}
