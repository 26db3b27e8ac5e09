import type { RootfsDestination } from "../store/archive/export-rootfs.ts";
import type { Digest } from "../store/digest.ts";
import { digestOf } from "../store/digest.ts";
import { imageOf, rawImageOf } from "../store/images.ts";
import type { LayerForm } from "../store/layer-form.ts";
import { isForeign } from "../store/registry/foreign-layer.ts";
import type { Store } from "../store/store.ts";
import type { DeliverOptions, FinishedImage } from "./deliver.ts";
import { missingOf } from "./deliver.ts";
import type { BuildOutput, BuiltImage } from "./options.ts";

type NamedImage = FinishedImage & Pick<BuiltImage, "target">;
type FileOutput = Extract<BuildOutput, { type: "oci" | "docker" | "tar" | "local" }>;
type ArchiveOutput = Extract<BuildOutput, { type: "oci" | "docker" }>;

/**
 * Writes archives and directories of all targets. Where there are several, an archive has them all, and files go to a folder for each. Answers the manifests' digests as an archive
 * has them, by image; none where no archive is written. Throws what saving and exporting throw.
 */
export async function deliverFiles(
  store: Store,
  images: readonly NamedImage[],
  outputs: readonly BuildOutput[],
  options: DeliverOptions,
): Promise<readonly Digest[]> {
  const wanted = outputs.filter(isFile);
  if (wanted.length === 0) return [];
  await fetchLayers(store, images, options);
  let digests: readonly Digest[] = [];
  for (const output of wanted) {
    if (output.type === "oci" || output.type === "docker") digests = await saveArchive(store, images, output, options);
    else await exportFiles(store, images, output, options);
  }
  return digests;
}

/** Throws what deliverFiles would throw of where it writes to, after hours of building. Nothing is made or changed. */
export async function checkOutputs(outputs: readonly BuildOutput[]): Promise<void> {
  for (const output of outputs.filter(isFile)) {
    if (output.type === "oci" || output.type === "docker") (await import("../store/archive/save.ts")).checkSaveDestination(output.to);
    else (await import("../store/archive/export-rootfs.ts")).checkRootfsDestination(filesTo(output));
  }
}

function isFile(output: BuildOutput): output is FileOutput {
  return output.type === "oci" || output.type === "docker" || output.type === "tar" || output.type === "local";
}

/** The blobs themselves: what is in the store in another form would make another manifest. */
async function fetchLayers(store: Store, images: readonly NamedImage[], { fetcher, signal }: DeliverOptions): Promise<void> {
  const layers = images.flatMap((image) => image.layers.filter(({ blob }) => !isForeign(blob)));
  const missing = await missingOf(store, layers);
  if (missing.length > 0) await (await fetcher()).fetch(missing, { exactBlobs: true, signal });
}

async function saveArchive(
  store: Store,
  images: readonly NamedImage[],
  { type, to, format: documents = "oci", annotations, compression = type === "oci" ? "gzip" : "none", ...form }: ArchiveOutput,
  { signal }: DeliverOptions,
): Promise<readonly Digest[]> {
  const { saveImages } = await import("../store/archive/save.ts");
  const layers: LayerForm = { ...form, compression };
  const saved = images.map((image) => ({ image: unstored(image, annotations), names: image.names }));
  const descriptors = await saveImages(store, saved, to, { format: type, documents, layers, signal });
  return descriptors.map(({ digest }) => digest);
}

/** The image as the store would have it. */
function unstored({ config, layers, names, annotations }: FinishedImage, more: Readonly<Record<string, string>> = {}) {
  const blobs = layers.map(({ blob }) => blob);
  const image = { config, layers: blobs, names, annotations: { ...annotations, ...more } };
  const { manifestType, rawManifest, rawConfig } = rawImageOf(image);
  return imageOf({ mediaType: manifestType, digest: digestOf(rawManifest), size: rawManifest.length }, rawManifest, rawConfig);
}

async function exportFiles(
  store: Store,
  images: readonly NamedImage[],
  output: Exclude<FileOutput, ArchiveOutput>,
  { signal, onNote }: DeliverOptions,
): Promise<void> {
  const { exportRootfs } = await import("../store/archive/export-rootfs.ts");
  const roots = images.map(({ layers, target }) => ({ layers, ...(images.length === 1 ? {} : { folder: target }) }));
  await exportRootfs(store, roots, filesTo(output), { signal, onNote });
}

function filesTo(output: Exclude<FileOutput, ArchiveOutput>): RootfsDestination {
  return output.type === "tar" ? output.to : { directory: output.directory };
}
