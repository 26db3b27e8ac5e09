import type { SavedDescriptor } from "../store/archive/save.ts";
import { canonicalJson } from "../store/canonical-json.ts";
import { type Digest, digestOf } from "../store/digest.ts";
import { layersSize } from "../store/image-content.ts";
import type { ImageConfig } from "../store/oci.ts";
import type { LayerRef } from "../store/open-rootfs.ts";
import { familiarName, parseReference } from "../store/reference.ts";
import type { LayerFetcher } from "../store/registry/layer-fetcher.ts";
import type { Registry } from "../store/registry/registry.ts";
import type { TransferSink } from "../store/registry/transfer-event.ts";
import type { Store } from "../store/store.ts";
import type { BuildOutput } from "./options.ts";
import type { BuildEvent } from "./progress/event.ts";
import { rewriteNotes } from "./rewrite-note.ts";

/** A finished image that is nowhere yet. */
export interface FinishedImage {
  readonly config: ImageConfig;
  readonly layers: readonly LayerRef[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly names: readonly string[];
}

export interface DeliverOptions {
  readonly registry: () => Promise<Registry>;
  readonly fetcher: () => Promise<LayerFetcher>;
  readonly onEvent: TransferSink;
  /** Hears what a format has no place for. */
  readonly onNote: (message: string) => void;
  readonly signal: AbortSignal;
  /** As deliverFiles wrote it to an archive. Absent: to none. */
  readonly archived?: SavedDescriptor;
}

export interface Delivered {
  readonly imageId: Digest;
  /** Undefined: it has no manifest anywhere. */
  readonly manifestDigest: Digest | undefined;
  readonly names: readonly string[];
  /** Names with digests, as they can be pulled. */
  readonly pushed: readonly string[];
}

/** Puts an image where it shall go of its own: first into the store, which then has all of it, then to registries. A name changes last. Files are for deliverFiles. */
export async function deliver(
  store: Store,
  image: FinishedImage,
  outputs: readonly BuildOutput[],
  options: DeliverOptions,
): Promise<Delivered> {
  const imageId = digestOf(canonicalJson(image.config));
  let delivered: Delivered = { imageId, manifestDigest: options.archived?.digest, names: image.names, pushed: [] };
  if (outputs.some(({ type }) => type === "image")) {
    const missing = await missingOf(store, image.layers);
    if (missing.length > 0) await (await options.fetcher()).fetch(missing, { exactBlobs: true, signal: options.signal });
    const { config, annotations, names } = image;
    const stored = await store.images.put({ config, layers: image.layers.map(({ blob }) => blob), names, annotations });
    delivered = { ...delivered, manifestDigest: stored.descriptor.digest };
  }
  for (const output of outputs)
    if (output.type === "registry") delivered = { ...delivered, ...(await push(store, image, output, options)) };
  return delivered;
}

/** Those of a base that no step looked at, or that the store has in another form. */
export async function missingOf(store: Store, layers: readonly LayerRef[]): Promise<readonly LayerRef[]> {
  const missing: LayerRef[] = [];
  for (const layer of layers) if (!(await store.blobs.has(layer.blob))) missing.push(layer);
  return missing;
}

async function push(
  store: Store,
  image: FinishedImage,
  { type: _type, format = "oci", annotations, ...form }: Extract<BuildOutput, { type: "registry" }>,
  { registry, fetcher, onEvent, onNote, signal }: DeliverOptions,
): Promise<Pick<Delivered, "pushed"> & { readonly manifestDigest: Digest }> {
  const { pushImage } = await import("../store/registry/push.ts");
  const references = image.names.map(parseReference);
  const target = await registry();
  rewriteNotes(target, references).forEach(onNote);
  const pushable = { rawConfig: canonicalJson(image.config), layers: image.layers, annotations: { ...image.annotations, ...annotations } };
  const { digest } = await pushImage(store, target, pushable, references, {
    ...form,
    format,
    fetcher: await fetcher(),
    onEvent,
    onNote,
    signal,
  });
  return { manifestDigest: digest, pushed: references.map((reference) => `${familiarName(reference)}@${digest}`) };
}

export function imageEvent(
  { imageId, manifestDigest, names, pushed }: Delivered,
  layers: readonly LayerRef[],
  platforms?: readonly string[],
): Extract<BuildEvent, { type: "image" }> {
  return {
    type: "image",
    imageId,
    ...(manifestDigest === undefined ? {} : { manifestDigest }),
    names,
    pushed,
    sizeBytes: layersSize(layers.map(({ blob }) => blob)),
    ...(platforms === undefined ? {} : { platforms }),
  };
}
