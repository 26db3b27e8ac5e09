import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { basename } from "node:path";
import { isSystemError } from "../../runtime-addon/index.ts";
import { canonicalJson } from "../canonical-json.ts";
import { digestFromBytes } from "../digest.ts";
import { NotFoundError, TsbuildError } from "../errors.ts";
import { fileBytes } from "../file-bytes.ts";
import { type Descriptor, mediaTypes } from "../oci.ts";
import { fullName, type Reference } from "../reference.ts";
import { verified } from "../verified.ts";
import { contentFrom } from "./blob-content.ts";
import { type PushingOptions, pushBlob, pushConfig } from "./push-blob.ts";
import { pushReferrer } from "./push-referrer.ts";
import type { Registry } from "./registry.ts";
import { noSuchImageHint, RegistryError } from "./registry-error.ts";

/** What shall be attached. */
export interface Artifact {
  /** Media type that says what it is: "application/spdx+json". */
  readonly artifactType: string;
  /** In this order. */
  readonly files: readonly ArtifactFile[];
  /** Of the manifest. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** RFC 3339; absent: the artifact does not say, so that the same files give the same artifact. */
  readonly created?: string;
}

/** A regular file; it keeps its name without the directory. */
export interface ArtifactFile {
  readonly path: string;
  readonly mediaType: string;
}

const emptyType = "application/vnd.oci.empty.v1+json";
const emptyContent = Buffer.from("{}");

/** RFC 6838, section 4.2. */
export function isMediaType(text: string): boolean {
  return /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/i.test(text);
}

/**
 * Pushes files as an artifact that refers to an image (OCI image spec, "Guidelines for Artifact Usage"), and answers its manifest. A registry without the referrers API finds it
 * by the tag schema. The same again changes nothing. Throws REGISTRY_NOT_FOUND, INVALID_MEDIA_TYPE, NotFoundError, NOT_A_FILE, IntegrityError for a file that changes meanwhile,
 * RegistryError, and `signal.reason`.
 */
export async function attachArtifact(
  registry: Registry,
  subject: Reference,
  { artifactType, files, annotations = {}, created }: Artifact,
  options: PushingOptions = {},
): Promise<Descriptor> {
  for (const type of [artifactType, ...files.map(({ mediaType }) => mediaType)]) {
    if (!isMediaType(type)) throw new TsbuildError("INVALID_MEDIA_TYPE", `attaching to ${fullName(subject)}: "${type}" is no media type`);
  }
  const described: { readonly path: string; readonly blob: Descriptor }[] = [];
  for (const file of files) described.push({ path: file.path, blob: await describe(file, options) });
  const repository = registry.repository(subject);
  // What a mirror's tag means may be old, and the artifact would be another image's.
  const found = await repository.manifest(subject.digest ?? subject.tag ?? "latest", { mirrors: false, signal: options.signal });
  if (found === undefined)
    throw new RegistryError("REGISTRY_NOT_FOUND", `attaching to ${fullName(subject)}: the registry has no such image`, {
      hint: noSuchImageHint,
    });

  const config = await pushConfig(repository, emptyType, emptyContent, options);
  for (const { path, blob } of described) {
    const content = contentFrom((reading) => verified(fileBytes(path, reading), blob, `reading ${path}`));
    await pushBlob(repository, blob, () => content, options);
  }
  const { mediaType, digest, size } = found.descriptor;
  const all = { ...(created !== undefined && { "org.opencontainers.image.created": created }), ...annotations };
  const bytes = canonicalJson({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    artifactType,
    config,
    // A manifest has at least one layer.
    layers: described.length === 0 ? [config] : described.map(({ blob }) => blob),
    subject: { mediaType, digest, size },
    ...(Object.keys(all).length > 0 && { annotations: all }),
  });
  return pushReferrer(repository, { mediaType: mediaTypes.manifest, bytes }, [], options);
}

async function describe({ path, mediaType }: ArtifactFile, options: PushingOptions): Promise<Descriptor> {
  try {
    // Twice read: first for its digest, then to be sent.
    if (!statSync(path).isFile()) throw new TsbuildError("NOT_A_FILE", `attaching ${path}: it is no regular file`);
    const hash = createHash("sha256");
    let size = 0;
    for await (const chunk of fileBytes(path, options)) {
      hash.update(chunk);
      size += chunk.length;
    }
    return { mediaType, digest: digestFromBytes(hash.digest()), size, annotations: { "org.opencontainers.image.title": basename(path) } };
  } catch (error) {
    if (isSystemError(error, "ENOENT", "ENOTDIR")) throw new NotFoundError(`attaching ${path}: there is no such file`);
    throw error;
  }
}
