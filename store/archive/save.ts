import { renameSync } from "node:fs";
import { join } from "node:path";
import { isSystemError, removeTree } from "../../runtime-addon/index.ts";
import { canonicalJson } from "../canonical-json.ts";
import type { Digest } from "../digest.ts";
import type { Abortable } from "../file-bytes.ts";
import { nameManifest, parseNewName } from "../image-names.ts";
import type { Image } from "../images.ts";
import { emptyIndex, ociLayoutFile } from "../layout.ts";
import type { Lease } from "../lease.ts";
import { makeDirectories } from "../make-directories.ts";
import { nameSystemError } from "../name-system-error.ts";
import type { Descriptor } from "../oci.ts";
import { platformOf } from "../platform.ts";
import type { Store } from "../store.ts";
import { writeStream } from "../tee-file.ts";
import { pump, siblingOf, writeArchiveFile } from "./archive-file.ts";
import { type ArchivedImage, type ArchiveForm, archivedImage, type SavableImage } from "./archived-image.ts";
import { checkDestination, type Destination, pathOf } from "./check-destination.ts";
import { type DockerImage, dockerManifest, dockerRepositories } from "./docker-manifest.ts";
import { targetOf } from "./link-target.ts";
import { ociFiles } from "./oci-files.ts";
import { type OuterFile, outerTar, smallFile } from "./outer-tar-write.ts";
import { writeFailed } from "./write-failed.ts";

export interface SavedImage {
  readonly image: SavableImage & Partial<Pick<Image, "names">>;
  /** Names it has in the archive; absent: those of the store. */
  readonly names?: readonly string[];
}

export interface SaveOptions extends Abortable, ArchiveForm {}

/**
 * Where the images go. A file is an OCI archive, written as writeArchiveFile does it; a directory, an OCI image layout, which must
 * be missing or empty; a stream gets the archive's bytes and is ended.
 */
export type SaveDestination = Destination;

/**
 * Writes images with all their blobs, each checked on the way: IntegrityError and NotFoundError tell of a damaged store, and nothing is left
 * at the destination (a stream is destroyed). Rejects with `signal.reason` when aborted. The same images in the same form give the same bytes. The
 * archive also holds what `docker load` reads. Answers the manifests' descriptors as they are in there.
 */
export async function saveImages(
  store: Store,
  images: readonly SavedImage[],
  destination: SaveDestination,
  options: SaveOptions = {},
): Promise<readonly Descriptor[]> {
  checkSaveDestination(destination);
  await using _lease = await leaseOn(store, images);
  const archived: ArchivedImage[] = [];
  try {
    for (const { image } of images) archived.push(await archivedImage(store, image, options, options));
    await write(store, filesOf(images, archived, options), destination, options);
    return archived.map(({ descriptor }) => descriptor);
  } finally {
    for (const layer of archived.flatMap(({ layers }) => layers)) await layer.close();
  }
}

/** Throws what saveImages would throw of its destination. Nothing is made or changed. */
export function checkSaveDestination(destination: SaveDestination): void {
  if (!("stream" in destination)) checkDestination(destination, doing(destination));
}

function doing(destination: SaveDestination): string {
  return "stream" in destination ? "writing the archive" : `saving to ${pathOf(destination)}`;
}

async function write(store: Store, files: readonly OuterFile[], destination: SaveDestination, options: Abortable): Promise<void> {
  try {
    if ("stream" in destination) await pump(outerTar(files), destination.stream, options);
    else if ("directory" in destination) await saveDirectory(targetOf(pathOf(destination)), files, options);
    else await writeArchiveFile(pathOf(destination), outerTar(files), doing(destination), options);
  } catch (error) {
    // The store is only read: what cannot be written, or is not said of a file of its own, is the destination.
    if (!isSystemError(error) || error.path?.startsWith(`${store.root}/`)) throw nameSystemError(error, store.root);
    throw writeFailed(doing(destination), error);
  }
}

/** Undefined where nothing can be written, full or read-only: an image can be read all the same, and every blob is checked on the way. */
async function leaseOn(store: Store, images: readonly SavedImage[]): Promise<Lease | undefined> {
  let lease: Lease | undefined;
  try {
    lease = await store.lease();
    for (const { image } of images)
      await lease.pin(image.descriptor.digest, image.imageId, ...image.layers.flatMap(({ diffId, blob }) => [diffId, blob.digest]));
    return lease;
  } catch (error) {
    await lease?.close();
    if (isSystemError(error, "EROFS", "ENOSPC", "EDQUOT", "EACCES", "EPERM")) return undefined;
    throw error;
  }
}

function filesOf(images: readonly SavedImage[], archived: readonly ArchivedImage[], options: SaveOptions): OuterFile[] {
  const named = images.map(({ image, names }) => ({ image, references: (names ?? image.names ?? []).map(parseNewName) }));
  let manifests: readonly Descriptor[] = [];
  const docker: DockerImage[] = [];
  const blobs = new Map<Digest, OuterFile>();
  const add = (digest: Digest, sizeBytes: number, content: OuterFile["content"]) => {
    if (!blobs.has(digest)) blobs.set(digest, { name: ociFiles.blob(digest), sizeBytes, content });
  };
  for (const [i, { image, references }] of named.entries()) {
    const { descriptor, rawManifest, layers } = archived[i] as ArchivedImage;
    manifests = nameManifest(manifests, { ...descriptor, platform: platformOf(image.config) }, references);
    docker.push({ config: image.imageId, layers: layers.map(({ blob }) => blob.digest), names: references });
    add(descriptor.digest, rawManifest.length, [rawManifest]);
    add(image.imageId, image.rawConfig.length, [image.rawConfig]);
    for (const { blob, open } of layers) add(blob.digest, blob.size, open(options));
  }
  return [
    smallFile(ociFiles.layout, ociLayoutFile),
    smallFile(ociFiles.index, canonicalJson({ ...emptyIndex, manifests })),
    dockerManifest(docker),
    ...(options.format === "docker" ? [dockerRepositories(docker)] : []),
    ...blobs.values(),
  ];
}

/** In the place of an empty directory, or where there is none. */
async function saveDirectory(directory: string, files: readonly OuterFile[], options: Abortable): Promise<void> {
  const temp = siblingOf(directory);
  try {
    makeDirectories(join(temp, "blobs", "sha256"));
    for (const { name, content } of files) {
      // What is for `docker load` alone has no place in an image layout.
      if (name !== ociFiles.dockerManifest && name !== ociFiles.dockerRepositories)
        await writeStream(toAsync(content), join(temp, name), { sync: true, ...options });
    }
    // Onto an empty directory, rename(2) puts this one in its place.
    renameSync(temp, directory);
  } catch (error) {
    await removeTree(temp);
    throw error;
  }
}

async function* toAsync(content: OuterFile["content"]): AsyncGenerator<Uint8Array, void, undefined> {
  yield* content;
}
