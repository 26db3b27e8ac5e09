import { chmodSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { isSystemError } from "../runtime-addon/index.ts";
import { writeFileAtomically } from "./atomic-file.ts";
import { type Digest, digestOf, hexOf, isDigest } from "./digest.ts";
import { discardFile } from "./discard.ts";
import { IntegrityError, NotFoundError, TsbuildError } from "./errors.ts";
import { type Abortable, fileBytes } from "./file-bytes.ts";
import { fileSize, readIfThere } from "./if-there.ts";
import type { Descriptor } from "./oci.ts";
import { writeStream } from "./tee-file.ts";
import { checkBytes, verified } from "./verified.ts";

export type Bytes = AsyncIterable<Uint8Array>;

/** Where content comes from: a store, an archive, a registry. */
export interface BlobSource {
  /** Whether content of this digest and size is there; the bytes are not looked at. */
  has(target: Descriptor): Promise<boolean>;
  /**
   * Yields exactly `target.size` bytes hashing to `target.digest`, or throws IntegrityError before the end of iteration.
   * Throws NotFoundError. Leaving the loop early releases the file.
   */
  open(target: Descriptor, options?: Abortable): Bytes;
}

export interface PutOptions extends Abortable {
  /** Flush to the disk before the blob is visible (default). Without it, the caller flushes before naming the blob anywhere. */
  readonly sync?: boolean;
}

/** Where content goes. Idempotent: success means that the store has it, not that this call wrote it. Consumes `content` or ends it. */
export interface BlobSink {
  put(expected: Descriptor, content: Bytes, options?: PutOptions): Promise<void>;
}

/** Content under its digest. Nothing is visible under a digest before it is whole. */
export interface BlobStore extends BlobSource, BlobSink {
  /** Where the blob is, or would be. */
  path(digest: Digest): string;
  /** For content whose digest is not known yet. */
  ingest(mediaType: string, content: Bytes, options?: PutOptions): Promise<Descriptor>;
  putBytes(mediaType: string, bytes: Uint8Array, options?: PutOptions): Promise<Descriptor>;
  /**
   * Takes a finished temp file on the store's file system in by rename, also in the place of one that was there already: damage there would not show.
   * The digest is believed, and so is that the file was flushed: both belong to whoever wrote it.
   */
  adopt(file: string, target: Descriptor): Promise<void>;
  /** All bytes of a small blob, checked. Throws TOO_LARGE beyond the limit, NotFoundError, IntegrityError. */
  readBytes(target: Descriptor, limitBytes: number): Promise<Buffer>;
  /** Nothing happens when it is not there. */
  delete(digest: Digest): Promise<void>;
  list(): AsyncIterable<{ readonly digest: Digest; readonly size: number }>;
}

/** Nobody else finds it out: that a blob is there is believed by its length. */
const damagedHint = "it was damaged where it lies: tsbuild verify --repair takes it away, then pull or build the image again";

/** Blobs as files `<hex>` in a directory; `tempFile` gives unused paths on the same file system. */
export function directoryBlobs(directory: string, tempFile: () => Promise<string>): BlobStore {
  const path = (digest: Digest) => join(directory, hexOf(digest));
  const hasSize = (target: { digest: Digest; size: number }) => fileSize(path(target.digest)) === target.size;
  const unusable = (digest: Digest, error: unknown) => {
    const what = `reading blob ${digest}`;
    if (isSystemError(error, "ENOENT")) return new NotFoundError(`${what}: it is not in ${directory}`, { cause: error });
    return error instanceof IntegrityError ? new IntegrityError(what, error.expected, error.actual, { hint: damagedHint }) : error;
  };

  const publish = (file: string, digest: Digest) => {
    try {
      // Readable whatever the caller's umask: other tools read the layout too.
      chmodSync(file, 0o644);
      renameSync(file, path(digest));
    } catch (error) {
      discardFile(file);
      throw error;
    }
  };

  return {
    path,
    async has(target) {
      return hasSize(target);
    },
    async *open(target, options) {
      try {
        yield* verified(fileBytes(path(target.digest), options), target);
      } catch (error) {
        throw unusable(target.digest, error);
      }
    },
    async put(expected, content, options = {}) {
      if (hasSize(expected)) return endUnread(content);
      const temp = await tempFile();
      await writeStream(verified(content, expected, `storing blob ${expected.digest}`), temp, { sync: true, ...options });
      publish(temp, expected.digest);
    },
    async ingest(mediaType, content, options = {}) {
      const temp = await tempFile();
      const written = await writeStream(content, temp, { sync: true, ...options });
      publish(temp, written.digest);
      return { mediaType, ...written };
    },
    async putBytes(mediaType, bytes, { sync = true } = {}) {
      const target = { mediaType, digest: digestOf(bytes), size: bytes.length };
      // Read, for it is small: a damaged one is replaced.
      if (!hasSize(target) || readIfThere(path(target.digest))?.equals(bytes) !== true)
        await writeFileAtomically(await tempFile(), path(target.digest), bytes, { sync });
      return target;
    },
    async adopt(file, target) {
      const size = statSync(file).size;
      if (size !== target.size) throw new IntegrityError(`storing blob ${target.digest}`, `${target.size} bytes`, `${size}`);
      publish(file, target.digest);
    },
    async readBytes(target, limitBytes) {
      if (target.size > limitBytes) {
        throw new TsbuildError(
          "TOO_LARGE",
          `reading blob ${target.digest}: ${target.size} bytes are more than the ${limitBytes} allowed here`,
        );
      }
      let bytes: Buffer;
      try {
        // The file could be longer than its descriptor says, so its size decides before it is read.
        const size = statSync(path(target.digest)).size;
        if (size !== target.size) throw new IntegrityError(`reading blob ${target.digest}`, `${target.size} bytes`, `${size}`);
        bytes = readFileSync(path(target.digest));
        checkBytes(bytes, target);
      } catch (error) {
        throw unusable(target.digest, error);
      }
      return bytes;
    },
    async delete(digest) {
      rmSync(path(digest), { force: true });
    },
    async *list() {
      for (const name of readdirSync(directory)) {
        const digest = `sha256:${name}`;
        const size = isDigest(digest) ? fileSize(join(directory, name)) : undefined;
        if (isDigest(digest) && size !== undefined) yield { digest, size };
      }
    },
  };
}

async function endUnread(content: Bytes): Promise<void> {
  await content[Symbol.asyncIterator]().return?.();
}
