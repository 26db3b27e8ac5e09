import { writeArchiveFile } from "../archive/archive-file.ts";
import { type DockerImage, dockerManifest } from "../archive/docker-manifest.ts";
import { ociFiles } from "../archive/oci-files.ts";
import { type OuterFile, outerTar, smallFile } from "../archive/outer-tar-write.ts";
import { canonicalJson } from "../canonical-json.ts";
import { TsbuildError } from "../errors.ts";
import { emptyIndex, ociLayoutFile } from "../layout.ts";
import { isIndexType, parseManifest } from "../oci-parse.ts";
import { parseReference, type Reference } from "../reference.ts";
import { isForeign } from "./foreign-layer.ts";
import type { ImageGraph, ImageReader } from "./image-graph.ts";
import { withEntry } from "./layout-entries.ts";
import { isImage } from "./manifest-type.ts";
import type { PushingOptions } from "./push-blob.ts";
import { reportedDownload } from "./reported-download.ts";

/**
 * Writes an image to an OCI archive, as writeArchiveFile does it. Blobs go into the tar as they come, one after the other: nothing is written twice. The same image gives the same
 * bytes. An image of one platform can be read by `docker load` too.
 */
export async function copyToArchive(
  file: string,
  graph: ImageGraph,
  reader: ImageReader,
  name: string | undefined,
  options: PushingOptions,
): Promise<void> {
  await writeArchiveFile(file, outerTar(filesOf(graph, reader, name, options)), `copying to ${file}`, options);
}

function* filesOf(graph: ImageGraph, reader: ImageReader, name: string | undefined, options: PushingOptions): Generator<OuterFile> {
  yield smallFile(ociFiles.layout, ociLayoutFile);
  yield smallFile(ociFiles.index, canonicalJson(withEntry(emptyIndex, graph.root.descriptor, name)));
  const docker = dockerImages(graph, name);
  if (docker.length > 0) yield dockerManifest(docker);
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
