import { open } from "node:fs/promises";
import { removeTree, syncFileSystem } from "../../runtime-addon/index.ts";
import { syncFile } from "../atomic-file.ts";
import type { PlainLimits } from "../compression.ts";
import type { Digest } from "../digest.ts";
import { TsbuildError } from "../errors.ts";
import { type Abortable, collect, fileBytes } from "../file-bytes.ts";
import type { Image, RawImage } from "../images.ts";
import type { StagedLayer } from "../layers.ts";
import { checkOciLayout } from "../layout.ts";
import type { Descriptor, Platform } from "../oci.ts";
import { isConfigType, maxConfigBytes, maxManifestBytes, parseConfig, parseIndex, parseManifest } from "../oci-parse.ts";
import { platformMatch, platformOf, platformText } from "../platform.ts";
import type { Store } from "../store.ts";
import { type ArchiveContent, directoryContent, stageArchive } from "./archive-content.ts";
import { type ChosenImage, chooseImages, type LayoutDocuments, type LeftOut } from "./choose.ts";
import { namingSource } from "./naming-source.ts";

export type LoadSource = { readonly file: string } | { readonly directory: string } | { readonly stream: AsyncIterable<Uint8Array> };

export interface LoadOptions extends Abortable {
  readonly limits?: PlainLimits;
  /** Absent: this machine's, where there is a choice. */
  readonly platform?: Platform | undefined;
  /** Hears of each platform that is left out. */
  readonly onNote?: (message: string) => void;
}

/** Above this many blobs, one syncfs costs less than a flush of each. */
const manyBlobs = 16;

/**
 * Loads all images of an OCI archive or of one of Docker's own (a tar, itself plain or compressed), or of an OCI image layout or a "dir" of containers/image, for this machine's platform where there is a
 * choice, under the names they have there, which the answer has, too. Every blob is checked by digest and size, every layer's plain tar by diffId, before anything is
 * visible: a refused archive leaves nothing. Bytes of manifests and configs stay as they are. Throws PLATFORM_NOT_FOUND, NO_IMAGES, NOT_AN_IMAGE, NotFoundError, IntegrityError and what is wrong
 * with an archive.
 */
export function loadImages(store: Store, source: LoadSource, options: LoadOptions = {}): Promise<readonly Image[]> {
  const path = "file" in source ? source.file : "directory" in source ? source.directory : undefined;
  return namingSource("loading", path, store.root, () => loadFrom(store, source, options));
}

async function loadFrom(store: Store, source: LoadSource, options: LoadOptions): Promise<readonly Image[]> {
  const directory = await store.temp("load");
  const staged = new Map<Digest, StagedLayer>();
  try {
    const content = await contentOf(source, directory, options);
    checkOciLayout(content.layout, "the archive's oci-layout");
    const { images, leftOut, moreLeftOut } = await chooseImages(
      parseIndex(content.index, "index.json"),
      documentsOf(content),
      options.platform,
    );
    for (const one of leftOut) options.onNote?.(leftOutText(one));
    if (moreLeftOut > 0) options.onNote?.(`… and ${moreLeftOut} more`);
    const checked: RawImage[] = [];
    for (const image of images) checked.push(await check(store, content, image, staged, options));
    return await publish(store, content, checked, staged);
  } finally {
    for (const layer of staged.values()) layer.discard();
    await removeTree(directory);
  }
}

function contentOf(source: LoadSource, directory: string, options: LoadOptions): Promise<ArchiveContent> | ArchiveContent {
  if ("directory" in source) return directoryContent(source.directory, directory, options);
  return stageArchive("file" in source ? fileBytes(source.file, options) : source.stream, directory, options);
}

function documentsOf(content: ArchiveContent): LayoutDocuments {
  return {
    hasManifest: ({ digest }) => content.lists(digest),
    index: async (descriptor) =>
      content.lists(descriptor.digest) ? parseIndex(await readSmall(content, descriptor, maxManifestBytes), descriptor.digest) : undefined,
  };
}

function leftOutText({ name = "an image without a name", platform, isHere, isReachable, isOfIndex }: LeftOut): string {
  const all = isOfIndex ? ", tsbuild copy --all-platforms takes all" : "";
  const why = !isHere ? ": it is not in the archive" : isReachable ? `: --platform ${platform} takes it instead${all}` : "";
  return `${name}: ${platform} is left out${why}`;
}

async function check(
  store: Store,
  content: ArchiveContent,
  { manifest: descriptor, names }: ChosenImage,
  staged: Map<Digest, StagedLayer>,
  options: LoadOptions,
): Promise<RawImage> {
  const rawManifest = await readSmall(content, descriptor, maxManifestBytes);
  const manifest = parseManifest(rawManifest, descriptor.digest);
  if (!isConfigType(manifest.config.mediaType)) {
    throw new TsbuildError(
      "NOT_AN_IMAGE",
      `loading ${names[0] ?? descriptor.digest}: it is an artifact of type ${manifest.config.mediaType}, no image`,
    );
  }
  const rawConfig = await readSmall(content, manifest.config, maxConfigBytes);
  const config = parseConfig(rawConfig, manifest.config.digest);
  if (options.platform !== undefined && platformMatch(platformOf(config), options.platform) === undefined) {
    throw new TsbuildError(
      "PLATFORM_NOT_FOUND",
      `reading image ${names[0] ?? descriptor.digest}: it is for ${platformText(platformOf(config))} only, not ${platformText(options.platform)}`,
    );
  }
  const diffIds = config.rootfs.diff_ids;
  if (diffIds.length !== manifest.layers.length) {
    throw new TsbuildError(
      "INVALID_DOCUMENT",
      `loading ${descriptor.digest}: its manifest has ${manifest.layers.length} layers, its config ${diffIds.length}`,
    );
  }
  for (const [i, blob] of manifest.layers.entries()) {
    const diffId = diffIds[i] as Digest;
    const known = staged.get(blob.digest);
    if (known === undefined) {
      const tar = fileBytes(await content.stage(blob), options);
      staged.set(blob.digest, await store.layers.stage(diffId, blob, tar, options));
    } else if (known.diffId !== diffId) {
      throw new TsbuildError(
        "INVALID_DOCUMENT",
        `loading ${descriptor.digest}: layer ${blob.digest} is ${known.diffId}, its config says ${diffId}`,
      );
    }
  }
  return { manifestType: descriptor.mediaType, rawManifest, rawConfig, names };
}

async function readSmall(content: ArchiveContent, descriptor: Descriptor, limitBytes: number): Promise<Buffer> {
  const tooLong = () =>
    new TsbuildError("TOO_LARGE", `reading ${descriptor.digest}: ${descriptor.size} bytes are more than the ${limitBytes} allowed here`);
  if (descriptor.size > limitBytes) throw tooLong();
  return collect(content.blobs.open(descriptor), limitBytes, tooLong);
}

/** Blobs, then trees, then the names: each step stands on what is flushed already. */
async function publish(
  store: Store,
  content: ArchiveContent,
  checked: readonly RawImage[],
  staged: ReadonlyMap<Digest, StagedLayer>,
): Promise<readonly Image[]> {
  await using lease = await store.lease();
  await lease.pin(...[...staged.values()].flatMap(({ diffId, blob }) => [diffId, blob.digest]));
  const files = await Promise.all([...staged.values()].map(async ({ blob }) => ({ blob, file: await content.stage(blob) })));
  // Those too that are there: theirs were checked just now, and what lies in the store may have been damaged since it came.
  if (files.length > manyBlobs) await syncStore(store);
  else for (const { file } of files) await syncFile(file);
  for (const { blob, file } of files) await store.blobs.adopt(file, blob);
  for (const layer of staged.values()) await layer.publish();
  const images: Image[] = [];
  for (const image of checked) images.push({ ...(await store.images.putRaw(image)), names: image.names });
  return images;
}

async function syncStore(store: Store): Promise<void> {
  const handle = await open(store.root, "r");
  try {
    await syncFileSystem(handle.fd);
  } finally {
    await handle.close();
  }
}
