import type { BlobStore } from "./blobs.ts";
import { canonicalJson } from "./canonical-json.ts";
import { type Digest, digestOf } from "./digest.ts";
import { ImageNotFoundError, NotFoundError, TsbuildError } from "./errors.ts";
import { findByHex, findByName, type ImageQuery, parseImageQuery, queryText } from "./image-lookup.ts";
import { nameManifest, parseNewName, referenceOf, shownName, withoutName } from "./image-names.ts";
import { readStoreIndex, storeIndexWouldChange, updateStoreIndex } from "./layout.ts";
import { withLock } from "./lock.ts";
import { type Descriptor, type HistoryEntry, type ImageConfig, type Manifest, mediaTypes, type Platform } from "./oci.ts";
import {
  isConfigType,
  isIndexType,
  isManifestType,
  maxConfigBytes,
  maxManifestBytes,
  parseConfig,
  parseIndex,
  parseManifest,
} from "./oci-parse.ts";
import { bestForPlatform, machinePlatform, platformText } from "./platform.ts";
import { fullName } from "./reference.ts";
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
  /** As people write them: "app", "app:v1". */
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
  readonly imageId: Digest | undefined;
  readonly manifestDigest: Digest;
  /** RFC 3339, where the image says it. */
  readonly created: string | undefined;
  readonly platform: Platform | undefined;
  /** Of config and layers as they are stored; layers that repeat count once. */
  readonly sizeBytes: number;
  /** Why the image cannot be read; absent when all is well as far as manifest and config tell. */
  readonly damage?: string;
}

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
export interface RawImage {
  readonly manifestType: string;
  readonly rawManifest: Buffer;
  readonly rawConfig: Buffer;
  readonly names: readonly string[];
}

/** Images are entries of index.json. Names are read as Docker reads them; a name belongs to one image at a time. */
export interface ImageStore {
  /** In the order of index.json; an image with several names once. Artifacts that are no images are left out. */
  list(): Promise<readonly ImageSummary[]>;
  /**
   * By name, name@digest, digest, image id, or ≥ 4 of its hex digits; undefined when there is none. Of an index of several platforms, the
   * image of `platform` (absent: this machine's), else PLATFORM_NOT_FOUND; an image listed alone is taken whatever it is for. Throws
   * INVALID_REFERENCE, AMBIGUOUS_IMAGE, and what reading a damaged image throws.
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

  /** Of an index, the entry of the platform. */
  const manifestFor = async (entry: Descriptor, wanted = machinePlatform()): Promise<Descriptor> => {
    if (!isIndexType(entry.mediaType)) return entry;
    const index = parseIndex(await blobs.readBytes(entry, maxManifestBytes), entry.digest);
    const found = bestForPlatform(index.manifests, wanted);
    if (found !== undefined && isManifestType(found.mediaType)) return found;
    const offered = index.manifests.map(({ platform }) => (platform === undefined ? "unnamed" : platformText(platform)));
    throw new TsbuildError(
      "PLATFORM_NOT_FOUND",
      `opening image ${shownName(entry) ?? entry.digest}: it has ${offered.join(", ") || "no platforms"}, not ${platformText(wanted)}`,
    );
  };

  const read = async (entry: Descriptor, names: readonly string[], platform?: Platform): Promise<Image> => {
    const descriptor = await manifestFor(entry, platform);
    const rawManifest = await blobs.readBytes(descriptor, maxManifestBytes);
    const manifest = parseManifest(rawManifest, descriptor.digest);
    if (!isConfigType(manifest.config.mediaType)) {
      throw new TsbuildError(
        "NOT_AN_IMAGE",
        `opening ${names[0] ?? descriptor.digest}: it is an artifact of type ${manifest.config.mediaType}, no image`,
      );
    }
    const rawConfig = await blobs.readBytes(manifest.config, maxConfigBytes);
    return { ...imageOf(descriptor, rawManifest, rawConfig), names, listed: withoutName(entry) };
  };

  const namesOf = (entries: readonly Descriptor[], digest: Digest) =>
    entries.filter((entry) => entry.digest === digest).flatMap((entry) => shownName(entry) ?? []);

  const find = async (query: ImageQuery, platform: Platform | undefined): Promise<Image | undefined> => {
    const entries = manifests();
    const named = query.by === "name" ? findByName(entries, query.reference) : undefined;
    const hex = query.by === "hex" ? query.hex : query.orHex;
    const entry = named ?? (hex === undefined ? undefined : findByHex(await identified(entries), hex));
    return entry === undefined ? undefined : read(entry, namesOf(entries, entry.digest), platform);
  };

  const identified = async (entries: readonly Descriptor[]) =>
    Promise.all(entries.map(async (entry) => ({ entry, imageId: await imageIdOf(entry) })));

  /** Undefined for what cannot be read: one damaged image must not hide the others. */
  const imageIdOf = async (entry: Descriptor): Promise<Digest | undefined> => {
    try {
      const descriptor = await manifestFor(entry);
      return parseManifest(await blobs.readBytes(descriptor, maxManifestBytes), descriptor.digest).config.digest;
    } catch (error) {
      if (error instanceof TsbuildError) return undefined;
      throw error;
    }
  };

  const summary = async (entry: Descriptor, names: readonly string[]): Promise<ImageSummary | undefined> => {
    try {
      const { imageId, descriptor, manifest, config } = await read(entry, names);
      const sizes = new Map([manifest.config, ...manifest.layers].map(({ digest, size }) => [digest, size]));
      const { os, architecture, variant } = config;
      return {
        names,
        imageId,
        manifestDigest: descriptor.digest,
        created: config.created,
        platform: { os, architecture, ...(variant !== undefined && { variant }) },
        sizeBytes: [...sizes.values()].reduce((sum, size) => sum + size, 0),
      };
    } catch (error) {
      if (!(error instanceof TsbuildError)) throw error;
      if (error.code === "NOT_AN_IMAGE") return undefined;
      return {
        names,
        imageId: undefined,
        manifestDigest: entry.digest,
        created: undefined,
        platform: undefined,
        sizeBytes: 0,
        damage: error.message,
      };
    }
  };

  const putRaw = async ({ manifestType, rawManifest, rawConfig, names }: RawImage): Promise<Image> => {
    const references = names.map(parseNewName);
    const descriptor = { mediaType: manifestType, digest: digestOf(rawManifest), size: rawManifest.length };
    const image = imageOf(descriptor, rawManifest, rawConfig);
    const { os, architecture, variant } = image.config;
    const listed = { ...descriptor, platform: { os, architecture, ...(variant !== undefined && { variant }) } };
    const name = (entries: readonly Descriptor[]) => nameManifest(entries, listed, references);
    const write = async () => {
      for (const layer of image.manifest.layers) {
        if (!(await blobs.has(layer)))
          throw new NotFoundError(`storing image ${image.imageId}: its layer ${layer.digest} is not in the store ${root}`);
      }
      await Promise.all([blobs.putBytes(image.manifest.config.mediaType, rawConfig), blobs.putBytes(manifestType, rawManifest)]);
      await update(name);
    };
    // Shared, so that no collector runs between the look at the blobs and the entry that keeps them; where that entry is there already,
    // nothing can be collected.
    if (storeIndexWouldChange(root, name)) await withLock(storePaths.lock(root), "shared", write);
    else await write();
    return { ...image, names: namesOf(manifests(), descriptor.digest), listed };
  };

  return {
    async list() {
      const entries = manifests();
      const distinct = new Map(entries.map((entry) => [entry.digest, entry]));
      const summaries = await Promise.all([...distinct.values()].map((entry) => summary(entry, namesOf(entries, entry.digest))));
      return summaries.filter((found) => found !== undefined);
    },
    resolve: (text, platform) => find(parseImageQuery(text), platform),
    async open(text, platform) {
      const query = parseImageQuery(text);
      const image = await find(query, platform);
      if (image !== undefined) return image;
      throw new ImageNotFoundError(`looking for image "${text}": no image ${queryText(query)} in the store ${root}`, {
        hint: "tsbuild images lists what is there",
      });
    },
    async put({ config, layers, names, annotations }) {
      const rawConfig = canonicalJson(config);
      const rawManifest = canonicalJson({
        schemaVersion: 2,
        mediaType: mediaTypes.manifest,
        config: { mediaType: mediaTypes.config, digest: digestOf(rawConfig), size: rawConfig.length },
        layers: layers.map(ociLayer),
        annotations,
      });
      return putRaw({ manifestType: mediaTypes.manifest, rawManifest, rawConfig, names });
    },
    putRaw,
    async tag({ listed }, name) {
      const reference = parseNewName(name);
      await update((entries) => nameManifest(entries, listed, [reference]));
    },
    async untag(name) {
      const wanted = fullName(parseNewName(name));
      let found = false;
      await update((entries) => {
        const kept = entries.filter((entry) => {
          const reference = referenceOf(entry);
          return reference === undefined || fullName(reference) !== wanted;
        });
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

/** Pairs manifest, config and history. Throws INVALID_DOCUMENT when they do not fit each other. */
function imageOf(descriptor: Descriptor, rawManifest: Buffer, rawConfig: Buffer): Omit<Image, "names" | "listed"> {
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
