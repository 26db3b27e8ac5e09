import { canonicalJson } from "../canonical-json.ts";
import { type Digest, digestOf } from "../digest.ts";
import { TsbuildError } from "../errors.ts";
import { type Descriptor, type Index, type Manifest, mediaTypes } from "../oci.ts";
import { isConfigType, isIndexType, isManifestType, parseIndex, parseManifest } from "../oci-parse.ts";

/** How the documents of an image are written: by the OCI image spec, or as Docker's "Image Manifest Version 2, Schema 2". */
export type ImageFormat = "oci" | "docker";

/** A manifest or index and what it is. */
export interface Document {
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** A document in the format asked for: the very same bytes where it was in it already. */
export interface Converted extends Document {
  /** What the format has no place for, a sentence each. */
  readonly notes: readonly string[];
}

const [ociLayers, dockerLayers] = pairs([
  [mediaTypes.layer, "application/vnd.docker.image.rootfs.diff.tar"],
  [mediaTypes.layerGzip, mediaTypes.dockerLayerGzip],
  ["application/vnd.oci.image.layer.nondistributable.v1.tar", "application/vnd.docker.image.rootfs.foreign.diff.tar"],
  ["application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"],
]);
// Some tools write it, few read it: good to come from, not to go to.
ociLayers.set("application/vnd.docker.image.rootfs.diff.tar.zstd", mediaTypes.layerZstd);

/** By this annotation BuildKit says in an index which of the manifests there an attestation is of. */
const attestedDigest = "vnd.docker.reference.digest";

export function formatOf(mediaType: string): ImageFormat {
  return mediaType === mediaTypes.dockerManifest || mediaType === mediaTypes.dockerManifestList ? "docker" : "oci";
}

/**
 * A manifest in another format. Config and layers stay as they are and get the format's media types. Throws NOT_CONVERTIBLE for what Docker's format cannot say: zstd
 * layers, artifacts, a subject; and INVALID_DOCUMENT.
 */
export function convertManifest(document: Document, to: ImageFormat): Converted {
  if (formatOf(document.mediaType) === to) return { ...document, notes: [] };
  const manifest = parseManifest(document.bytes, digestOf(document.bytes));
  return to === "oci" ? ociManifest(manifest) : dockerManifest(manifest, digestOf(document.bytes));
}

/**
 * A manifest in a format, with annotations beside those that it has. Docker's format has no place for them: what is in it already keeps its bytes, and the notes say so. Throws as
 * convertManifest.
 */
export function annotateManifest(document: Document, annotations: Readonly<Record<string, string>>, to: ImageFormat): Converted {
  if (Object.keys(annotations).length === 0) return convertManifest(document, to);
  const digest = digestOf(document.bytes);
  if (to === "docker") {
    const { notes, ...docker } = convertManifest(document, to);
    return { ...docker, notes: [...notes, ...droppedAnnotations(digest, annotations, [])] };
  }
  const manifest = parseManifest(convertManifest(document, to).bytes, digest);
  return written({ ...manifest, mediaType: mediaTypes.manifest, annotations: { ...manifest.annotations, ...annotations } }, []);
}

/**
 * An index in another format, with what its entries became in it: a manifest that is not in `converted` stays what it is. Throws NOT_CONVERTIBLE for entries that no
 * manifest list of Docker's can have, and INVALID_DOCUMENT.
 */
export function convertIndex(document: Document, to: ImageFormat, converted: ReadonlyMap<Digest, Document> = new Map()): Converted {
  const digest = digestOf(document.bytes);
  const { annotations, manifests, ...rest } = parseIndex(document.bytes, digest);
  if (formatOf(document.mediaType) === to && !manifests.some((entry) => converted.has(entry.digest))) return { ...document, notes: [] };
  const entries = manifests.map((entry) => entryAs(entry, converted));
  if (to === "oci") return written({ ...rest, mediaType: mediaTypes.index, manifests: entries, annotations }, []);
  for (const entry of entries) checkListEntry(entry, digest);
  checkNoArtifact(rest, digest);
  return written(
    { ...rest, mediaType: mediaTypes.dockerManifestList, manifests: entries.map(withoutAnnotations) },
    droppedAnnotations(digest, annotations, entries),
  );
}

/** An index with annotations of its own, and of its entries, by their order. Docker's format has no place for them. Throws INVALID_DOCUMENT. */
export function annotateIndex(
  index: Converted,
  own: Readonly<Record<string, string>>,
  ofEntries: readonly Readonly<Record<string, string>>[],
): Converted {
  const all = Object.assign({}, own, ...ofEntries) as Readonly<Record<string, string>>;
  if (Object.keys(all).length === 0) return index;
  const digest = digestOf(index.bytes);
  if (formatOf(index.mediaType) === "docker") return { ...index, notes: [...index.notes, ...droppedAnnotations(digest, all, [])] };
  const { annotations, manifests, ...rest } = parseIndex(index.bytes, digest);
  const entries = manifests.map((entry, i) => {
    const more = ofEntries[i] ?? {};
    return Object.keys(more).length === 0 ? entry : { ...entry, annotations: { ...entry.annotations, ...more } };
  });
  const both = { ...annotations, ...own };
  const { bytes } = written(
    { ...rest, mediaType: mediaTypes.index, manifests: entries, annotations: Object.keys(both).length === 0 ? undefined : both },
    [],
  );
  return { ...index, bytes };
}

/** A layer under the format's word for it. Throws NOT_CONVERTIBLE. */
export function convertLayer(layer: Descriptor, to: ImageFormat): Descriptor {
  if (to === "oci") return { ...layer, mediaType: ociLayers.get(layer.mediaType) ?? layer.mediaType };
  const mediaType = dockerLayers.get(layer.mediaType) ?? (isDockerLayer(layer) ? layer.mediaType : undefined);
  if (mediaType !== undefined) return { ...layer, mediaType };
  const what = layer.mediaType.endsWith("zstd") ? "compressed with zstd" : `of type ${layer.mediaType}`;
  throw notConvertible(`layer ${layer.digest} is ${what}`);
}

function pairs(types: readonly (readonly [oci: string, docker: string])[]): [oci: Map<string, string>, docker: Map<string, string>] {
  return [new Map(types.map(([oci, docker]) => [docker, oci])), new Map(types)];
}

function isDockerLayer({ mediaType }: Descriptor): boolean {
  return ociLayers.has(mediaType) && !mediaType.endsWith("zstd");
}

function ociManifest(manifest: Manifest): Converted {
  const { config } = manifest;
  const configType = config.mediaType === mediaTypes.dockerConfig ? mediaTypes.config : config.mediaType;
  const layers = manifest.layers.map((layer) => convertLayer(layer, "oci"));
  return written({ ...manifest, mediaType: mediaTypes.manifest, config: { ...config, mediaType: configType }, layers }, []);
}

function dockerManifest(manifest: Manifest, digest: Digest): Converted {
  const { annotations, ...rest } = manifest;
  if (!isConfigType(rest.config.mediaType)) throw notConvertible(`${digest} is an artifact of type ${rest.config.mediaType}`);
  checkNoArtifact(rest, digest);
  const layers = rest.layers.map((layer) => convertLayer(layer, "docker"));
  const config = { ...rest.config, mediaType: mediaTypes.dockerConfig };
  return written(
    { ...rest, mediaType: mediaTypes.dockerManifest, config: withoutAnnotations(config), layers: layers.map(withoutAnnotations) },
    droppedAnnotations(digest, annotations, [config, ...layers]),
  );
}

function checkNoArtifact(document: object, digest: Digest): void {
  const { subject, artifactType } = document as { readonly subject?: unknown; readonly artifactType?: unknown };
  if (subject !== undefined) throw notConvertible(`${digest} refers to another manifest (subject)`);
  if (artifactType !== undefined) throw notConvertible(`${digest} is an artifact of type ${String(artifactType)}`);
}

function checkListEntry({ digest, mediaType, platform }: Descriptor, index: Digest): void {
  if (isIndexType(mediaType)) throw notConvertible(`index ${index} holds another one, ${digest}`);
  if (!isManifestType(mediaType) || formatOf(mediaType) !== "docker")
    throw notConvertible(`index ${index} lists ${digest}, which is of type ${mediaType}`);
  if (platform === undefined) throw notConvertible(`index ${index} does not say what platform ${digest} is for`);
}

function entryAs(entry: Descriptor, converted: ReadonlyMap<Digest, Document>): Descriptor {
  const { annotations } = entry;
  const about = converted.get(annotations?.[attestedDigest] as Digest);
  const named = about === undefined ? entry : { ...entry, annotations: { ...annotations, [attestedDigest]: digestOf(about.bytes) } };
  const document = converted.get(entry.digest);
  if (document === undefined) return named;
  return { ...named, mediaType: document.mediaType, digest: digestOf(document.bytes), size: document.bytes.length };
}

function withoutAnnotations({ annotations: _, ...descriptor }: Descriptor): Descriptor {
  return descriptor;
}

function droppedAnnotations(
  digest: Digest,
  own: Readonly<Record<string, string>> | undefined,
  descriptors: readonly Descriptor[],
): readonly string[] {
  const all = [own, ...descriptors.map(({ annotations }) => annotations)];
  const keys = new Set(all.flatMap((annotations) => Object.keys(annotations ?? {})));
  return keys.size === 0 ? [] : [`${digest}: Docker's format has no annotations; left out: ${[...keys].sort().join(", ")}`];
}

function written(
  value: Manifest | (Omit<Index, "annotations"> & { readonly annotations?: Index["annotations"] | undefined }),
  notes: readonly string[],
): Converted {
  return { mediaType: value.mediaType, bytes: canonicalJson(value), notes };
}

function notConvertible(why: string): TsbuildError {
  return new TsbuildError("NOT_CONVERTIBLE", `converting to Docker's format: ${why}, which the format cannot express`, {
    hint: "push it in OCI's format, which all registries of today take",
  });
}
