import type { Digest } from "../digest.ts";
import { type BlobOrigin, contentOfPlaces } from "./blob-content.ts";
import type { BlobPlace, BlobPlaces } from "./blob-places.ts";
import type { ImageGraph } from "./image-graph.ts";
import { type PushingOptions, pushBlob } from "./push-blob.ts";
import { pushReferrer } from "./push-referrer.ts";
import type { Repository } from "./repository.ts";
import { together } from "./together.ts";

export interface ToRegistryOptions extends PushingOptions {
  /** Blobs at once. */
  readonly parallel: number;
  /** What is known of where blobs are; it learns where they are now. */
  readonly places?: BlobPlaces | undefined;
}

/**
 * Copies an image with all that belongs to it into a repository, byte for byte. Blobs first, then manifests, each behind what it lists, the root with its tags last. A blob of the
 * same registry is mounted; others go straight from where they are, checked on the way, and never touch the disk.
 */
export async function copyToRegistry(
  graph: ImageGraph,
  origin: BlobOrigin,
  repository: Repository,
  tags: readonly string[],
  options: ToRegistryOptions,
): Promise<void> {
  const { parallel, places, onEvent } = options;
  const here: BlobPlace = { registry: repository.registry, repository: repository.name };
  const from: BlobPlace = { registry: origin.registry, repository: origin.name };
  const known = async (digest: Digest) => (await places?.of(digest)) ?? [];
  const blobs = graph.blobs.toSorted((a, b) => b.size - a.size);
  await together(blobs, parallel, options.signal, async (blob, signal) => {
    const mountFrom = [from, ...(await known(blob.digest))];
    await pushBlob(repository, blob, (report) => contentOfPlaces([origin], blob, report.retry), { mountFrom, signal, onEvent });
    await places?.add([blob.digest], here, "sent");
  });
  for (const { descriptor, bytes } of graph.documents) {
    const isRoot = descriptor.digest === graph.root.descriptor.digest;
    await pushReferrer(repository, { mediaType: descriptor.mediaType, bytes }, isRoot ? tags : [], options);
  }
}
