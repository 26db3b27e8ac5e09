import { imageOf } from "../images.ts";
import { formChange, type LayerForm } from "../layer-form.ts";
import { newIndex } from "../new-index.ts";
import type { Descriptor } from "../oci.ts";
import { isIndexType, maxConfigBytes, parseIndex, parseManifest } from "../oci-parse.ts";
import { platformOf } from "../platform.ts";
import type { Store } from "../store.ts";
import { blobPlaces } from "./blob-places.ts";
import type { ImageGraph } from "./image-graph.ts";
import { isImage } from "./manifest-type.ts";
import { annotationsAt, type PlacedAnnotation } from "./placed-annotations.ts";
import type { PlatformPush } from "./push-index.ts";

/** An index whose images are pushed one by one, since layers of them leave in another form. */
export interface PlainIndex {
  readonly platforms: readonly PlatformPush[];
  /** Those that the index has, and those that are asked for. */
  readonly annotations: readonly PlacedAnnotation[];
}

/**
 * The images of an index of the store that was made here: some layer is a plain tar of ours, which this form compresses. Undefined where all go as they are: of an index from elsewhere the
 * digests are known, and one that says more than we do, or lists more than images, cannot be made anew.
 */
export async function plainIndex(
  store: Store,
  { root, documents }: ImageGraph,
  annotations: readonly PlacedAnnotation[],
  form: LayerForm,
): Promise<PlainIndex | undefined> {
  const { manifests, annotations: own = {} } = parseIndex(root.bytes, root.descriptor.digest);
  const places = blobPlaces(store);
  const platforms: PlatformPush[] = [];
  let isPlain = false;
  for (const entry of manifests) {
    const document = documents.find(({ descriptor }) => descriptor.digest === entry.digest);
    if (document === undefined || isIndexType(entry.mediaType)) return undefined;
    const manifest = parseManifest(document.bytes, entry.digest);
    if (!isImage(manifest) || entry.platform?.os === "unknown") return undefined;
    const rawConfig = await store.blobs.readBytes(manifest.config, maxConfigBytes);
    const { layers, config } = imageOf(entry, document.bytes, rawConfig);
    for (const layer of layers) {
      if (formChange(layer, true, form) !== "none" && !(await places.cameFromRegistry(layer.blob.digest))) isPlain = true;
    }
    const platform = entry.platform ?? platformOf(config);
    const image = {
      rawConfig,
      layers,
      manifest: { mediaType: entry.mediaType, bytes: document.bytes },
      annotations: annotationsAt(annotations, "manifest", platform),
    };
    platforms.push({ platform, image, ...(entry.annotations === undefined ? {} : { annotations: entry.annotations }) });
  }
  const before = Object.entries(own).map(([key, value]): PlacedAnnotation => ({ level: "index", key, value }));
  return isPlain && isOurs(root, platforms, manifests, before) ? { platforms, annotations: [...before, ...annotations] } : undefined;
}

/** Whether we make this very index of what it lists, so that nothing of it is lost when it is made anew. */
function isOurs(
  { descriptor, bytes }: ImageGraph["root"],
  platforms: readonly PlatformPush[],
  manifests: readonly Descriptor[],
  annotations: readonly PlacedAnnotation[],
): boolean {
  const entries = manifests.flatMap((manifest, i) => {
    const platform = platforms[i]?.platform;
    return platform === undefined ? [] : [{ manifest, platform }];
  });
  return newIndex(entries, annotations, { name: descriptor.digest }).bytes.equals(bytes);
}
