import { lstatSync } from "node:fs";
import { join } from "node:path";
import { isSystemError } from "../runtime-addon/index.ts";
import { ociFiles } from "../store/archive/oci-files.ts";
import type { BlobSource } from "../store/blobs.ts";
import type { Digest } from "../store/digest.ts";
import { NotFoundError, TsbuildError } from "../store/errors.ts";
import { collect } from "../store/file-bytes.ts";
import { checkIsImage, type ImageLayer, imageOf } from "../store/images.ts";
import { checkOciLayout } from "../store/layout.ts";
import { type Descriptor, type Index, mediaTypes, type Platform } from "../store/oci.ts";
import { isIndexType, maxConfigBytes, maxManifestBytes, parseIndex, parseManifest } from "../store/oci-parse.ts";
import { machinePlatform, platformText } from "../store/platform.ts";
import { chooseOffer, offersOf, offersText } from "../store/platform-offers.ts";
import { layoutBlobs, readLayoutFile } from "../store/registry/layout-blobs.ts";
import { findEntry } from "../store/registry/layout-entries.ts";
import { manifestTypeOf } from "../store/registry/manifest-type.ts";
import { together } from "../store/registry/together.ts";
import type { Store } from "../store/store.ts";
import { type LayoutName, parseLayoutName } from "./context/layout-name.ts";
import type { FoundImage } from "./found-image.ts";

/** Layers that are read at once. */
const parallel = 4;

/**
 * An image of an OCI image layout: its layers are brought into the store, checked by digest, and pinned; nothing is named or listed there. Throws NotFoundError, PLATFORM_NOT_FOUND,
 * AMBIGUOUS_IMAGE, NO_IMAGES, NOT_AN_IMAGE, IntegrityError, and what reading a layer throws.
 */
export async function findInLayout(
  store: Store,
  name: string,
  platform: Platform = machinePlatform(),
  signal?: AbortSignal,
): Promise<FoundImage> {
  const wanted = parseLayoutName(name);
  const { directory } = wanted;
  checkOciLayout(readLayoutFile(directory, ociFiles.layout), `${directory}: oci-layout`);
  const blobs = layoutBlobs(directory);
  const manifest = await manifestOf(await entryOf(wanted, blobs, platform), blobs, directory, platform);
  const rawManifest = await readSmall(blobs, manifest, maxManifestBytes);
  const parsed = parseManifest(rawManifest, manifest.digest);
  checkIsImage(parsed, `reading ${name}`);
  const rawConfig = await readSmall(blobs, parsed.config, maxConfigBytes);
  const { config, layers, descriptor } = imageOf(manifest, rawManifest, rawConfig);
  await bringLayers(store, layers, blobs, signal);
  return { config, layers, descriptor };
}

/** What the name means in the layout: a manifest, or an index of several platforms. */
async function entryOf({ directory, tag, digest }: LayoutName, blobs: BlobSource, platform: Platform): Promise<Descriptor> {
  if (digest !== undefined) return descriptorOf(directory, digest, blobs);
  const index = parseIndex(readLayoutFile(directory, ociFiles.index), `${directory}: index.json`);
  if (tag !== undefined) return findEntry(index, tag, platform, directory);
  try {
    return findEntry(index, "latest", platform, directory);
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    return findEntry(index, undefined, platform, directory);
  }
}

/** Of a document that nothing but its digest names, and that index.json need not list. */
async function descriptorOf(directory: string, digest: Digest, blobs: BlobSource): Promise<Descriptor> {
  let size: number;
  try {
    size = lstatSync(join(directory, ociFiles.blob(digest))).size;
  } catch (error) {
    if (!isSystemError(error, "ENOENT", "ENOTDIR")) throw error;
    throw new NotFoundError(`reading the image layout ${directory}: blob ${digest} is not in it`);
  }
  const unnamed = { mediaType: mediaTypes.manifest, digest, size };
  const bytes = await readSmall(blobs, unnamed, maxManifestBytes);
  return { ...unnamed, mediaType: manifestTypeOf(bytes, undefined, `reading ${directory}: ${digest}`) };
}

async function manifestOf(entry: Descriptor, blobs: BlobSource, directory: string, platform: Platform): Promise<Descriptor> {
  // What stands alone is taken whatever it is for.
  if (!isIndexType(entry.mediaType)) return entry;
  const readIndex = async (descriptor: Descriptor): Promise<Index | undefined> =>
    (await blobs.has(descriptor)) ? parseIndex(await readSmall(blobs, descriptor, maxManifestBytes), descriptor.digest) : undefined;
  const offers = await offersOf(entry, readIndex);
  const best = chooseOffer(offers, platform);
  if (best !== undefined) return best;
  throw new TsbuildError("PLATFORM_NOT_FOUND", `reading ${directory}: it has ${offersText(offers)}, not ${platformText(platform)}`);
}

function readSmall(blobs: BlobSource, blob: Descriptor, limitBytes: number): Promise<Buffer> {
  const tooLong = () => new TsbuildError("TOO_LARGE", `reading ${blob.digest}: it has more than the ${limitBytes} bytes allowed here`);
  if (blob.size > limitBytes) throw tooLong();
  return collect(blobs.open(blob), limitBytes, tooLong);
}

async function bringLayers(store: Store, layers: readonly ImageLayer[], from: BlobSource, signal: AbortSignal | undefined): Promise<void> {
  await store.pin(...layers.flatMap(({ diffId, blob }) => [diffId, blob.digest]));
  const distinct = new Map(layers.map((layer) => [`${layer.diffId} ${layer.blob.digest}`, layer]));
  await together([...distinct.values()], parallel, signal, async ({ diffId, blob }, own) => {
    if (!(await store.blobs.has(blob))) await store.blobs.put(blob, from.open(blob, { signal: own }));
    await store.layers.ensure(diffId, blob, { signal: own });
  });
}
