import { TsbuildError } from "../errors.ts";
import { type Manifest, mediaTypes } from "../oci.ts";
import { isConfigType, isIndexType, isLayerType, isManifestType, parseIndex, parseManifest } from "../oci-parse.ts";

/** What is asked for: all that is understood, and nothing else. */
export const acceptedManifests: string = [
  mediaTypes.index,
  mediaTypes.manifest,
  mediaTypes.dockerManifestList,
  mediaTypes.dockerManifest,
].join(", ");

/** "application/json; charset=utf-8" → "application/json". */
export function essenceOf(contentType: string | undefined): string {
  return (contentType ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

/**
 * The media type of a manifest or index. Its own `mediaType` counts first, being covered by the digest; then Content-Type, which several registries leave
 * out or get wrong; then its shape. What is read as that type must be one: throws UNSUPPORTED_MANIFEST and INVALID_DOCUMENT.
 */
export function manifestTypeOf(bytes: Uint8Array, contentType: string | undefined, what: string): string {
  const json = fieldsOf(bytes, what);
  const essence = essenceOf(contentType);
  if (json.schemaVersion === 1 || /^application\/vnd\.docker\.distribution\.manifest\.v1\+/.test(essence)) {
    throw new TsbuildError("UNSUPPORTED_MANIFEST", `${what}: it has image manifest schema 1, which is no longer read`, {
      hint: "docker pull and docker push of a current version convert it",
    });
  }
  const isIndex = Array.isArray(json.manifests);
  // What is an index to one reader and a manifest to another names two different images (CVE-2021-41190).
  if (isIndex && (json.config !== undefined || json.layers !== undefined)) {
    throw new TsbuildError("INVALID_DOCUMENT", `${what}: it is an index and a manifest at once`);
  }
  const type = ownType(json, what) ?? agreeing(essence, isIndex) ?? typeOfShape(json, isIndex);
  if (isIndexType(type)) parseIndex(bytes, what);
  else parseManifest(bytes, what);
  return type;
}

/** Whether a manifest is that of an image, which could be run: no artifact, and no attestation. */
export function isImage({ config, layers }: Manifest): boolean {
  return isConfigType(config.mediaType) && layers.every(({ mediaType }) => isLayerType(mediaType));
}

interface Fields {
  readonly schemaVersion?: unknown;
  readonly mediaType?: unknown;
  readonly manifests?: unknown;
  readonly config?: { readonly mediaType?: unknown } | null;
  readonly layers?: unknown;
}

function fieldsOf(bytes: Uint8Array, what: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
  } catch {
    // A page for people instead of an answer to programs: a login portal, a wrong host.
    throw new TsbuildError("INVALID_DOCUMENT", `${what}: the answer is no JSON`, { hint: "is it a registry that answers there?" });
  }
  if (typeof value !== "object" || value === null) throw new TsbuildError("INVALID_DOCUMENT", `${what}: the answer is no JSON object`);
  return value;
}

function ownType({ mediaType }: Fields, what: string): string | undefined {
  if (typeof mediaType !== "string" || mediaType === "") return undefined;
  if (isIndexType(mediaType) || isManifestType(mediaType)) return mediaType;
  throw new TsbuildError("UNSUPPORTED_MANIFEST", `${what}: the media type ${JSON.stringify(mediaType)} is not one of images`);
}

function agreeing(essence: string, isIndex: boolean): string | undefined {
  return (isIndex ? isIndexType(essence) : isManifestType(essence)) ? essence : undefined;
}

function typeOfShape({ config }: Fields, isIndex: boolean): string {
  if (isIndex) return mediaTypes.index;
  return config?.mediaType === mediaTypes.dockerConfig ? mediaTypes.dockerManifest : mediaTypes.manifest;
}
