import type { Digest } from "../digest.ts";
import { IntegrityError, NotFoundError, TsbuildError } from "../errors.ts";
import type { Abortable } from "../file-bytes.ts";
import type { Descriptor, Platform } from "../oci.ts";
import { isIndexType, parseIndex, parseManifest } from "../oci-parse.ts";
import { platformText } from "../platform.ts";
import { chooseOffer, offersOf, offersText } from "../platform-offers.ts";
import type { BlobOrigin } from "./blob-content.ts";
import { isForeign } from "./foreign-layer.ts";
import type { RemoteManifest } from "./repository.ts";

/** Where an image can be read from: a registry, a store, a layout, an archive. All of it is checked against its descriptor. */
export interface ImageReader extends BlobOrigin {
  /** "host/app", "store:app": for messages. */
  readonly label: string;
  /** A manifest or index; undefined when it is not there. */
  manifest(descriptor: Descriptor, options?: Abortable): Promise<RemoteManifest | undefined>;
}

/** All that an image consists of. */
export interface ImageGraph {
  /** The manifest or index itself. */
  readonly root: RemoteManifest;
  /** Manifests and indexes, each behind what it lists; the root last. */
  readonly documents: readonly RemoteManifest[];
  /** What the manifests list: configs and layers of whatever kind, each once. Foreign layers are left out: nobody gives them on. */
  readonly blobs: readonly Descriptor[];
}

const maxDepth = 4;
const maxDocuments = 1000;
const maxDocumentBytes = 64 * 2 ** 20;

/**
 * Reads all manifests of an image: every platform, indexes in indexes, attestations. Throws NotFoundError for one that is not there, INVALID_DOCUMENT, TOO_LARGE, and what the
 * reader throws.
 */
export async function readGraph(reader: ImageReader, root: RemoteManifest, { signal }: Abortable = {}): Promise<ImageGraph> {
  const documents = new Map<Digest, RemoteManifest>();
  let left = maxDocumentBytes;
  const visit = async (document: RemoteManifest, depth: number): Promise<void> => {
    const { digest, mediaType } = document.descriptor;
    if (depth > maxDepth)
      throw new TsbuildError("INVALID_DOCUMENT", `reading the index ${root.descriptor.digest}: more than ${maxDepth} levels of indexes`);
    left -= document.bytes.length;
    if (documents.size >= maxDocuments || left < 0) {
      throw new TsbuildError(
        "TOO_LARGE",
        `reading the index ${root.descriptor.digest}: more than ${maxDocuments} manifests or ${maxDocumentBytes} bytes of them`,
      );
    }
    const inner = isIndexType(mediaType) ? parseIndex(document.bytes, digest).manifests : [];
    for (const entry of inner) {
      const known = documents.get(entry.digest)?.descriptor;
      if (known === undefined) await visit(await needManifest(reader, entry, { signal }), depth + 1);
      else checkSize(entry, known);
    }
    documents.set(digest, document);
  };
  await visit(root, 1);
  return graphOf(root, [...documents.values()]);
}

/** The image of one platform, as an image of its own. A manifest that is named itself is taken whatever it is for. Throws PLATFORM_NOT_FOUND, and as readGraph. */
export async function platformGraph(
  reader: ImageReader,
  root: RemoteManifest,
  platform: Platform,
  options: Abortable = {},
): Promise<ImageGraph> {
  const { manifest } = await choosePlatform(reader, root, platform, options);
  return graphOf(manifest, [manifest]);
}

/** The same with the indexes on the way to it: what the root lists besides is left out. */
export async function sparseGraph(
  reader: ImageReader,
  root: RemoteManifest,
  platform: Platform,
  options: Abortable = {},
): Promise<ImageGraph> {
  const { manifest, indexes } = await choosePlatform(reader, root, platform, options);
  return graphOf(root, [manifest, ...indexes.toReversed()]);
}

/** What is in these documents. */
export function graphOf(root: RemoteManifest, documents: readonly RemoteManifest[]): ImageGraph {
  const blobs = new Map<Digest, Descriptor>();
  for (const { descriptor, bytes } of documents) {
    if (isIndexType(descriptor.mediaType)) continue;
    const { config, layers } = parseManifest(bytes, descriptor.digest);
    for (const blob of [...layers, config]) {
      if (isForeign(blob)) continue;
      checkSize(blob, blobs.get(blob.digest) ?? blob);
      blobs.set(blob.digest, blob);
    }
  }
  return { root, documents, blobs: [...blobs.values()] };
}

/** Each thing is read once; what names it again must say the same of its length. */
function checkSize({ digest, size }: Descriptor, known: Descriptor): void {
  if (size !== known.size) throw new IntegrityError(`reading an image: ${digest}`, `${size} bytes`, `${known.size}`);
}

async function choosePlatform(
  reader: ImageReader,
  root: RemoteManifest,
  platform: Platform,
  options: Abortable,
): Promise<{ readonly manifest: RemoteManifest; readonly indexes: readonly RemoteManifest[] }> {
  if (!isIndexType(root.descriptor.mediaType)) return { manifest: root, indexes: [] };
  const indexes: RemoteManifest[] = [];
  const offers = await offersOf(root.descriptor, async (descriptor) => {
    const index = descriptor.digest === root.descriptor.digest ? root : await needManifest(reader, descriptor, options);
    indexes.push(index);
    return parseIndex(index.bytes, descriptor.digest);
  });
  const offer = chooseOffer(offers, platform);
  if (offer !== undefined) return { manifest: await needManifest(reader, offer, options), indexes };
  throw new TsbuildError(
    "PLATFORM_NOT_FOUND",
    `reading image ${reader.label}: it has ${offersText(offers)}, not ${platformText(platform)}`,
  );
}

async function needManifest(reader: ImageReader, descriptor: Descriptor, options: Abortable): Promise<RemoteManifest> {
  const found = await reader.manifest(descriptor, options);
  if (found !== undefined) return found;
  throw new NotFoundError(`reading image ${reader.label}: its index lists ${descriptor.digest}, which is not there`);
}
