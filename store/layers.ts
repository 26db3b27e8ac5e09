import { renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomically, writeTempChunks } from "./atomic-file.ts";
import type { BlobStore, Bytes } from "./blobs.ts";
import type { PlainLimits } from "./compression.ts";
import { recallCompressions } from "./compression-records.ts";
import { type Digest, hexOf } from "./digest.ts";
import { discardFile } from "./discard.ts";
import { IntegrityError, NotFoundError, TsbuildError } from "./errors.ts";
import type { Abortable } from "./file-bytes.ts";
import { fileSize, readIfThere } from "./if-there.ts";
import { markUsed } from "./last-use.ts";
import { contentsBytes, writeContents } from "./layer/sparse-contents.ts";
import { decodeTree, encodeTree, type Tree } from "./layer/tree.ts";
import { type LayerDirectories, layerDirectories } from "./layer-directories.ts";
import { encodeLayerInfo, readLayerInfo, type StoredLayerInfo } from "./layer-info.ts";
import { makeDirectories } from "./make-directories.ts";
import { type Descriptor, mediaTypes } from "./oci.ts";
import { storePaths } from "./store-paths.ts";
import { writeStream } from "./tee-file.ts";
import { plainLimitsOf, type UnpackLimits } from "./unpack-limits.ts";
import { blameDamage, verified } from "./verified.ts";

/** A layer by its two ids, and its bytes. */
export interface LayerInfo {
  readonly diffId: Digest;
  /**
   * The content's id as of whoever made the layer: which times count differs by instruction, so the same tar can have more than one, and the
   * store remembers the first. A step's own is in its record.
   */
  readonly contentId: Digest;
  /** The tar as it is kept: plain for what we made, else as it came. */
  readonly blob: Descriptor;
}

/** Where a new layer's tar is: a finished and flushed temp file that the store takes over, or a blob that it has. */
export type LayerTar = { readonly tempTar: string } | { readonly blob: Descriptor };

/**
 * The layers of a store: blob (the truth), tree (its index) and, on demand, the plain tar and unpacked directories. All but the blob can be
 * made again from it; a tree that is missing or damaged counts as not there.
 */
export interface LayerStore extends LayerDirectories {
  has(diffId: Digest): Promise<boolean>;
  /**
   * Whether it is here, maybe in another form, and known to be what this blob holds: because the blob was read here, or is what the layer was compressed to here. What a document
   * from elsewhere says of a blob's diffId does not count.
   */
  hasAs(diffId: Digest, blob: Pick<Descriptor, "digest" | "size">): Promise<boolean>;
  /** Throws NotFoundError. */
  info(diffId: Digest): Promise<LayerInfo>;
  /** Throws NotFoundError. */
  tree(diffId: Digest): Promise<Tree>;
  /** Idempotent, also when two processes add the same layer. The result's contentId is the given tree's. */
  add(tree: Tree, tar: LayerTar): Promise<LayerInfo>;
  /**
   * The layer whose blob came from elsewhere (another tool, an archive): taken as it is when it is known, else read, checked against both
   * digests, and indexed. Throws NotFoundError, IntegrityError, and what readLayer throws.
   */
  ensure(diffId: Digest, blob: Descriptor, options?: EnsureOptions): Promise<LayerInfo>;
  /**
   * The first half of `ensure` for a blob's bytes, checked against its digest, that need not be in the store yet: reads and checks the tar in them.
   * Nothing is visible until the result is published, which needs the blob to be there.
   */
  stage(diffId: Digest, blob: Descriptor, tar: Bytes, options?: EnsureOptions): Promise<StagedLayer>;
  /** Path of the plain tar: the blob itself, or an inflated copy made once and checked. Throws NotFoundError, IntegrityError. */
  plainTar(diffId: Digest): Promise<string>;
  /** Path of the file in which the tree's offsets hold: the plain tar, or where the layer has sparse files, its copy with those whole. Throws likewise. */
  contents(diffId: Digest): Promise<string>;
}

/** A checked layer, which waits for its blob. */
export interface StagedLayer {
  readonly diffId: Digest;
  readonly blob: Descriptor;
  publish(): Promise<LayerInfo>;
  /** Removes what was staged; nothing happens to a published one. */
  discard(): void;
}

export interface EnsureOptions extends Abortable {
  /** Of decompressing; absent: the store's. */
  readonly limits?: PlainLimits | undefined;
}

export function layerStore(root: string, blobs: BlobStore, tempFile: () => Promise<string>, unpackLimits: UnpackLimits): LayerStore {
  const folder = (diffId: Digest) => join(storePaths.layers(root), hexOf(diffId));
  const inFlight = new Map<string, Promise<unknown>>();

  /** Callers of one process that want the same thing at once share the work. */
  const once = <T>(key: string, work: () => Promise<T>): Promise<T> => {
    const running = inFlight.get(key);
    if (running !== undefined) return running as Promise<T>;
    const started = work().finally(() => inFlight.delete(key));
    inFlight.set(key, started);
    return started;
  };

  const readStored = (diffId: Digest) => readLayerInfo(join(folder(diffId), "info"), diffId);
  const presentBlob = async (stored: StoredLayerInfo): Promise<Descriptor | undefined> => {
    for (const blob of stored.blobs) if (await blobs.has(blob)) return blob;
    return undefined;
  };
  const find = async (diffId: Digest): Promise<(LayerInfo & { readonly treeSize: number }) | undefined> => {
    const stored = readStored(diffId);
    const blob = stored === undefined ? undefined : await presentBlob(stored);
    if (stored === undefined || blob === undefined) return undefined;
    return { diffId, contentId: stored.contentId, blob, treeSize: stored.treeSize };
  };
  const need = async (diffId: Digest) => {
    const found = await find(diffId);
    if (found !== undefined) return found;
    throw new NotFoundError(`reading layer ${diffId}: it is not in the store ${root}`);
  };

  const writeInfo = async (info: StoredLayerInfo) =>
    writeFileAtomically(await tempFile(), join(folder(info.diffId), "info"), encodeLayerInfo(info), { sync: false });

  /** Neither file is flushed: both can be made again. The info last: it says that the tree is there. */
  const publish = async (treeFile: string, tree: PublishedTree, blob: Descriptor): Promise<void> => {
    const { diffId, contentsBytes } = tree;
    const stored = readStored(diffId);
    const others = stored?.blobs.filter(({ digest }) => digest !== blob.digest) ?? [];
    const treeSize = statSync(treeFile).size;
    makeDirectories(folder(diffId), 0o700);
    renameSync(treeFile, join(folder(diffId), "tree"));
    await writeInfo({
      diffId,
      contentId: stored?.contentId ?? tree.contentId,
      blobs: [blob, ...others],
      treeSize,
      ...(contentsBytes !== undefined && { contentsBytes }),
    });
  };
  const writeTree = async (tree: Tree): Promise<string> => {
    const file = await tempFile();
    await writeTempChunks(file, encodeTree(tree), { sync: false });
    return file;
  };

  const readTar = async (diffId: Digest, blob: Descriptor, tar: Bytes, { limits, signal }: EnsureOptions): Promise<StagedLayer> => {
    const { readLayerBlob } = await import("./layer-blob.ts");
    const { tree } = await readLayerBlob(tar, { limits, unpackLimits, signal });
    if (tree.diffId !== diffId) throw new IntegrityError(`reading layer ${blob.digest}: its plain tar`, diffId, tree.diffId);
    const file = await writeTree(tree);
    const { contentId } = tree;
    const published: PublishedTree = { diffId, contentId, contentsBytes: contentsBytes(tree) };
    return {
      diffId,
      blob,
      async publish() {
        await publish(file, published, blob);
        return { diffId, contentId: readStored(diffId)?.contentId ?? contentId, blob };
      },
      discard: () => discardFile(file),
    };
  };
  const index = (diffId: Digest, blob: Descriptor, options: EnsureOptions): Promise<LayerInfo> =>
    once(`${diffId} ${blob.digest}`, async () => {
      const open = () => blobs.open(blob, options);
      return (await blameDamage(open, () => readTar(diffId, blob, open(), options))).publish();
    });
  const known = async (diffId: Digest, blob: Descriptor): Promise<LayerInfo | undefined> => {
    const stored = readStored(diffId);
    if (stored === undefined || !knows(stored, blob) || !(await blobs.has(blob))) return undefined;
    return { diffId, contentId: stored.contentId, blob };
  };

  const readTree = ({ diffId, contentId, treeSize }: { diffId: Digest; contentId: Digest; treeSize: number }): Tree | undefined => {
    const bytes = readIfThere(join(folder(diffId), "tree"));
    if (bytes?.length !== treeSize) return undefined;
    try {
      return { ...decodeTree(bytes), contentId };
    } catch (error) {
      if (error instanceof TsbuildError) return undefined;
      throw error;
    }
  };
  const tree = async (diffId: Digest): Promise<Tree> => {
    const found = await need(diffId);
    const whole = readTree(found);
    if (whole !== undefined) return whole;
    await index(diffId, found.blob, {});
    return readTree(await need(diffId)) ?? fail(new NotFoundError(`reading layer ${diffId}: its tree is gone from the store ${root}`));
  };

  const plainTar = async (diffId: Digest): Promise<string> => {
    const { blob } = await need(diffId);
    if (blob.digest === diffId) return blobs.path(diffId);
    const { size } = await tree(diffId);
    if (fileSize(blobs.path(diffId)) === size) return blobs.path(diffId);
    return once(`inflate ${diffId}`, async () => {
      const path = join(folder(diffId), "plain");
      // Flushed before it has its name, so that its length is enough to believe it.
      if (fileSize(path) === size) {
        markUsed(path);
        return path;
      }
      const temp = await tempFile();
      const { plainBytes } = await import("./compression.ts");
      const plain = plainBytes(blobs.open(blob), { compressedBytes: blob.size, limits: plainLimitsOf(unpackLimits) });
      await writeStream(verified(plain, { digest: diffId, size }, `inflating layer ${blob.digest}`), temp, { sync: true });
      renameSync(temp, path);
      return path;
    });
  };

  return {
    ...layerDirectories(root, tempFile),
    tree,
    async has(diffId) {
      return (await find(diffId)) !== undefined;
    },
    async hasAs(diffId, blob) {
      const stored = readStored(diffId);
      if (stored === undefined) return false;
      if (!knows(stored, blob) && !recallCompressions({ root }, diffId).some((one) => isSame(one, blob))) return false;
      return (await presentBlob(stored)) !== undefined;
    },
    async info(diffId) {
      const { treeSize: _, ...info } = await need(diffId);
      return info;
    },
    async add(tree, tar) {
      const { diffId, contentId } = tree;
      const blob = "blob" in tar ? tar.blob : { mediaType: mediaTypes.layer, digest: diffId, size: tree.size };
      if ("tempTar" in tar) await blobs.adopt(tar.tempTar, blob);
      else if (!(await blobs.has(blob)))
        throw new NotFoundError(`adding layer ${diffId}: its blob ${blob.digest} is not in the store ${root}`);
      if (!knows(readStored(diffId), blob))
        await publish(await writeTree(tree), { diffId, contentId, contentsBytes: contentsBytes(tree) }, blob);
      return { diffId, contentId, blob };
    },
    async stage(diffId, blob, tar, options = {}) {
      const info = await known(diffId, blob);
      return info === undefined
        ? readTar(diffId, blob, tar, options)
        : { diffId, blob, publish: async () => info, discard: () => undefined };
    },
    async ensure(diffId, blob, options = {}) {
      return (await known(diffId, blob)) ?? index(diffId, blob, options);
    },
    plainTar,
    async contents(diffId) {
      const tar = await plainTar(diffId);
      const bytes = readStored(diffId)?.contentsBytes;
      if (bytes === undefined) return tar;
      return once(`contents ${diffId}`, async () => {
        const path = join(folder(diffId), "contents");
        // As `plain`: flushed before it has its name.
        if (fileSize(path) === bytes) {
          markUsed(path);
          return path;
        }
        const temp = await tempFile();
        await writeContents(tar, temp, await tree(diffId));
        renameSync(temp, path);
        return path;
      });
    },
  };
}

/** What is left of a tree when it is on disk. */
type PublishedTree = Pick<Tree, "diffId" | "contentId"> & { readonly contentsBytes: number | undefined };

function fail(error: Error): never {
  throw error;
}

type BlobId = Pick<Descriptor, "digest" | "size">;

function knows(stored: StoredLayerInfo | undefined, blob: BlobId): boolean {
  return stored?.blobs.some((one) => isSame(one, blob)) === true;
}

function isSame(a: BlobId, b: BlobId): boolean {
  return a.digest === b.digest && a.size === b.size;
}
