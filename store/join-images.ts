import { TsbuildError } from "./errors.ts";
import { imageContent } from "./image-content.ts";
import { parseImageQuery } from "./image-lookup.ts";
import { withoutName } from "./image-names.ts";
import { type Image, imageOf } from "./images.ts";
import { type IndexEntry, newIndex } from "./new-index.ts";
import { maxConfigBytes, maxManifestBytes, parseManifest } from "./oci-parse.ts";
import { otherPlatforms } from "./other-platforms.ts";
import { openPinned } from "./pinned-image.ts";
import { platformOf, platformText } from "./platform.ts";
import type { ListedIndex, RawManifest } from "./put-index.ts";
import type { PlacedAnnotation } from "./registry/placed-annotations.ts";
import type { Store } from "./store.ts";

export interface JoinOptions {
  /** Those of the levels index and manifest-descriptor are taken. */
  readonly annotations?: readonly PlacedAnnotation[];
  /** Hears what is left out. */
  readonly onNote?: (message: string) => void;
}

/** One manifest of a source, whole in the store. */
interface Part extends IndexEntry, RawManifest {
  /** As the source was called. */
  readonly source: string;
}

/**
 * Gives a name to an index of images that the store has, in the order in which they are named. Of a source that is an index itself all platforms are taken that are here; a digest or id in it means
 * the one image. Manifests and layers stay as they are. Throws DUPLICATE_PLATFORM where two images are for the same platform, PLATFORM_NOT_FOUND for an annotation of one that is
 * not there, INVALID_REFERENCE, and what opening an image throws.
 */
export async function joinImages(
  store: Store,
  names: readonly string[],
  sources: readonly string[],
  { annotations = [], onNote = () => undefined }: JoinOptions = {},
): Promise<ListedIndex> {
  const parts = new Map<string, Part>();
  for (const source of sources) {
    for (const part of await partsOf(store, source, onNote)) {
      const platform = platformText(part.platform);
      const known = parts.get(platform);
      if (known === undefined) parts.set(platform, part);
      else if (known.manifest.digest !== part.manifest.digest) throw duplicate(names[0] ?? "the images", platform, known, part);
    }
  }
  const all = [...parts.values()];
  return store.images.putIndex({ index: newIndex(all, annotations, { name: names[0] ?? "the index" }), images: all, names });
}

async function partsOf(store: Store, source: string, onNote: (message: string) => void): Promise<readonly Part[]> {
  const image = await openPinned(store, source);
  if (!isWhole(image, source)) return [partOf(image, source)];
  const { platforms } = await imageContent(image.listed, store.blobs);
  const missing = new Set<string>();
  for (const { platform, isHere } of await otherPlatforms(store, image)) if (!isHere) missing.add(platform);
  for (const platform of missing) onNote(`${source}: ${platform} is not in the store: left out`);
  const parts: Part[] = [];
  for (const { descriptor, platform, imageId } of platforms) {
    const called = platform === undefined ? descriptor.digest : platformText(platform);
    if (imageId === undefined || missing.has(called)) continue;
    const rawManifest = await store.blobs.readBytes(descriptor, maxManifestBytes);
    const { config, layers } = parseManifest(rawManifest, descriptor.digest);
    await store.pin(descriptor.digest, config.digest, ...layers.map(({ digest }) => digest));
    const rawConfig = await store.blobs.readBytes(config, maxConfigBytes);
    const part = partOf(imageOf(descriptor, rawManifest, rawConfig), source);
    parts.push({ ...part, platform: platform ?? part.platform });
  }
  return parts;
}

/** Whether the source is the index that lists the image, and not the image alone. */
function isWhole({ listed, descriptor, imageId }: Image, source: string): boolean {
  if (listed.digest === descriptor.digest) return false;
  const query = parseImageQuery(source);
  if (query.by === "hex") return listed.digest.startsWith(`sha256:${query.hex}`);
  const { orHex } = query;
  return orHex === undefined || ![descriptor.digest, imageId].some((digest) => digest.startsWith(`sha256:${orHex}`));
}

function partOf({ descriptor, rawManifest, rawConfig, config }: Omit<Image, "names" | "listed">, source: string): Part {
  const manifest = withoutName(descriptor);
  return { source, manifest, platform: platformOf(config), manifestType: descriptor.mediaType, rawManifest, rawConfig };
}

function duplicate(name: string, platform: string, first: Part, second: Part): TsbuildError {
  const called = (part: Part) => `${part.source} (${part.manifest.digest})`;
  return new TsbuildError(
    "DUPLICATE_PLATFORM",
    `joining images as ${name}: two are for ${platform}: ${called(first)} and ${called(second)}`,
    { hint: "an index has one image for a platform: leave one out" },
  );
}
