import { writeArchiveFile } from "../archive/archive-file.ts";
import { type DockerImage, dockerManifest, dockerRepositories } from "../archive/docker-manifest.ts";
import { ociFiles } from "../archive/oci-files.ts";
import { type OuterFile, outerTar, smallFile } from "../archive/outer-tar-write.ts";
import { canonicalJson } from "../canonical-json.ts";
import { TsbuildError } from "../errors.ts";
import { emptyIndex, ociLayoutFile } from "../layout.ts";
import { isIndexType, parseManifest } from "../oci-parse.ts";
import { parseReference, type Reference } from "../reference.ts";
import type { CopyPlace } from "./copy-source.ts";
import { isForeign } from "./foreign-layer.ts";
import type { ImageGraph, ImageReader } from "./image-graph.ts";
import { withEntry } from "./layout-entries.ts";
import { isImage } from "./manifest-type.ts";
import type { PushingOptions } from "./push-blob.ts";
import { reportedDownload } from "./reported-download.ts";

type ArchivePlace = Extract<CopyPlace, { readonly kind: "oci-archive" | "docker-archive" }>;

/**
 * Writes an image to an OCI archive, as writeArchiveFile does it. Blobs go into the tar as they come, one after the other: nothing is written twice. The same image gives the same
 * bytes. An image of one platform can be read by `docker load` too; where the archive is to be Docker's, by those of all ages.
 */
export async function copyToArchive(to: ArchivePlace, graph: ImageGraph, reader: ImageReader, options: PushingOptions): Promise<void> {
  await writeArchiveFile(to.file, outerTar(filesOf(to, graph, reader, options)), `copying to ${to.file}`, options);
}

function* filesOf({ kind, name }: ArchivePlace, graph: ImageGraph, reader: ImageReader, options: PushingOptions): Generator<OuterFile> {
  yield smallFile(ociFiles.layout, ociLayoutFile);
  yield smallFile(ociFiles.index, canonicalJson(withEntry(emptyIndex, graph.root.descriptor, name)));
  const docker = dockerImages(graph, name);
  if (docker.length > 0) yield dockerManifest(docker);
  if (kind === "docker-archive") yield dockerRepositories(docker);
  for (const { descriptor, bytes } of graph.documents) yield smallFile(ociFiles.blob(descriptor.digest), bytes);
  for (const blob of graph.blobs) {
    yield { name: ociFiles.blob(blob.digest), sizeBytes: blob.size, content: reportedDownload(reader, blob, options) };
  }
}

/** For `docker load`, which knows images of one platform only. An image that is not in the archive whole, having foreign layers, it could not read. */
function dockerImages({ documents }: ImageGraph, name: string | undefined): readonly DockerImage[] {
  const manifests = documents.flatMap(({ descriptor, bytes }) =>
    isIndexType(descriptor.mediaType) ? [] : [parseManifest(bytes, descriptor.digest)],
  );
  const [only, ...others] = manifests.filter(isImage);
  if (only === undefined || others.length > 0 || only.layers.some(isForeign)) return [];
  return [{ config: only.config.digest, layers: only.layers.map(({ digest }) => digest), names: name === undefined ? [] : tagOf(name) }];
}

/** Names of other tools are none of Docker's, nor can a digest be given. */
function tagOf(name: string): readonly Reference[] {
  try {
    const reference = parseReference(name);
    return reference.digest === undefined ? [reference] : [];
  } catch (error) {
    if (error instanceof TsbuildError) return [];
    throw error;
  }
}
