import { lstatSync, type Stats } from "node:fs";
import { join } from "node:path";
import { isSystemError } from "../../runtime-addon/index.ts";
import type { BlobSource, Bytes } from "../blobs.ts";
import { canonicalJson } from "../canonical-json.ts";
import { type PlainLimits, plainBytes } from "../compression.ts";
import { type Digest, digestOf, hexOf, isDigest } from "../digest.ts";
import { IntegrityError, NotFoundError, TsbuildError } from "../errors.ts";
import { type Abortable, collect, fileBytes } from "../file-bytes.ts";
import { emptyIndex, ociLayoutFile } from "../layout.ts";
import { readLayoutFile } from "../registry/layout-blobs.ts";
import { manifestTypeOf } from "../registry/manifest-type.ts";
import { writeStream } from "../tee-file.ts";
import { verified } from "../verified.ts";
import { incomingName, keepAs, layoutOfDocker, type NamedFiles, namedFiles, type StagedFile } from "./docker-archive.ts";
import { maxOciFileBytes, ociFiles } from "./oci-files.ts";
import { type ArchiveFile, readOuterTar, refuseEntry } from "./outer-tar-read.ts";

/** What an archive or a directory offers. Blobs that were staged lie, checked, in files of ours that may be moved away. */
export interface ArchiveContent {
  readonly layout: Buffer;
  readonly index: Buffer;
  readonly blobs: BlobSource;
  /** Whether there is a file for this blob, be it whole or not: nothing is read. */
  lists(digest: Digest): boolean;
  /** A blob as a file of ours, checked; staged now where it was not. Throws NotFoundError, IntegrityError. */
  stage(blob: { readonly digest: Digest; readonly size: number }): Promise<string>;
}

export interface ContentOptions extends Abortable {
  readonly limits?: PlainLimits | undefined;
}

/**
 * Reads a whole OCI archive, or one of Docker's own, itself plain or compressed, in one pass, in any order of its files: each is hashed while it is written to
 * `directory`, which is ours and empty. A blob whose bytes are not its own is an error for who asks for it: it may be of an image that nobody takes.
 */
export async function stageArchive(chunks: Bytes, directory: string, options: ContentOptions): Promise<ArchiveContent> {
  const sizes = new Map<Digest, number>();
  const damaged = new Map<Digest, IntegrityError>();
  const small = new Map<string, Buffer>();
  const others = namedFiles(directory, options);
  const onFile = async ({ name, sizeBytes, content }: ArchiveFile) => {
    const digest = blobDigest(name);
    if (digest !== undefined) {
      if (sizes.has(digest) || damaged.has(digest)) throw twice(name);
      const bytes = verified(content, { digest, size: sizeBytes }, `reading ${name}`);
      try {
        const temp = join(directory, incomingName);
        await writeStream(bytes, temp, { sync: false, ...options });
        keepAs(temp, join(directory, hexOf(digest)));
        sizes.set(digest, sizeBytes);
      } catch (error) {
        if (!(error instanceof IntegrityError)) throw error;
        damaged.set(digest, error);
      }
    } else if (name === ociFiles.layout || name === ociFiles.index || name === ociFiles.dockerManifest) {
      if (small.has(name)) throw twice(name);
      small.set(name, await collect(content, maxOciFileBytes, () => tooLong(name)));
    } else if (!small.has(ociFiles.index)) await others.add(name, content);
  };
  await readOuterTar(plainBytes(chunks, options), onFile, ({ name, target }) => others.link(name, target));
  const sizeOf = (digest: Digest) => {
    const size = sizes.get(digest);
    const error = damaged.get(digest);
    if (size === undefined && error !== undefined) throw error;
    return size;
  };
  const find = (name: string) => {
    const digest = blobDigest(name);
    // A blob that is damaged may be whole under another name.
    const size = digest && (others.withDigest(digest)?.size ?? sizeOf(digest));
    const file = digest === undefined || size === undefined ? others.find(name) : { digest, size };
    sizes.set(file.digest, file.size);
    return file;
  };
  const { index, layout, made } = await layoutOf(small, directory, find, others, options);
  for (const { digest, size } of made) sizes.set(digest, size);
  const stage = async (blob: { digest: Digest; size: number }) => {
    const size = sizeOf(blob.digest);
    if (size === undefined) throw new NotFoundError(`reading an image archive: blob ${blob.digest} is not in it`);
    if (size !== blob.size) throw new IntegrityError(`reading blob ${blob.digest}`, `${blob.size} bytes`, `${size}`);
    return join(directory, hexOf(blob.digest));
  };
  return { layout, index, lists: (digest) => sizes.has(digest) || damaged.has(digest), stage, blobs: sourceOf(stage) };
}

/** An OCI archive's own files; else what Docker's list comes to, with the files that were made for it. */
async function layoutOf(
  small: ReadonlyMap<string, Buffer>,
  directory: string,
  find: (name: string) => StagedFile,
  others: NamedFiles,
  options: ContentOptions,
): Promise<{ readonly index: Buffer; readonly layout: Buffer; readonly made: readonly StagedFile[] }> {
  const [index, layout, list] = [ociFiles.index, ociFiles.layout, ociFiles.dockerManifest].map((name) => small.get(name));
  if (index !== undefined && layout !== undefined) {
    for (const name of others.links) refuseEntry(name, "it is a link or a device");
    return { index, layout, made: [] };
  }
  if (index !== undefined || list === undefined) throw notAnArchive();
  return { ...(await layoutOfDocker(list, directory, find, options)), layout: ociLayoutFile };
}

/**
 * An OCI image layout in a directory of anyone's, or one as containers/image calls "dir" (`podman save --format docker-dir`, skopeo's `dir:`), which has one image: blobs are
 * copied to `directory` when they are asked for, and checked on the way. Throws NotFoundError for any other.
 */
export function directoryContent(source: string, directory: string, options: ContentOptions): ArchiveContent {
  const files = lookAt(join(source, ociFiles.layout)) === undefined && isDirImage(source) ? dirImageFiles(source) : layoutFiles(source);
  const staged = new Map<Digest, number>();
  const stage = async (blob: { digest: Digest; size: number }) => {
    const file = join(directory, hexOf(blob.digest));
    const size = staged.get(blob.digest);
    if (size === blob.size) return file;
    if (size !== undefined) throw new IntegrityError(`reading blob ${blob.digest}`, `${blob.size} bytes`, `${size}`);
    const path = files.pathOf(blob.digest);
    checkRegular(path, () => new NotFoundError(`reading the image in ${source}: blob ${blob.digest} is not in it`));
    await writeStream(verified(fileBytes(path, options), blob, `reading ${path}`), file, { sync: false, ...options });
    staged.set(blob.digest, blob.size);
    return file;
  };
  return {
    layout: files.layout,
    index: files.index,
    lists: (digest) => lookAt(files.pathOf(digest)) !== undefined,
    stage,
    blobs: sourceOf(stage),
  };
}

interface DirectoryFiles {
  readonly layout: Buffer;
  readonly index: Buffer;
  pathOf(digest: Digest): string;
}

function layoutFiles(source: string): DirectoryFiles {
  return {
    layout: readLayoutFile(source, ociFiles.layout),
    index: readLayoutFile(source, ociFiles.index),
    pathOf: (digest) => join(source, ociFiles.blob(digest)),
  };
}

/** Whether a directory says that it is one of containers/image's transport "dir". */
export function isDirImage(source: string): boolean {
  return (
    lookAt(join(source, "version"))?.isFile() === true &&
    readLayoutFile(source, "version").toString("latin1").startsWith("Directory Transport Version: 1.")
  );
}

/** Files are called by the hex digits of their digests, but for the manifest or index of the image; those that an index lists have an ending. */
function dirImageFiles(source: string): DirectoryFiles {
  const path = join(source, ociFiles.dockerManifest);
  const bytes = readLayoutFile(source, ociFiles.dockerManifest);
  const digest = digestOf(bytes);
  const descriptor = { mediaType: manifestTypeOf(bytes, undefined, `reading ${path}`), digest, size: bytes.length };
  return {
    layout: ociLayoutFile,
    index: canonicalJson({ ...emptyIndex, manifests: [descriptor] }),
    pathOf(wanted) {
      if (wanted === digest) return path;
      const listed = join(source, `${hexOf(wanted)}.manifest.json`);
      return lookAt(listed) === undefined ? join(source, hexOf(wanted)) : listed;
    },
  };
}

function sourceOf(stage: ArchiveContent["stage"]): BlobSource {
  return {
    async has(target) {
      try {
        await stage(target);
        return true;
      } catch (error) {
        if (error instanceof TsbuildError) return false;
        throw error;
      }
    },
    async *open(target, options) {
      yield* verified(fileBytes(await stage(target), options), target);
    },
  };
}

function blobDigest(name: string): Digest | undefined {
  const match = /^blobs\/([^/]+)\/([^/]+)$/.exec(name);
  if (match === null) return undefined;
  const digest = `${match[1]}:${match[2]}`;
  if (isDigest(digest)) return digest;
  throw new TsbuildError("UNSUPPORTED_DIGEST", `reading an image archive: blob "${digest}" is not named by a sha256 digest`);
}

/** A FIFO or a device in its place would hang the reader; a link could lead anywhere. */
function checkRegular(path: string, missing: () => Error): void {
  const found = lookAt(path);
  if (found === undefined) throw missing();
  if (!found.isFile()) throw new TsbuildError("UNSAFE_PATH", `reading ${path}: it is no regular file`);
}

function lookAt(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (isSystemError(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

function twice(name: string): TsbuildError {
  return new TsbuildError("INVALID_ARCHIVE", `reading an image archive: ${name} is in it twice`);
}

function tooLong(name: string): TsbuildError {
  return new TsbuildError("TOO_LARGE", `reading ${name}: it is longer than ${maxOciFileBytes} bytes`);
}

function notAnArchive(): TsbuildError {
  return new TsbuildError(
    "UNSUPPORTED_ARCHIVE",
    "reading an image archive: it is neither an OCI archive (index.json and oci-layout) nor one of docker save (manifest.json)",
    { hint: "for the tar of a root file system: tsbuild import FILE NAME" },
  );
}
