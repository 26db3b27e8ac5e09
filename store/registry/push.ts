import { digestOf } from "../digest.ts";
import { TsbuildError } from "../errors.ts";
import type { LayerForm } from "../layer-form.ts";
import type { Descriptor } from "../oci.ts";
import { parseManifest } from "../oci-parse.ts";
import type { LayerRef } from "../open-rootfs.ts";
import { fullName, type Reference } from "../reference.ts";
import type { Store } from "../store.ts";
import { formatOf, type ImageFormat } from "./convert.ts";
import type { LayerFetcher } from "./layer-fetcher.ts";
import { type ImageParts, manifestWith } from "./manifest-with.ts";
import { type PushingOptions, pushConfig, pushManifest } from "./push-blob.ts";
import { pushLayers } from "./push-layers.ts";
import type { Registry } from "./registry.ts";
import type { Repository } from "./repository.ts";

/** An image of one platform. Its layers are in the store, or where the options' fetcher says. */
export interface PushableImage extends ImageParts {
  /** Bottom first. */
  readonly layers: readonly LayerRef[];
}

export interface PushOptions extends PushingOptions, Partial<LayerForm> {
  /** Absent: that of the image's manifest, else "oci". */
  readonly format?: ImageFormat | undefined;
  /** Knows where layers can be had that the store lacks. */
  readonly fetcher?: LayerFetcher | undefined;
  /** Hears what the format has no place for. */
  readonly onNote?: ((message: string) => void) | undefined;
}

/** A repository and the tags that the image gets there. */
export interface PushTarget {
  readonly repository: Repository;
  readonly tags: readonly string[];
}

/**
 * Pushes an image under all these names, and answers its manifest as it is there. Layers, then the config, then the manifest, then the tags: a registry never sees a manifest whose
 * blobs are not all there. What a repository has is not sent; a layer that another repository of the same registry has is mounted; one that goes to several registries is
 * compressed once. Plain tars of ours are compressed with gzip where nothing else is said. Throws INVALID_REFERENCE for a name with a digest, NOT_CONVERTIBLE, and as pushLayers.
 */
export async function pushImage(
  store: Store,
  registry: Registry,
  image: PushableImage,
  destinations: readonly Reference[],
  options: PushOptions = {},
): Promise<Descriptor> {
  const targets = targetsOf(registry, destinations);
  // What cannot be said in the format is refused before anything moves.
  checkPushable(image, options.format);
  return pushTo(store, registry, image, targets, options);
}

/** Throws NOT_CONVERTIBLE for what the format cannot say of the image. */
export function checkPushable(image: PushableImage, format: PushOptions["format"]): void {
  const blobs = image.layers.map(({ blob }) => blob);
  manifestWith(image, blobs, formatFor(image, format));
}

/** As pushImage, to where nothing needs to have a tag. */
export async function pushTo(
  store: Store,
  registry: Registry,
  image: PushableImage,
  targets: readonly PushTarget[],
  options: PushOptions,
): Promise<Descriptor> {
  const { compression = "gzip", signal, onEvent, onNote } = options;
  await store.pin(...image.layers.flatMap(({ diffId, blob }) => [diffId, blob.digest]));
  const repositories = targets.map(({ repository }) => repository);
  // One more than are sent at once: it is compressed meanwhile.
  const parallel = registry.settings.parallel + 1;
  const layers = await pushLayers(store, repositories, image.layers, { ...options, compression, parallel });
  const { notes, ...document } = manifestWith(image, layers, formatFor(image, options.format));
  for (const note of notes) onNote?.(note);
  const configType = parseManifest(document.bytes, "made for a push").config.mediaType;
  for (const { repository, tags } of targets) {
    await pushConfig(repository, configType, image.rawConfig, { signal, onEvent });
    await pushManifest(repository, document, tags, { signal, onEvent });
  }
  return { mediaType: document.mediaType, digest: digestOf(document.bytes), size: document.bytes.length };
}

function formatFor({ manifest }: PushableImage, asked: PushOptions["format"]): ImageFormat {
  return asked ?? (manifest === undefined ? "oci" : formatOf(manifest.mediaType));
}

/** The names by repository, in the order in which they came. Throws INVALID_REFERENCE. */
export function targetsOf(registry: Registry, destinations: readonly Reference[]): readonly PushTarget[] {
  if (destinations.length === 0) throw new TsbuildError("INVALID_REFERENCE", "pushing an image: it has no name to be pushed under");
  const targets = new Map<string, { repository: Repository; tags: Set<string> }>();
  for (const reference of destinations) {
    const { registry: host, repository: name, tag = "latest", digest } = reference;
    if (digest !== undefined) {
      throw new TsbuildError("INVALID_REFERENCE", `pushing to ${fullName(reference)}: a digest cannot be chosen`, {
        hint: "push under a tag; the digest is printed then",
      });
    }
    const known = targets.get(`${host}/${name}`);
    if (known === undefined) targets.set(`${host}/${name}`, { repository: registry.repository(reference), tags: new Set([tag]) });
    else known.tags.add(tag);
  }
  return [...targets.values()].map(({ repository, tags }) => ({ repository, tags: [...tags] }));
}
