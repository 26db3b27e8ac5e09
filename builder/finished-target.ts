import { digestOf } from "../store/digest.ts";
import { imageOf, rawImageOf } from "../store/images.ts";
import type { PlacedAnnotation } from "../store/registry/placed-annotations.ts";
import type { FinishedImage } from "./deliver.ts";
import type { PlatformImage } from "./finish-image.ts";

/** What was built of a target, and is nowhere yet. */
export interface FinishedTarget {
  /** As of BuiltImage. */
  readonly target: string;
  /** What it is called where it goes; none where no output has names. */
  readonly names: readonly string[];
  /** One; of several platforms one for each, in their order, which an index lists. */
  readonly images: readonly PlatformImage[];
  /** Those of the index, and of what it says of manifests, count here. */
  readonly annotations: readonly PlacedAnnotation[];
}

/** The image as the store would have it. `more`: annotations of its manifest, over its own. */
export function unstored({ config, layers, names, annotations }: FinishedImage, more: Readonly<Record<string, string>> = {}) {
  const blobs = layers.map(({ blob }) => blob);
  const image = { config, layers: blobs, names, annotations: { ...annotations, ...more } };
  const { manifestType, rawManifest, rawConfig } = rawImageOf(image);
  return imageOf({ mediaType: manifestType, digest: digestOf(rawManifest), size: rawManifest.length }, rawManifest, rawConfig);
}
