import type { BlobSource } from "../blobs.ts";
import { TsbuildError } from "../errors.ts";
import { collect } from "../file-bytes.ts";
import type { Descriptor } from "../oci.ts";
import { maxManifestBytes } from "../oci-parse.ts";
import { checkBytes } from "../verified.ts";
import type { ImageReader } from "./image-graph.ts";
import { manifestTypeOf } from "./manifest-type.ts";
import type { Repository } from "./repository.ts";

export function repositoryReader(repository: Repository): ImageReader {
  const { registry, name } = repository;
  return {
    registry,
    name,
    label: `${registry}/${name}`,
    async manifest(descriptor, options) {
      const found = await repository.manifest(descriptor.digest, options);
      if (found !== undefined) checkBytes(found.bytes, descriptor, `reading ${registry}/${name}: manifest ${descriptor.digest}`);
      return found;
    },
    download: (blob, options) => repository.download(blob, options),
  };
}

/** Of content that is here: it belongs to no registry. */
export function blobReader(label: string, blobs: BlobSource): ImageReader {
  return {
    registry: "",
    name: "",
    label,
    async manifest(descriptor) {
      if (!(await blobs.has(descriptor))) return undefined;
      const bytes = await readSmall(blobs, descriptor, `reading ${label}`);
      const mediaType = manifestTypeOf(bytes, descriptor.mediaType, `reading ${label}: ${descriptor.digest}`);
      return { descriptor: { ...descriptor, mediaType }, bytes };
    },
    async *download(blob, { onProgress, ...options } = {}) {
      let doneBytes = 0;
      for await (const chunk of blobs.open(blob, options)) {
        doneBytes += chunk.length;
        onProgress?.(doneBytes);
        yield chunk;
      }
    },
  };
}

async function readSmall(blobs: BlobSource, descriptor: Descriptor, doing: string): Promise<Buffer> {
  const tooLarge = () =>
    new TsbuildError("TOO_LARGE", `${doing}: ${descriptor.digest} is longer than the ${maxManifestBytes} bytes allowed here`);
  if (descriptor.size > maxManifestBytes) throw tooLarge();
  return collect(blobs.open(descriptor), maxManifestBytes, tooLarge);
}
