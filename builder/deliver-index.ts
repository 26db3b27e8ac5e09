import { canonicalJson } from "../store/canonical-json.ts";
import { type Digest, digestOf } from "../store/digest.ts";
import { newIndex } from "../store/new-index.ts";
import { mediaTypes } from "../store/oci.ts";
import { familiarName, parseReference } from "../store/reference.ts";
import type { Store } from "../store/store.ts";
import { type Delivered, type DeliverOptions, missingOf } from "./deliver.ts";
import { type FinishedTarget, unstored } from "./finished-target.ts";
import type { BuildOutput } from "./options.ts";
import { rewriteNotes } from "./rewrite-note.ts";

/** An index that is where it shall go; its imageId is its digest in the store, else in registries or an archive. */
export interface DeliveredIndex extends Delivered {
  /** In the order of the platforms. */
  readonly manifests: readonly { readonly imageId: Digest; readonly manifestDigest: Digest | undefined }[];
}

/** As deliver, for an image of several platforms: the store and registries get all of it before a name changes. */
export async function deliverIndex(
  store: Store,
  target: FinishedTarget,
  outputs: readonly BuildOutput[],
  options: DeliverOptions,
): Promise<DeliveredIndex> {
  const { names, annotations } = target;
  const images = target.images.map((image) => ({ ...unstored(image), platform: image.platform, finished: image }));
  const entries = images.map(({ descriptor, platform }) => ({ manifest: descriptor, platform }));
  const index = newIndex(entries, annotations, { name: names[0] ?? "the image" });
  const isStored = outputs.some(({ type }) => type === "image");
  // What the store gets has layers of its form; an archive's or a registry's are other manifests, and so another index.
  const { digest: imageId, manifests: saved = [] } = { digest: digestOf(index.bytes), ...(isStored ? {} : options.archived) };
  const isSomewhere = isStored || options.archived !== undefined;
  const manifests = images.map(({ imageId, descriptor }, i) => ({
    imageId,
    manifestDigest: saved[i] ?? (isSomewhere ? descriptor.digest : undefined),
  }));
  let delivered: DeliveredIndex = { imageId, manifestDigest: isSomewhere ? imageId : undefined, names, pushed: [], manifests };
  if (isStored) {
    const missing = await missingOf(
      store,
      target.images.flatMap(({ layers }) => layers),
    );
    if (missing.length > 0) await (await options.fetcher()).fetch(missing, { exactBlobs: true, signal: options.signal });
    const raw = images.map(({ rawManifest, rawConfig }) => ({ manifestType: mediaTypes.manifest, rawManifest, rawConfig }));
    await store.images.putIndex({ index, images: raw, names });
  }
  for (const output of outputs) {
    if (output.type !== "registry") continue;
    const pushed = await push(store, target, delivered, output, options);
    delivered = { ...delivered, ...pushed, ...(isStored ? {} : { imageId: pushed.manifestDigest }) };
  }
  return delivered;
}

async function push(
  store: Store,
  { images, names, annotations: placedAnnotations }: FinishedTarget,
  { manifests }: DeliveredIndex,
  { type: _type, format = "oci", annotations, ...form }: Extract<BuildOutput, { type: "registry" }>,
  { registry, fetcher, onEvent, onNote, signal }: DeliverOptions,
): Promise<Pick<DeliveredIndex, "pushed" | "manifests"> & { readonly manifestDigest: Digest }> {
  const { pushIndex } = await import("../store/registry/push-index.ts");
  const references = names.map(parseReference);
  const target = await registry();
  rewriteNotes(target, references).forEach(onNote);
  const platforms = images.map((image) => ({
    platform: image.platform,
    image: { rawConfig: canonicalJson(image.config), layers: image.layers, annotations: { ...image.annotations, ...annotations } },
  }));
  const pushed = await pushIndex(store, target, platforms, references, {
    ...form,
    format,
    placedAnnotations,
    fetcher: await fetcher(),
    onEvent,
    onNote,
    signal,
  });
  const { digest } = pushed.index;
  return {
    manifestDigest: digest,
    pushed: references.map((reference) => `${familiarName(reference)}@${digest}`),
    manifests: manifests.map((one, i) => ({ ...one, manifestDigest: pushed.manifests[i]?.digest ?? one.manifestDigest })),
  };
}
