import type { BlobStore } from "./blobs.ts";
import { canonicalJson } from "./canonical-json.ts";
import { type Digest, digestOf } from "./digest.ts";
import { ImageNotFoundError, NotFoundError, TsbuildError } from "./errors.ts";
import { type ImageContent, imageContent, layersSize, ownAndShared, type PlatformImage } from "./image-content.ts";
import {
  type FoundEntry,
  findByHex,
  findByName,
  type Identified,
  type ImageQuery,
  parseImageQuery,
  queryName,
  queryText,
} from "./image-lookup.ts";
import { nameManifest, parseNewName, shownName, withoutName } from "./image-names.ts";
import { readStoreIndex, storeIndexWouldChange, updateStoreIndex } from "./layout.ts";
import { digestNamesOf, namesOf, parseListedName, removeName } from "./listed-names.ts";
import { withLock } from "./lock.ts";
import { type Descriptor, type HistoryEntry, type ImageConfig, type Manifest, mediaTypes, type Platform } from "./oci.ts";
import { isConfigType, isIndexType, maxConfigBytes, maxManifestBytes, parseConfig, parseIndex, parseManifest } from "./oci-parse.ts";
import { machinePlatform, platformOf, platformText } from "./platform.ts";
import { chooseOffer, offersOf, offersText } from "./platform-offers.ts";
import { type ListedIndex, type NewIndex, putIndex, type RawIndex, type RawManifest } from "./put-index.ts";
import type { Reference } from "./reference.ts";
import { forgetName } from "./remembered-names.ts";
import { storePaths } from "./store-paths.ts";

/** One layer of an image, as manifest, config and history together tell of it; bottom first in lists. */
export interface ImageLayer {
  readonly diffId: Digest;
  readonly blob: Descriptor;
  /** Absent where the history does not fit the layers. */
  readonly history?: HistoryEntry;
}

/** An image of the store, read and checked: raw bytes are the identity and are never written anew. */
export interface Image {
  /** As people write them: "app", "app:v1". Digests by which it was pulled are not among them. */
  readonly names: readonly string[];
  /** Of the manifest. */
  readonly descriptor: Descriptor;
  /** Of what index.json lists: the manifest, or the index of several platforms that holds it. */
  readonly listed: Descriptor;
  readonly manifest: Manifest;
  readonly rawManifest: Buffer;
  readonly config: ImageConfig;
  readonly rawConfig: Buffer;
  /** Digest of the config. */
  readonly imageId: Digest;
  readonly layers: readonly ImageLayer[];
}

export interface ImageSummary {
  readonly names: readonly string[];
  /** "app@sha256:…": where it was pulled by its digest. */
  readonly digestNames: readonly string[];
  readonly imageId: Digest | undefined;
  readonly manifestDigest: Digest;
  /** Of what index.json lists: the manifest, or the index that holds it. */
  readonly listedDigest: Digest;
  /** RFC 3339, where the image says it. */
  readonly created: string | undefined;
  readonly platform: Platform | undefined;
  /** As of layersSize. */
  readonly sizeBytes: number;
  /** All of its platforms, and what it is made of. */
  readonly platforms: readonly PlatformImage[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** Of the blobs of all its platforms that are here: those that no other listed image has, and those that others have too. */
  readonly ownBytes: number;
  readonly sharedBytes: number;
  /** Why the image cannot be read; absent when all is well as far as manifest and config tell. */
  readonly damage?: string;
}

/** Before it is known what other images have too. */
type Summary = Omit<ImageSummary, "ownBytes" | "sharedBytes"> & { readonly content: ImageContent["blobs"] };

/** An image to be: its config, and its layers' blobs, which are there already. */
export interface NewImage {
  readonly config: ImageConfig;
  /** Bottom first; as many as the config has diffIds. */
  readonly layers: readonly Descriptor[];
  /** None leaves the image untagged. */
  readonly names: readonly string[];
  /** Of the manifest. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** An image made elsewhere. */
export interface RawImage extends RawManifest {
  /** A name may end in the digest of what is listed: then the image has no tag by it, but is found under the whole name. */
  readonly names: readonly string[];
  /** Where the image is one of several platforms: the index that is listed for it, and those inside it on the way to the manifest. */
  readonly indexes?: readonly RawIndex[];
}

/** Images are entries of index.json. Names are read as Docker reads them; a name belongs to one image at a time. */
export interface ImageStore {
  /** In the order of index.json; an image with several names once. Artifacts that are no images are left out. */
  list(): Promise<readonly ImageSummary[]>;
  /**
   * By name, name@digest, digest, image id, or ≥ 4 of its hex digits; undefined when there is none. Of an index of several platforms, the
   * image that the digest or id is of, or that of `platform`: PLATFORM_NOT_FOUND when the index does not list it, undefined when it was not fetched. Absent: this machine's, else one
   * that is there. An image listed alone is taken whatever it is for. Throws INVALID_REFERENCE, AMBIGUOUS_IMAGE, and what reading a damaged image
   * throws.
   */
  resolve(text: string, platform?: Platform): Promise<Image | undefined>;
  /** The same, or ImageNotFoundError. */
  open(text: string, platform?: Platform): Promise<Image>;
  /**
   * Config, manifest, then the name, each whole before the next: whoever sees the image sees all of it. Throws NotFoundError when a layer's
   * blob is missing. A name moves here from whatever bore it; an image that so loses its last name leaves the list.
   */
  put(image: NewImage): Promise<Image>;
  /** The same for bytes that must stay as they are. */
  putRaw(image: RawImage): Promise<Image>;
  /** The same for an image of several platforms, with all of them at once. */
  putIndex(index: NewIndex): Promise<ListedIndex>;
  /** Adds a name to an image, or moves it there. */
  tag(image: Image, name: string): Promise<void>;
  /** Takes a name away; the image leaves the list when it was the last. False when no image has this name. */
  untag(name: string): Promise<boolean>;
  /** Takes the image and all its names off the list. Its blobs stay until garbage is collected. */
  remove(image: Image): Promise<void>;
}

export function imageStore(root: string, blobs: BlobStore, tempFile: () => Promise<string>): ImageStore {
  const update = (change: (manifests: readonly Descriptor[]) => readonly Descriptor[]) => updateStoreIndex(root, tempFile, change);
  const manifests = () => readStoreIndex(root).manifests;
  /** Before a name is given: what a registry said of it must not come back when the next step fails. */
  const forget = (names: readonly Reference[]) => {
    for (const name of names) forgetName(root, name);
  };

  /** Of an index, the entry of the platform. Undefined when it is not here: an index lists platforms that may never have been fetched. */
  const manifestFor = async (entry: Descriptor, wanted?: Platform): Promise<Descriptor | undefined> => {
    if (!isIndexType(entry.mediaType)) return entry;
    const offers = await offersOf(entry, async (index) =>
      index === entry || (await blobs.has(index)) ? parseIndex(await blobs.readBytes(index, maxManifestBytes), index.digest) : undefined,
    );
    const best = chooseOffer(offers, wanted ?? machinePlatform());
    if (best !== undefined && (await blobs.has(best))) return best;
    if (wanted === undefined) for (const offer of offers) if (await blobs.has(offer)) return offer;
    if (best !== undefined) return undefined;
    throw new TsbuildError(
      "PLATFORM_NOT_FOUND",
      `opening image ${shownName(entry) ?? entry.digest}: it has ${offersText(offers)}, not ${platformText(wanted ?? machinePlatform())}`,
    );
  };

  const read = async ({ entry, inner }: FoundEntry, names: readonly string[], platform?: Platform): Promise<Image | undefined> => {
    const descriptor = platform === undefined && inner !== undefined ? inner : await manifestFor(entry, platform);
    if (descriptor === undefined) return undefined;
    const rawManifest = await blobs.readBytes(descriptor, maxManifestBytes);
    const manifest = parseManifest(rawManifest, descriptor.digest);
    checkIsImage(manifest, `opening ${names[0] ?? descriptor.digest}`);
    const rawConfig = await blobs.readBytes(manifest.config, maxConfigBytes);
    return { ...imageOf(descriptor, rawManifest, rawConfig), names, listed: withoutName(entry) };
  };

  const find = async (query: ImageQuery): Promise<{ found: FoundEntry; names: readonly string[] } | undefined> => {
    const entries = manifests();
    const named = query.by === "name" ? findByName(entries, query.reference) : undefined;
    const hex = query.by === "hex" ? query.hex : query.orHex;
    const found =
      named !== undefined ? { entry: named } : hex === undefined ? undefined : await wholeOf(findByHex(await identified(entries), hex));
    return found === undefined ? undefined : { found, names: namesOf(entries, found.entry.digest) };
  };

  /** Several manifests of one config are the same image: the first will do whose layers are here, else the first. */
  const wholeOf = async (found: readonly FoundEntry[]): Promise<FoundEntry | undefined> => {
    for (const one of found.length > 1 ? found : []) {
      const layers = (await read(one, []))?.layers;
      if (layers !== undefined && (await Promise.all(layers.map(({ blob }) => blobs.has(blob)))).every(Boolean)) return one;
    }
    return found[0];
  };

  /** Each listed thing, and of an index each of its platforms that is here. */
  const identified = async (entries: readonly Descriptor[]): Promise<readonly Identified[]> => {
    const all = await Promise.all(
      entries.map(async (entry): Promise<readonly Identified[]> => {
        if (!isIndexType(entry.mediaType)) return [{ entry, imageId: (await platformsOf(entry))[0]?.imageId }];
        const here = (await platformsOf(entry)).filter(({ imageId }) => imageId !== undefined);
        const inner = here.map(({ descriptor, imageId }) => ({ entry, inner: descriptor, imageId }));
        return [{ entry, imageId: undefined }, ...inner];
      }),
    );
    return all.flat();
  };

  /** None for what cannot be read: one damaged image must not hide the others. */
  const platformsOf = async (entry: Descriptor): Promise<ImageContent["platforms"]> => {
    try {
      return (await imageContent(entry, blobs)).platforms;
    } catch (error) {
      if (error instanceof TsbuildError) return [];
      throw error;
    }
  };

  const summary = async (entry: Descriptor, entries: readonly Descriptor[]): Promise<Summary | undefined> => {
    const names = namesOf(entries, entry.digest);
    const digestNames = digestNamesOf(entries, entry.digest);
    try {
      const found = await read({ entry }, names);
      if (found === undefined) throw new NotFoundError(`opening image ${names[0] ?? entry.digest}: none of its platforms is in the store`);
      const { imageId, descriptor, manifest, config } = found;
      const { platforms, annotations, blobs: content } = await imageContent(entry, blobs);
      return {
        names,
        digestNames,
        imageId,
        manifestDigest: descriptor.digest,
        listedDigest: entry.digest,
        created: config.created,
        platform: platformOf(config),
        sizeBytes: layersSize(manifest.layers),
        platforms,
        annotations,
        labels: config.config?.Labels ?? {},
        content,
      };
    } catch (error) {
      if (!(error instanceof TsbuildError)) throw error;
      if (error.code === "NOT_AN_IMAGE") return undefined;
      return {
        names,
        digestNames,
        imageId: undefined,
        manifestDigest: entry.digest,
        listedDigest: entry.digest,
        created: undefined,
        platform: undefined,
        sizeBytes: 0,
        platforms: [],
        annotations: {},
        labels: {},
        content: new Map(),
        damage: error.message,
      };
    }
  };

  const putRaw = async ({ manifestType, rawManifest, rawConfig, names, indexes = [] }: RawImage): Promise<Image> => {
    const descriptor = descriptorOf(manifestType, rawManifest);
    const image = imageOf(descriptor, rawManifest, rawConfig);
    const [index] = indexes;
    const listed = index === undefined ? { ...descriptor, platform: platformOf(image.config) } : descriptorOf(index.mediaType, index.bytes);
    const references = names.map((name) => parseListedName(name, listed.digest));
    const name = (entries: readonly Descriptor[]) => nameManifest(entries, listed, references);
    const write = async () => {
      for (const layer of image.manifest.layers) {
        if (!(await blobs.has(layer)))
          throw new NotFoundError(`storing image ${image.imageId}: its layer ${layer.digest} is not in the store ${root}`);
      }
      const putConfig = blobs.putBytes(image.manifest.config.mediaType, rawConfig);
      // An index may be listed already, for another platform: there this one is as soon as its manifest is.
      if (index !== undefined) await putConfig;
      await Promise.all([putConfig, blobs.putBytes(manifestType, rawManifest)]);
      for (const { mediaType, bytes } of indexes) await blobs.putBytes(mediaType, bytes);
      forget(references);
    };
    // Shared, so that no collector runs between the look at the blobs and the entry that keeps them; where that entry is there already,
    // nothing can be collected, but of a platform that is new in a listed index.
    const isListed = () => index === undefined && !storeIndexWouldChange(root, name);
    if (isListed()) await write();
    // Also when somebody took it off the list meanwhile.
    if (!isListed()) {
      await withLock(storePaths.lock(root), "shared", async () => {
        await write();
        await update(name);
      });
    }
    return { ...image, names: namesOf(manifests(), listed.digest), listed };
  };

  return {
    async list() {
      const entries = manifests();
      const distinct = new Map(entries.map((entry) => [entry.digest, entry]));
      const found = (await Promise.all([...distinct.values()].map((entry) => summary(entry, entries)))).filter((one) => one !== undefined);
      const sizes = ownAndShared(found.map(({ content }) => ({ blobs: content })));
      return found.map(({ content: _, ...image }, i) => ({ ...image, ...(sizes[i] ?? { ownBytes: 0, sharedBytes: 0 }) }));
    },
    async resolve(text, platform) {
      const found = await find(parseImageQuery(text));
      return found === undefined ? undefined : read(found.found, found.names, platform);
    },
    async open(text, platform) {
      const query = parseImageQuery(text);
      const found = await find(query);
      const image = found === undefined ? undefined : await read(found.found, found.names, platform);
      if (image !== undefined) return image;
      if (found !== undefined) {
        const wanted = platformText(platform ?? machinePlatform());
        throw new ImageNotFoundError(`looking for image "${text}": it is in the store ${root}, but not for ${wanted}`, {
          hint: `tsbuild pull --platform ${wanted} ${queryName(query)}`,
        });
      }
      throw new ImageNotFoundError(`looking for image "${text}": no image ${queryText(query)} in the store ${root}`, {
        hint: "tsbuild images lists what is there",
      });
    },
    put: async (image) => putRaw(rawImageOf(image)),
    putRaw,
    putIndex: (index) => putIndex({ root, blobs, forget, update }, index),
    async tag({ listed, descriptor, manifest, imageId }, name) {
      const reference = parseNewName(name);
      forget([reference]);
      await withLock(storePaths.lock(root), "shared", async () => {
        // Whoever takes an image off the list may have its content collected.
        const isListed = manifests().some(({ digest }) => digest === listed.digest);
        for (const blob of isListed ? [] : [listed, descriptor, manifest.config, ...manifest.layers]) {
          if (!(await blobs.has(blob))) throw new NotFoundError(`naming image ${imageId}: it was removed, and its ${blob.digest} is gone`);
        }
        await update((entries) => nameManifest(entries, listed, [reference]));
      });
    },
    async untag(name) {
      const reference = parseNewName(name);
      forget([reference]);
      let found = false;
      await update((entries) => {
        const kept = removeName(entries, reference);
        found = kept.length < entries.length;
        return kept;
      });
      return found;
    },
    async remove({ listed }) {
      await update((entries) => entries.filter(({ digest }) => digest !== listed.digest));
    },
  };
}

/** The documents of a new image, in OCI's format. */
export function rawImageOf({ config, layers, names, annotations = {} }: NewImage): RawImage {
  const rawConfig = canonicalJson(config);
  const rawManifest = canonicalJson({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, digest: digestOf(rawConfig), size: rawConfig.length },
    layers: layers.map(ociLayer),
    // As a push writes it: the same image by every way.
    annotations: Object.keys(annotations).length === 0 ? undefined : annotations,
  });
  return { manifestType: mediaTypes.manifest, rawManifest, rawConfig, names };
}

function descriptorOf(mediaType: string, bytes: Buffer): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

/** Throws NOT_AN_IMAGE for charts, signatures and other artifacts. `doing` begins the message. */
export function checkIsImage({ config, artifactType }: Manifest, doing: string): void {
  if (isConfigType(config.mediaType)) return;
  throw new TsbuildError("NOT_AN_IMAGE", `${doing}: it is an artifact of type ${artifactType ?? config.mediaType}, no image`);
}

/** Pairs manifest, config and history. Throws INVALID_DOCUMENT when they do not fit each other. */
export function imageOf(descriptor: Descriptor, rawManifest: Buffer, rawConfig: Buffer): Omit<Image, "names" | "listed"> {
  const manifest = parseManifest(rawManifest, descriptor.digest);
  const imageId = manifest.config.digest;
  const config = parseConfig(rawConfig, imageId);
  const diffIds = config.rootfs.diff_ids;
  if (diffIds.length !== manifest.layers.length) {
    throw new TsbuildError(
      "INVALID_DOCUMENT",
      `reading the image ${descriptor.digest}: its manifest has ${manifest.layers.length} layers, its config ${diffIds.length}`,
    );
  }
  const filled = (config.history ?? []).filter((entry) => entry.empty_layer !== true);
  const layers = manifest.layers.map((blob, i) => {
    const history = filled.length === diffIds.length ? filled[i] : undefined;
    return { diffId: diffIds[i] as Digest, blob, ...(history !== undefined && { history }) };
  });
  return { descriptor: withoutName(descriptor), manifest, rawManifest, config, rawConfig, imageId, layers };
}

const ociTypes: Readonly<Record<string, string>> = {
  [mediaTypes.dockerLayerGzip]: mediaTypes.layerGzip,
  "application/vnd.docker.image.rootfs.diff.tar": mediaTypes.layer,
  "application/vnd.docker.image.rootfs.diff.tar.zstd": mediaTypes.layerZstd,
};

/** An OCI manifest lists OCI types only: the same bytes under OCI's word for them. */
function ociLayer(layer: Descriptor): Descriptor {
  return { ...layer, mediaType: ociTypes[layer.mediaType] ?? layer.mediaType };
}
