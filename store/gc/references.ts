import { type DamagedContainer, listContainers } from "../containers.ts";
import { type Digest, isDigest } from "../digest.ts";
import { NotFoundError, TsbuildError } from "../errors.ts";
import { shownName } from "../image-names.ts";
import { readStoreIndex } from "../layout.ts";
import type { Descriptor } from "../oci.ts";
import { isConfigType, isIndexType, isManifestType, maxConfigBytes, maxManifestBytes } from "../oci-parse.ts";
import type { Store } from "../store.ts";
import type { Measure } from "./allocated.ts";

/** What keeps content: blobs by digest, and layers (tree and unpacked files) by diffId. */
export interface References {
  readonly blobs: ReadonlySet<Digest>;
  readonly layers: ReadonlySet<Digest>;
}

/** What one image of index.json keeps. An entry with several names is one image. */
export interface ImageReferences extends References {
  readonly listed: Digest;
  readonly isNamed: boolean;
  /** Its entry, and the names as people write them. */
  readonly entry: Descriptor;
  readonly names: readonly string[];
}

/** Hears what could not be read. */
export type OnUnreadable = (error: TsbuildError) => void;

/**
 * Each image of index.json with all that can be reached from it: nested indexes, attestations, artifacts. What an index lists and was never fetched keeps nothing. Throws INTEGRITY
 * and INVALID_DOCUMENT for a document that cannot be read, for then nobody knows what the image needs; where somebody is told of it, what is behind it is left out.
 */
export async function imageReferences(
  store: Pick<Store, "root" | "blobs">,
  onUnreadable?: OnUnreadable,
): Promise<readonly ImageReferences[]> {
  const entries = new Map<Digest, { readonly entry: Descriptor; isNamed: boolean; readonly names: string[] }>();
  for (const entry of readStoreIndex(store.root).manifests) {
    const known = entries.get(entry.digest) ?? { entry, isNamed: false, names: [] };
    const name = shownName(entry);
    if (name !== undefined) known.names.push(name);
    known.isNamed ||= name !== undefined;
    entries.set(entry.digest, known);
  }
  const images: ImageReferences[] = [];
  for (const [listed, { entry, isNamed, names }] of entries) {
    const found = { blobs: new Set<Digest>(), layers: new Set<Digest>() };
    try {
      await follow(store, entry, found, new Set());
    } catch (error) {
      if (onUnreadable === undefined || !(error instanceof TsbuildError)) throw error;
      onUnreadable(error);
    }
    images.push({ listed, entry, isNamed, names, ...found });
  }
  return images;
}

/**
 * What the containers that were kept stand on, and what they take. Throws INVALID_DOCUMENT where one's record cannot be read; where somebody is told of it, the container counts with what it
 * takes.
 */
export async function containerReferences(
  root: string,
  measure: Measure,
  onUnreadable?: OnUnreadable,
): Promise<readonly (References & { readonly bytes: number })[]> {
  const damaged: { readonly directory: string; readonly layers: readonly [] }[] = [];
  const onDamaged =
    onUnreadable &&
    (({ error, directory }: DamagedContainer) => {
      damaged.push({ directory, layers: [] });
      onUnreadable(error);
    });
  const references: (References & { readonly bytes: number })[] = [];
  for (const { layers, directory } of [...(await listContainers(root, onDamaged)), ...damaged]) {
    references.push({
      blobs: new Set(layers.map(({ blob }) => blob.digest)),
      layers: new Set(layers.map(({ diffId }) => diffId)),
      bytes: await measure(directory),
    });
  }
  return references;
}

interface Found {
  readonly blobs: Set<Digest>;
  readonly layers: Set<Digest>;
}

/** `read`: documents that were followed; the same bytes may be named as something else before. */
async function follow(
  store: Pick<Store, "root" | "blobs">,
  { mediaType, digest, size }: Descriptor,
  found: Found,
  read: Set<Digest>,
): Promise<void> {
  found.blobs.add(digest);
  const isDocument = isIndexType(mediaType) || isManifestType(mediaType);
  if (read.has(digest) || (!isDocument && !isConfigType(mediaType))) return;
  read.add(digest);
  const bytes = await readDocument(store, { mediaType, digest, size }, isDocument ? maxManifestBytes : maxConfigBytes);
  const { diffIds, descriptors } = bytes === undefined ? { diffIds: [], descriptors: [] } : referencesIn(bytes, digest);
  for (const diffId of diffIds) found.layers.add(diffId);
  for (const inner of descriptors) await follow(store, inner, found, read);
}

async function readDocument(store: Pick<Store, "blobs">, descriptor: Descriptor, limitBytes: number): Promise<Buffer | undefined> {
  try {
    return await store.blobs.readBytes(descriptor, limitBytes);
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    if (!(error instanceof TsbuildError)) throw error;
    throw new TsbuildError(error.code, `collecting garbage: ${error.message}`, {
      cause: error,
      hint: "tsbuild verify names what is damaged, tsbuild verify --repair takes it away",
    });
  }
}

/**
 * What a document of an image names. Less is asked of it than of an image that is to be used: whatever looks like a descriptor keeps its blob, in manifests of artifacts, too.
 */
export function referencesIn(
  bytes: Uint8Array,
  where: string,
): { readonly descriptors: readonly Descriptor[]; readonly diffIds: readonly Digest[] } {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (error) {
    throw new TsbuildError("INVALID_DOCUMENT", `collecting garbage: ${where} is not JSON`, {
      cause: error,
      hint: "tsbuild verify names what is damaged, tsbuild verify --repair takes it away",
    });
  }
  const { manifests, config, layers, blobs, rootfs } = fieldsOf(value);
  const descriptors = [manifests, layers, blobs, [config]].flatMap((list) => (Array.isArray(list) ? list.flatMap(descriptorOf) : []));
  const ids = fieldsOf(rootfs).diff_ids;
  return { descriptors, diffIds: Array.isArray(ids) ? ids.filter((id) => typeof id === "string" && isDigest(id)) : [] };
}

function descriptorOf(value: unknown): readonly Descriptor[] {
  const { mediaType = "", digest, size } = fieldsOf(value);
  if (typeof mediaType !== "string" || typeof digest !== "string" || !isDigest(digest) || typeof size !== "number") return [];
  return [{ mediaType, digest, size }];
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
