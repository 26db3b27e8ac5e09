import type { Bytes } from "../blobs.ts";
import { digestOf } from "../digest.ts";
import type { Abortable } from "../file-bytes.ts";
import { formedLayer } from "../formed-layer.ts";
import type { Image } from "../images.ts";
import { compressionOf, type FormChange, formChange, type LayerForm } from "../layer-form.ts";
import type { Descriptor } from "../oci.ts";
import type { LayerRef } from "../open-rootfs.ts";
import { blobPlaces } from "../registry/blob-places.ts";
import { formatOf, type ImageFormat } from "../registry/convert.ts";
import { isForeign } from "../registry/foreign-layer.ts";
import { manifestWith } from "../registry/manifest-with.ts";
import type { Store } from "../store.ts";

/** What an archive is made of: an image of the store, or one whose layers are there and that nobody has named. */
export type SavableImage = Pick<Image, "descriptor" | "rawManifest" | "rawConfig" | "layers" | "config" | "imageId">;

/** In what form an image goes into an archive. */
export interface ArchiveForm {
  /** "docker" takes care that every `docker load` can read it: none reads zstd for sure, so such layers become plain where nothing else is asked for. Absent: "oci". */
  readonly format?: "oci" | "docker";
  /** Absent: layers are as they are in the store. */
  readonly layers?: LayerForm;
  /** Of the documents. Absent: as they are. */
  readonly documents?: ImageFormat;
}

/** An image as it is in an archive. */
export interface ArchivedImage {
  /** Of the manifest. */
  readonly descriptor: Descriptor;
  readonly rawManifest: Buffer;
  /** Bottom first. */
  readonly layers: readonly ArchivedLayer[];
}

interface ArchivedLayer {
  readonly blob: Descriptor;
  open(options: Abortable): Bytes;
  close(): Promise<void>;
}

/**
 * The image in the form asked for, which may be its own. The layers are to be closed. Throws NOT_CONVERTIBLE, IntegrityError, what compressing throws, and `signal.reason`; then
 * nothing is left open.
 */
export async function archivedImage(store: Store, image: SavableImage, form: ArchiveForm, options: Abortable): Promise<ArchivedImage> {
  const { rawConfig, descriptor, rawManifest } = image;
  const layers: ArchivedLayer[] = [];
  try {
    for (const layer of image.layers) layers.push(await archivedLayer(store, layer, await changeOf(store, layer, form), options));
    const blobs = layers.map(({ blob }) => blob);
    const manifest = { mediaType: descriptor.mediaType, bytes: rawManifest };
    const { mediaType, bytes } = manifestWith({ rawConfig, manifest }, blobs, form.documents ?? formatOf(descriptor.mediaType));
    return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, rawManifest: bytes, layers };
  } catch (error) {
    for (const layer of layers) await layer.close();
    throw error;
  }
}

async function changeOf(store: Store, layer: LayerRef, { format, layers: form }: ArchiveForm): Promise<FormChange> {
  const { diffId, blob } = layer;
  if (isForeign(blob)) return "none";
  const change = form === undefined ? "none" : formChange(layer, !(await blobPlaces(store).cameFromRegistry(blob.digest)), form);
  const isUnread = format === "docker" && form?.compression !== "zstd" && compressionOf(diffId, blob) === "zstd";
  return change === "none" && isUnread ? "plain" : change;
}

async function archivedLayer(store: Store, layer: LayerRef, change: FormChange, { signal }: Abortable): Promise<ArchivedLayer> {
  const { blob } = layer;
  if (change === "none") return { blob, open: (options) => store.blobs.open(blob, options), close: async () => undefined };
  const formed = await formedLayer(store, layer, change, { signal });
  return { blob: formed.blob, open: (options) => formed.open(0, options), close: formed.close };
}
