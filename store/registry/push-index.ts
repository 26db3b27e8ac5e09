import { digestOf } from "../digest.ts";
import { newIndex } from "../new-index.ts";
import type { Descriptor, Platform } from "../oci.ts";
import { fullName, type Reference } from "../reference.ts";
import type { Store } from "../store.ts";
import { checkPlatforms, type PlacedAnnotation } from "./placed-annotations.ts";
import { checkPushable, type PushableImage, type PushOptions, pushTo, targetsOf } from "./push.ts";
import { pushManifest } from "./push-blob.ts";
import type { Registry } from "./registry.ts";

/** One image of several, and what the index says that it is for. */
export interface PlatformPush {
  readonly image: PushableImage;
  readonly platform: Platform;
  /** What the index says of its manifest. Absent: nothing. */
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface PushIndexOptions extends PushOptions {
  /** Those of the levels index and manifest-descriptor are taken. */
  readonly placedAnnotations?: readonly PlacedAnnotation[];
}

/** What is in a registry now. */
export interface PushedIndex {
  readonly index: Descriptor;
  /** In the order of the images. */
  readonly manifests: readonly Descriptor[];
}

/**
 * Pushes an image for several platforms under all these names: each platform's as pushImage does it but without a tag, then the index with the tags. A layer that several platforms
 * have is sent once. Throws as pushImage, and PLATFORM_NOT_FOUND for an annotation of a platform that is not there.
 */
export async function pushIndex(
  store: Store,
  registry: Registry,
  platforms: readonly PlatformPush[],
  destinations: readonly Reference[],
  options: PushIndexOptions = {},
): Promise<PushedIndex> {
  const { format, placedAnnotations = [], signal, onEvent, onNote } = options;
  const targets = targetsOf(registry, destinations);
  const [first] = destinations;
  const name = first === undefined ? "an image" : fullName(first);
  // What cannot be said is refused before anything moves.
  for (const { image } of platforms) checkPushable(image, format);
  checkPlatforms(
    placedAnnotations,
    platforms.map(({ platform }) => platform),
    name,
  );
  const untagged = targets.map(({ repository }) => ({ repository, tags: [] }));
  const manifests: Descriptor[] = [];
  for (const { image } of platforms) manifests.push(await pushTo(store, registry, image, untagged, options));
  const entries = platforms.flatMap(({ platform, annotations }, i) => {
    const manifest = manifests[i];
    return manifest === undefined ? [] : [{ manifest: { ...manifest, ...(annotations && { annotations }) }, platform }];
  });
  const { notes, ...document } = newIndex(entries, placedAnnotations, { name, format });
  for (const note of notes) onNote?.(note);
  for (const { repository, tags } of targets) await pushManifest(repository, document, tags, { signal, onEvent });
  const { mediaType, bytes } = document;
  return { index: { mediaType, digest: digestOf(bytes), size: bytes.length }, manifests };
}
