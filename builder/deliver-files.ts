import type { ExportedRootfs, RootfsDestination } from "../store/archive/export-rootfs.ts";
import type { SavedDescriptor, SavedImage, SavedIndex } from "../store/archive/save.ts";
import type { LayerForm } from "../store/layer-form.ts";
import { platformText } from "../store/platform.ts";
import { isForeign } from "../store/registry/foreign-layer.ts";
import type { Store } from "../store/store.ts";
import { type DeliverOptions, missingOf } from "./deliver.ts";
import { type FinishedTarget, unstored } from "./finished-target.ts";
import type { BuildOutput } from "./options.ts";

type FileOutput = Extract<BuildOutput, { type: "oci" | "docker" | "tar" | "local" }>;
type ArchiveOutput = Extract<BuildOutput, { type: "oci" | "docker" }>;

/**
 * Writes archives and directories of all targets. Where there are several, an archive has them all, and files go to a folder for each, and in there for each of several platforms. Answers the
 * manifests and indexes as an archive has them, by target; none where no archive is written. Throws what saving and exporting throw.
 */
export async function deliverFiles(
  store: Store,
  targets: readonly FinishedTarget[],
  outputs: readonly BuildOutput[],
  options: DeliverOptions,
): Promise<readonly SavedDescriptor[]> {
  const wanted = outputs.filter(isFile);
  if (wanted.length === 0) return [];
  await fetchLayers(store, targets, options);
  let saved: readonly SavedDescriptor[] = [];
  for (const output of wanted) {
    if (output.type === "oci" || output.type === "docker") saved = await saveArchive(store, targets, output, options);
    else await exportFiles(store, targets, output, options);
  }
  return saved;
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
async function fetchLayers(store: Store, targets: readonly FinishedTarget[], { fetcher, signal }: DeliverOptions): Promise<void> {
  const layers = targets.flatMap(({ images }) => images).flatMap((image) => image.layers.filter(({ blob }) => !isForeign(blob)));
  const missing = await missingOf(store, layers);
  if (missing.length > 0) await (await fetcher()).fetch(missing, { exactBlobs: true, signal });
}

async function saveArchive(
  store: Store,
  targets: readonly FinishedTarget[],
  { type, to, format: documents = "oci", annotations, compression = type === "oci" ? "gzip" : "none", ...form }: ArchiveOutput,
  { signal }: DeliverOptions,
): Promise<readonly SavedDescriptor[]> {
  const { saveImages } = await import("../store/archive/save.ts");
  const layers: LayerForm = { ...form, compression };
  const saved = targets.flatMap(({ images, names, annotations: placed }): readonly (SavedImage | SavedIndex)[] => {
    const platforms = images.map((image) => ({ image: unstored(image, annotations), platform: image.platform }));
    return platforms.length > 1 ? [{ platforms, names, annotations: placed }] : platforms.map(({ image }) => ({ image, names }));
  });
  return saveImages(store, saved, to, { format: type, documents, layers, signal });
}

async function exportFiles(
  store: Store,
  targets: readonly FinishedTarget[],
  output: Exclude<FileOutput, ArchiveOutput>,
  { signal, onNote }: DeliverOptions,
): Promise<void> {
  const { exportRootfs } = await import("../store/archive/export-rootfs.ts");
  await exportRootfs(store, rootsOf(targets, output.platformSplit), filesTo(output), { signal, onNote });
}

/** "web/linux_arm64", as far as there are several of each. */
function rootsOf(targets: readonly FinishedTarget[], isSplit?: boolean): readonly ExportedRootfs[] {
  return targets.flatMap(({ target, images }) =>
    images.map(({ layers, platform }) => {
      const folders = [
        ...(targets.length === 1 ? [] : [target]),
        ...((isSplit ?? images.length > 1) ? [platformText(platform).replaceAll("/", "_")] : []),
      ];
      return folders.length === 0 ? { layers } : { layers, folder: folders.join("/") };
    }),
  );
}

function filesTo(output: Exclude<FileOutput, ArchiveOutput>): RootfsDestination {
  return output.type === "tar" ? output.to : { directory: output.directory };
}
