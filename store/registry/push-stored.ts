import type { Descriptor, Platform } from "../oci.ts";
import { isIndexType } from "../oci-parse.ts";
import { openPinned } from "../pinned-image.ts";
import type { Reference } from "../reference.ts";
import type { Store } from "../store.ts";
import { blobPlaces } from "./blob-places.ts";
import { checkStoredPlatform } from "./check-platform.ts";
import { annotateGraph, convertGraph } from "./convert-graph.ts";
import { copyToRegistry } from "./copy-to-registry.ts";
import { annotationsAt, checkWithoutIndex, manifestAnnotations, type PlacedAnnotation } from "./placed-annotations.ts";
import { plainIndex } from "./plain-index.ts";
import { type PushOptions, pushImage, targetsOf } from "./push.ts";
import { pushIndex } from "./push-index.ts";
import type { Registry } from "./registry.ts";
import { storedGraph } from "./stored-graph.ts";

export interface PushStoredOptions extends Omit<PushOptions, "fetcher"> {
  /** Absent: all platforms where the store has them all, else the one that is there. */
  readonly platform?: Platform | undefined;
  /** All platforms or none: PLATFORM_NOT_FOUND where the store does not have them all. `platform` counts first. Absent: what is there. */
  readonly allPlatforms?: boolean | undefined;
  /** Of the manifest, of each platform's where there are several; added to those that it has. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Those of the index and of single platforms too; beside `annotations`, and over them. */
  readonly placedAnnotations?: readonly PlacedAnnotation[];
}

/**
 * Pushes an image of the store by its name. What was pulled keeps its bytes and digests; an index goes whole where the store has all that it lists: one from elsewhere with its layers as they are, of one that was
 * made here each image as pushImage sends it. Throws
 * PLATFORM_NOT_FOUND, NotFoundError where an annotation is for an index that there is none of, and as ImageStore.open and pushImage.
 */
export async function pushStored(
  store: Store,
  registry: Registry,
  name: string,
  destinations: readonly Reference[],
  options: PushStoredOptions = {},
): Promise<Descriptor> {
  const { platform, onNote, format } = options;
  const annotations = [...manifestAnnotations(options.annotations ?? {}), ...(options.placedAnnotations ?? [])];
  const targets = targetsOf(registry, destinations);
  const image = await openPinned(store, name, platform);
  if (platform !== undefined) checkStoredPlatform(image, platform, name);
  const stored = platform === undefined ? await storedGraph(store, image, name, options.allPlatforms ? "all" : "any") : undefined;
  for (const note of stored?.notes ?? []) onNote?.(note);
  if (stored === undefined || !isIndexType(stored.graph.root.descriptor.mediaType)) {
    const { rawConfig, layers, rawManifest, config } = image;
    checkWithoutIndex(annotations, config, name);
    const manifest = { mediaType: image.descriptor.mediaType, bytes: rawManifest };
    const own = annotationsAt(annotations, "manifest", config);
    return pushImage(store, registry, { rawConfig, layers, manifest, annotations: own }, destinations, options);
  }
  const { compression = "gzip" } = options;
  const plain = await plainIndex(store, stored.graph, annotations, { compression });
  if (plain !== undefined) {
    const placed = { ...options, placedAnnotations: plain.annotations };
    return (await pushIndex(store, registry, plain.platforms, destinations, placed)).index;
  }
  if (options.forceCompression === true || options.compression === "zstd") {
    onNote?.(`${name} is for several platforms: its layers go as they are, without another compression`);
  }
  const { graph: formatted, notes } = format === undefined ? { graph: stored.graph, notes: [] } : convertGraph(stored.graph, format);
  const { graph, notes: left } = annotateGraph(formatted, annotations, name);
  for (const note of [...notes, ...left]) onNote?.(note);
  const places = blobPlaces(store);
  for (const { repository, tags } of targets) {
    await copyToRegistry(graph, stored.reader, repository, tags, { ...options, parallel: registry.settings.parallel, places });
  }
  const { mediaType, digest, size } = graph.root.descriptor;
  return { mediaType, digest, size };
}
