import type { BlobStore } from "./blobs.ts";
import { digestOf } from "./digest.ts";
import { NotFoundError } from "./errors.ts";
import { nameManifest, parseNewName } from "./image-names.ts";
import { readStoreIndex } from "./layout.ts";
import { namesOf } from "./listed-names.ts";
import { withLock } from "./lock.ts";
import type { Descriptor } from "./oci.ts";
import { parseManifest } from "./oci-parse.ts";
import type { Reference } from "./reference.ts";
import { storePaths } from "./store-paths.ts";

/** An index as it came. */
export interface RawIndex {
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** A manifest and its config as they came. */
export interface RawManifest {
  readonly manifestType: string;
  readonly rawManifest: Buffer;
  readonly rawConfig: Buffer;
}

/** An image for several platforms: an index, and what it lists. */
export interface NewIndex {
  readonly index: RawIndex;
  /** One for each manifest of the index; their layers are in the store. */
  readonly images: readonly RawManifest[];
  /** None leaves the index untagged. */
  readonly names: readonly string[];
}

/** The parts of a store that an index is put into. */
export interface IndexPlace {
  readonly root: string;
  readonly blobs: BlobStore;
  /** Forgets what registries said of names. */
  forget(names: readonly Reference[]): void;
  update(change: (manifests: readonly Descriptor[]) => readonly Descriptor[]): Promise<void>;
}

/** What is listed. */
export interface ListedIndex {
  readonly listed: Descriptor;
  /** All that it has now. */
  readonly names: readonly string[];
}

/** ImageStore.putIndex. No collector runs between the look at the blobs and the entry that keeps them. */
export async function putIndex({ root, blobs, forget, update }: IndexPlace, { index, images, names }: NewIndex): Promise<ListedIndex> {
  const listed: Descriptor = { mediaType: index.mediaType, digest: digestOf(index.bytes), size: index.bytes.length };
  const references = names.map(parseNewName);
  await withLock(storePaths.lock(root), "shared", async () => {
    for (const image of images) await putImage({ root, blobs }, image);
    await blobs.putBytes(index.mediaType, index.bytes);
    forget(references);
    await update((entries) => nameManifest(entries, listed, references));
  });
  return { listed, names: namesOf(readStoreIndex(root).manifests, listed.digest) };
}

async function putImage(
  { root, blobs }: Pick<IndexPlace, "root" | "blobs">,
  { manifestType, rawManifest, rawConfig }: RawManifest,
): Promise<void> {
  const { config, layers } = parseManifest(rawManifest, digestOf(rawManifest));
  for (const layer of layers) {
    if (await blobs.has(layer)) continue;
    throw new NotFoundError(`storing image ${config.digest}: its layer ${layer.digest} is not in the store ${root}`);
  }
  await Promise.all([blobs.putBytes(config.mediaType, rawConfig), blobs.putBytes(manifestType, rawManifest)]);
}
