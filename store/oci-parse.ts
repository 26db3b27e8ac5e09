import { isDigest } from "./digest.ts";
import { TsbuildError } from "./errors.ts";
import { shown } from "./foreign-text.ts";
import { type Descriptor, type ImageConfig, type Index, type Manifest, mediaTypes } from "./oci.ts";
import { ambiguousKey, type KnownKeys, knownKeys } from "./one-case.ts";

// What we rely on is checked here, once, where bytes from elsewhere become typed values; all else passes through untouched.

/** Largest manifest or index that is read: what registries accept. */
export const maxManifestBytes = 4 * 1024 * 1024;
export const maxConfigBytes = 8 * 1024 * 1024;

export type DocumentKind = "index" | "manifest" | "image config";

type Json = { readonly [key: string]: unknown };

/** Deeper than any tool writes, and far from what would exhaust the stack of whoever walks through a document. */
const maxNesting = 200;
/** Type and subtype have 127 characters each at most (RFC 6838 §4.2). */
const maxMediaTypeChars = 255;

/** Of manifests and indexes both: to some readers one is the other. */
const documentKeys = knownKeys(
  "schemaVersion",
  "mediaType",
  "artifactType",
  "config",
  "layers",
  "manifests",
  "fsLayers",
  "subject",
  "annotations",
);
const descriptorKeys = knownKeys("mediaType", "digest", "size", "urls", "annotations", "data", "artifactType", "platform");
const platformKeys = knownKeys("os", "architecture", "variant", "os.version", "os.features");
const configKeys = knownKeys(
  "os",
  "architecture",
  "variant",
  "os.version",
  "os.features",
  "created",
  "author",
  "config",
  "rootfs",
  "history",
);
const rootfsKeys = knownKeys("type", "diff_ids");
const historyKeys = knownKeys("created", "created_by", "author", "comment", "empty_layer");

/** Throws INVALID_DOCUMENT. `where` names the source, e.g. a digest or a path. */
export function parseIndex(bytes: Uint8Array, where: string): Index {
  const fail = failing("index", where);
  const json = parseObject(bytes, fail);
  checkKeys(json, documentKeys, "", fail);
  if (json.schemaVersion !== 2) throw fail(`schemaVersion is ${shown(json.schemaVersion)}, not 2`);
  checkIsOneThing(json, ["config", "layers", "fsLayers"], fail);
  if (!Array.isArray(json.manifests)) throw fail("it has no manifests");
  json.manifests.forEach((descriptor, i) => {
    checkDescriptor(descriptor, `manifests[${i}]`, fail);
  });
  checkSizesAgree(json.manifests, fail);
  return json as unknown as Index;
}

/** OCI and Docker schema 2 manifests. Throws INVALID_DOCUMENT. */
export function parseManifest(bytes: Uint8Array, where: string): Manifest {
  const fail = failing("manifest", where);
  const json = parseObject(bytes, fail);
  checkKeys(json, documentKeys, "", fail);
  if (json.schemaVersion !== 2) throw fail(`schemaVersion is ${shown(json.schemaVersion)}, not 2`);
  checkIsOneThing(json, ["manifests", "fsLayers"], fail);
  checkDescriptor(json.config, "config", fail);
  if (json.subject !== undefined && json.subject !== null) checkDescriptor(json.subject, "subject", fail);
  checkOptionalText(json, "artifactType", fail);
  if (!Array.isArray(json.layers)) throw fail("it has no layers");
  json.layers.forEach((descriptor, i) => {
    checkDescriptor(descriptor, `layers[${i}]`, fail);
  });
  checkSizesAgree([json.config, ...json.layers], fail);
  return json as unknown as Manifest;
}

/** Throws INVALID_DOCUMENT. */
export function parseConfig(bytes: Uint8Array, where: string): ImageConfig {
  const fail = failing("image config", where);
  const json = parseObject(bytes, fail);
  checkKeys(json, configKeys, "", fail);
  for (const key of ["os", "architecture"]) if (typeof json[key] !== "string") throw fail(`${key} is missing`);
  for (const key of ["variant", "os.version", "created", "author"]) checkOptionalText(json, key, fail);
  checkOptionalTexts(json, "os.features", fail);
  if (!isObject(json.rootfs) || !Array.isArray(json.rootfs.diff_ids ?? [])) throw fail("rootfs.diff_ids is missing");
  checkKeys(json.rootfs, rootfsKeys, "rootfs", fail);
  const diffIds = (json.rootfs.diff_ids ?? []) as readonly unknown[];
  diffIds.forEach((digest, i) => {
    if (typeof digest !== "string" || !isDigest(digest)) throw fail(`rootfs.diff_ids[${i}] is no sha256 digest`);
  });
  // Go writes empty lists as null.
  if (json.history !== undefined && json.history !== null && !(Array.isArray(json.history) && json.history.every(isObject))) {
    throw fail("history is no list of objects");
  }
  (json.history ?? []).forEach((entry, i) => {
    checkKeys(entry, historyKeys, `history[${i}]`, fail);
  });
  if (json.config !== undefined && json.config !== null) checkContainerConfig(json.config, fail);
  const { history, config, ...rest } = json;
  return {
    ...rest,
    ...(isObject(config) && { config: withoutNulls(config) }),
    ...(Array.isArray(history) && { history }),
    rootfs: { type: "layers", diff_ids: diffIds },
  } as unknown as ImageConfig;
}

/** A document that is an index to one reader and a manifest to another names two different images (CVE-2021-41190). */
function checkIsOneThing(json: Json, others: readonly string[], fail: Fail): void {
  if (others.some((key) => json[key] !== undefined)) throw fail("it is a manifest and something else at once");
}

const lists = ["Env", "Cmd", "Entrypoint", "Shell", "OnBuild"];
const texts = ["User", "WorkingDir", "StopSignal"];
const maps = ["ExposedPorts", "Volumes", "Labels", "Healthcheck"];
const containerKeys = knownKeys(...lists, ...texts, ...maps);

function checkContainerConfig(config: unknown, fail: Fail): void {
  if (!isObject(config)) throw fail("config is no object");
  checkKeys(config, containerKeys, "config", fail);
  for (const key of lists) {
    const value = config[key];
    if (value === undefined || value === null) continue;
    if (!isTexts(value)) throw fail(`config.${key} is no list of strings`);
  }
  for (const key of texts) checkOptionalText(config, key, fail);
  for (const key of maps) {
    const value = config[key];
    if (value !== undefined && value !== null && !isObject(value)) throw fail(`config.${key} is no object`);
  }
  for (const [key, value] of Object.entries(config.Labels ?? {})) {
    if (typeof value !== "string") throw fail(`config.Labels: ${shown(key)} is no string`);
  }
}

/** Null and absent mean the same in a Go program's JSON; here absent is the one form. Cmd and Entrypoint included. */
function withoutNulls(config: Json): Json {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== null));
}

function checkDescriptor(value: unknown, name: string, fail: Fail): asserts value is Descriptor {
  if (!isObject(value)) throw fail(`${name} is no descriptor`);
  checkKeys(value, descriptorKeys, name, fail);
  if (typeof value.digest !== "string" || !isDigest(value.digest)) {
    throw fail(`${name}.digest ${shown(value.digest)} is not sha256:<64 hex digits>`);
  }
  if (!Number.isSafeInteger(value.size) || (value.size as number) < 0) throw fail(`${name}.size ${shown(value.size)} is no size`);
  if (typeof value.mediaType !== "string") throw fail(`${name}.mediaType is missing`);
  if (value.mediaType.length > maxMediaTypeChars)
    throw fail(`${name}.mediaType ${shown(value.mediaType)} is longer than ${maxMediaTypeChars} characters`);
  const { platform, annotations } = value;
  if (platform !== undefined) {
    if (!isObject(platform) || typeof platform.os !== "string" || typeof platform.architecture !== "string")
      throw fail(`${name}.platform is incomplete`);
    checkKeys(platform, platformKeys, `${name}.platform`, fail);
    for (const key of ["variant", "os.version"]) checkOptionalText(platform, key, fail);
    checkOptionalTexts(platform, "os.features", fail);
  }
  checkOptionalText(value, "artifactType", fail);
  checkOptionalTexts(value, "urls", fail);
  if (annotations !== undefined && !(isObject(annotations) && Object.values(annotations).every((text) => typeof text === "string"))) {
    throw fail(`${name}.annotations is no object of strings`);
  }
}

/** One of two sizes of the same bytes is wrong, whichever of them will be looked at. */
function checkSizesAgree(descriptors: readonly Descriptor[], fail: Fail): void {
  const sizes = new Map<string, number>();
  for (const { digest, size } of descriptors) {
    if ((sizes.get(digest) ?? size) !== size) throw fail(`it gives ${digest} two sizes: ${sizes.get(digest)} and ${size} bytes`);
    sizes.set(digest, size);
  }
}

export function isIndexType(mediaType: string): boolean {
  return mediaType === mediaTypes.index || mediaType === mediaTypes.dockerManifestList;
}

export function isManifestType(mediaType: string): boolean {
  return mediaType === mediaTypes.manifest || mediaType === mediaTypes.dockerManifest;
}

/** Whether a manifest's config is an image's: other artifacts (charts, signatures) share the manifest format. */
export function isConfigType(mediaType: string): boolean {
  return mediaType === mediaTypes.config || mediaType === mediaTypes.dockerConfig;
}

/** Whether this is the type of a file system layer: a tar, compressed or not. In-toto statements, encrypted layers and the like are none. */
export function isLayerType(mediaType: string): boolean {
  return /[./-]tar(?:[.+](?:gzip|zstd))?$/.test(mediaType);
}

type Fail = (why: string) => TsbuildError;

function failing(kind: DocumentKind, where: string): Fail {
  return (why) => new TsbuildError("INVALID_DOCUMENT", `reading the ${kind} ${where}: ${why}`);
}

function checkOptionalText(json: Json, key: string, fail: Fail): void {
  const value = json[key];
  if (value !== undefined && value !== null && typeof value !== "string") throw fail(`${key} is no string`);
}

function checkOptionalTexts(json: Json, key: string, fail: Fail): void {
  const value = json[key];
  if (value !== undefined && value !== null && !isTexts(value)) throw fail(`${key} is no list of strings`);
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function checkKeys(json: Json, known: KnownKeys, of: string, fail: Fail): void {
  const key = ambiguousKey(json, known);
  if (key === undefined) return;
  throw fail(`${of === "" ? "" : `${of}: `}its key ${shown(key)} means another one to readers that pass over case`);
}

function parseObject(bytes: Uint8Array, fail: Fail): Json {
  if (isNestedDeeper(bytes, maxNesting)) throw fail(`it is nested deeper than ${maxNesting} levels`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw fail(error instanceof SyntaxError ? "it is not JSON" : "it is not UTF-8");
  }
  if (!isObject(value)) throw fail("it is no JSON object");
  return value;
}

/** Counts brackets outside of strings; what is no JSON is for the parser to tell. */
function isNestedDeeper(bytes: Uint8Array, levels: number): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === 0x22) inString = !inString;
    else if (inString) i += byte === 0x5c ? 1 : 0;
    else if (byte === 0x5b || byte === 0x7b) depth += 1;
    else if (byte === 0x5d || byte === 0x7d) depth -= 1;
    if (depth > levels) return true;
  }
  return false;
}
