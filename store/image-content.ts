import type { BlobStore } from "./blobs.ts";
import type { Digest } from "./digest.ts";
import type { Descriptor, Index, Platform } from "./oci.ts";
import { isManifestType, maxConfigBytes, maxManifestBytes, parseConfig, parseIndex, parseManifest } from "./oci-parse.ts";
import { platformOf } from "./platform.ts";
import { distinctOffers, offersOf } from "./platform-offers.ts";

/** One of the platforms that a listed image is for. */
export interface PlatformImage {
  /** What the index says, else the config; undefined where neither does. */
  readonly platform: Platform | undefined;
  /** Of the manifest. */
  readonly descriptor: Descriptor;
  /** Absent for a platform that was never fetched. */
  readonly imageId?: Digest;
  /** As of layersSize. Absent likewise. */
  readonly sizeBytes?: number;
}

/** What an entry of the list of images stands for. */
export interface ImageContent {
  /** In the order of the index; one for a manifest that is listed alone. */
  readonly platforms: readonly PlatformImage[];
  /** Of the index, or of the manifest that is listed alone. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Bytes of every blob that it is made of and that is here: indexes, manifests, configs and layers of all platforms. */
  readonly blobs: ReadonlyMap<Digest, number>;
}

/** Reads indexes and manifests, configs only where nothing else tells the platform. Throws as offersOf, and what reading a damaged document throws. */
export async function imageContent(entry: Descriptor, blobs: BlobStore): Promise<ImageContent> {
  const found = new Map<Digest, number>();
  let annotations: Readonly<Record<string, string>> = {};
  const readIndex = async (descriptor: Descriptor): Promise<Index | undefined> => {
    if (!(await blobs.has(descriptor))) return undefined;
    found.set(descriptor.digest, descriptor.size);
    const index = parseIndex(await blobs.readBytes(descriptor, maxManifestBytes), descriptor.digest);
    if (descriptor.digest === entry.digest) annotations = index.annotations ?? {};
    return index;
  };
  const platforms: PlatformImage[] = [];
  for (const offer of distinctOffers(await offersOf(entry, readIndex))) {
    if (!(await blobs.has(offer))) {
      platforms.push({ platform: offer.platform, descriptor: offer });
      continue;
    }
    const manifest = parseManifest(await blobs.readBytes(offer, maxManifestBytes), offer.digest);
    found.set(offer.digest, offer.size);
    for (const blob of [manifest.config, ...manifest.layers]) if (await blobs.has(blob)) found.set(blob.digest, blob.size);
    if (isManifestType(entry.mediaType)) annotations = manifest.annotations ?? {};
    platforms.push({
      platform: offer.platform ?? platformOf(parseConfig(await blobs.readBytes(manifest.config, maxConfigBytes), manifest.config.digest)),
      descriptor: offer,
      imageId: manifest.config.digest,
      sizeBytes: layersSize(manifest.layers),
    });
  }
  return { platforms, annotations, blobs: found };
}

/** What is called the size of an image wherever one is told: bytes of its layers as they are stored; those that repeat count once. */
export function layersSize(layers: readonly Pick<Descriptor, "digest" | "size">[]): number {
  const sizes = new Map(layers.map(({ digest, size }) => [digest, size]));
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

/** For each image the bytes that no other one has, and those that others have too. */
export function ownAndShared(
  images: readonly Pick<ImageContent, "blobs">[],
): readonly { readonly ownBytes: number; readonly sharedBytes: number }[] {
  const users = new Map<Digest, number>();
  for (const { blobs } of images) for (const digest of blobs.keys()) users.set(digest, (users.get(digest) ?? 0) + 1);
  return images.map(({ blobs }) => {
    let ownBytes = 0;
    let sharedBytes = 0;
    for (const [digest, size] of blobs) {
      if (users.get(digest) === 1) ownBytes += size;
      else sharedBytes += size;
    }
    return { ownBytes, sharedBytes };
  });
}
