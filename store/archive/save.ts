import { renameSync } from "node:fs";
import { join } from "node:path";
import { isSystemError, removeTree } from "../../runtime-addon/index.ts";
import { canonicalJson } from "../canonical-json.ts";
import { type Digest, digestOf } from "../digest.ts";
import type { Abortable } from "../file-bytes.ts";
import { nameManifest, parseNewName } from "../image-names.ts";
import type { Image } from "../images.ts";
import { emptyIndex, ociLayoutFile } from "../layout.ts";
import type { Lease } from "../lease.ts";
import { makeDirectories } from "../make-directories.ts";
import { nameSystemError } from "../name-system-error.ts";
import { newIndex } from "../new-index.ts";
import type { Descriptor, Platform } from "../oci.ts";
import { platformOf } from "../platform.ts";
import type { Reference } from "../reference.ts";
import type { PlacedAnnotation } from "../registry/placed-annotations.ts";
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

/** An image for several platforms, of which the archive gets all, with an index that lists them. */
export interface SavedIndex {
  /** In the order of the list. */
  readonly platforms: readonly { readonly image: SavableImage; readonly platform: Platform }[];
  /** Those of the levels index and manifest-descriptor are taken. */
  readonly annotations?: readonly PlacedAnnotation[];
  readonly names: readonly string[];
}

/** What an archive lists. */
export interface SavedDescriptor extends Descriptor {
  /** Of an index: the digests of its manifests, in its order. */
  readonly manifests?: readonly Digest[];
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
 * archive also holds what `docker load` reads, which are images of one platform. Answers the descriptors of manifests and indexes as they are in there.
 */
export async function saveImages(
  store: Store,
  images: readonly (SavedImage | SavedIndex)[],
  destination: SaveDestination,
  options: SaveOptions = {},
): Promise<readonly SavedDescriptor[]> {
  checkSaveDestination(destination);
  const all = images.flatMap((one) => ("platforms" in one ? one.platforms.map(({ image }) => image) : [one.image]));
  await using _lease = await leaseOn(store, all);
  const archived = new Map<SavableImage, ArchivedImage>();
  try {
    for (const image of new Set(all)) archived.set(image, await archivedImage(store, image, options, options));
    const listed = images.map((one) => ("platforms" in one ? listedIndex(one, archived, options) : listedImage(one, archived)));
    await write(store, filesOf(listed, options), destination, options);
    return listed.map(savedAs);
  } finally {
    for (const { layers } of archived.values()) for (const layer of layers) await layer.close();
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
async function leaseOn(store: Store, images: readonly SavableImage[]): Promise<Lease | undefined> {
  let lease: Lease | undefined;
  try {
    lease = await store.lease();
    for (const image of images)
      await lease.pin(image.descriptor.digest, image.imageId, ...image.layers.flatMap(({ diffId, blob }) => [diffId, blob.digest]));
    return lease;
  } catch (error) {
    await lease?.close();
    if (isSystemError(error, "EROFS", "ENOSPC", "EDQUOT", "EACCES", "EPERM")) return undefined;
    throw error;
  }
}

/** What index.json lists, and what is in there for it. */
interface Listed {
  readonly descriptor: Descriptor;
  readonly references: readonly Reference[];
  readonly images: readonly { readonly image: SavableImage; readonly archived: ArchivedImage }[];
  /** Where there are several. */
  readonly index?: Buffer;
}

function listedImage({ image, names }: SavedImage, all: ReadonlyMap<SavableImage, ArchivedImage>): Listed {
  const archived = all.get(image) as ArchivedImage;
  return {
    descriptor: { ...archived.descriptor, platform: platformOf(image.config) },
    references: (names ?? image.names ?? []).map(parseNewName),
    images: [{ image, archived }],
  };
}

function listedIndex(
  { platforms, annotations = [], names }: SavedIndex,
  all: ReadonlyMap<SavableImage, ArchivedImage>,
  { documents = "oci" }: SaveOptions,
): Listed {
  const images = platforms.map(({ image, platform }) => ({ image, platform, archived: all.get(image) as ArchivedImage }));
  const entries = images.map(({ platform, archived }) => ({ manifest: archived.descriptor, platform }));
  const { mediaType, bytes } = newIndex(entries, annotations, { name: names[0] ?? "the image", format: documents });
  return {
    descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length },
    references: names.map(parseNewName),
    images,
    index: bytes,
  };
}

function savedAs({ descriptor: { mediaType, digest, size }, index, images }: Listed): SavedDescriptor {
  const saved = { mediaType, digest, size };
  return index === undefined ? saved : { ...saved, manifests: images.map(({ archived }) => archived.descriptor.digest) };
}

function filesOf(listed: readonly Listed[], options: SaveOptions): OuterFile[] {
  let manifests: readonly Descriptor[] = [];
  const docker: DockerImage[] = [];
  const blobs = new Map<Digest, OuterFile>();
  const add = (digest: Digest, sizeBytes: number, content: OuterFile["content"]) => {
    if (!blobs.has(digest)) blobs.set(digest, { name: ociFiles.blob(digest), sizeBytes, content });
  };
  for (const { descriptor, references, images, index } of listed) {
    manifests = nameManifest(manifests, descriptor, references);
    if (index !== undefined) add(descriptor.digest, index.length, [index]);
    for (const { image, archived } of images) {
      const { rawManifest, layers } = archived;
      if (index === undefined) docker.push({ config: image.imageId, layers: layers.map(({ blob }) => blob.digest), names: references });
      add(archived.descriptor.digest, rawManifest.length, [rawManifest]);
      add(image.imageId, image.rawConfig.length, [image.rawConfig]);
      for (const { blob, open } of layers) add(blob.digest, blob.size, open(options));
    }
  }
  return [
    smallFile(ociFiles.layout, ociLayoutFile),
    smallFile(ociFiles.index, canonicalJson({ ...emptyIndex, manifests })),
    ...(docker.length === 0 ? [] : [dockerManifest(docker)]),
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
