import { lstatSync } from "node:fs";
import { join } from "node:path";
import { isSystemError } from "../../runtime-addon/index.ts";
import { maxOciFileBytes, ociFiles } from "../archive/oci-files.ts";
import type { BlobSource } from "../blobs.ts";
import { NotFoundError, TsbuildError } from "../errors.ts";
import { fileBytes } from "../file-bytes.ts";
import { readRegular } from "../regular-file.ts";
import { verified } from "../verified.ts";

/** The blobs of an image layout in a directory of anyone's, read where they are. */
export function layoutBlobs(directory: string): BlobSource {
  return {
    has: async ({ digest, size }) => regularSize(join(directory, ociFiles.blob(digest))) === size,
    async *open(target, options) {
      const path = join(directory, ociFiles.blob(target.digest));
      if (regularSize(path) === undefined)
        throw new NotFoundError(`reading the image layout ${directory}: blob ${target.digest} is not in it`);
      yield* verified(fileBytes(path, options), target, `reading ${path}`);
    },
  };
}

/** A small file of a layout. Throws NotFoundError, UNSAFE_PATH, TOO_LARGE. */
export function readLayoutFile(directory: string, name: string): Buffer {
  const path = join(directory, name);
  const tooLong = () => new TsbuildError("TOO_LARGE", `reading ${path}: it is longer than ${maxOciFileBytes} bytes`);
  const bytes = readRegular(path, maxOciFileBytes, tooLong);
  if (bytes === undefined) throw new NotFoundError(`reading ${path}: it is missing, so this is no OCI image layout`);
  return bytes;
}

/** Undefined: not there. A FIFO or a device in its place would hang the reader; a link could lead anywhere. */
function regularSize(path: string): number | undefined {
  try {
    const found = lstatSync(path);
    if (!found.isFile()) throw new TsbuildError("UNSAFE_PATH", `reading ${path}: it is no regular file`);
    return found.size;
  } catch (error) {
    if (isSystemError(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}
