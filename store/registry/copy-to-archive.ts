import { writeArchiveFile } from "../archive/archive-file.ts";
import { ociFiles } from "../archive/oci-files.ts";
import { type OuterFile, outerTar } from "../archive/outer-tar-write.ts";
import { canonicalJson } from "../canonical-json.ts";
import { emptyIndex, ociLayoutFile } from "../layout.ts";
import type { ImageGraph, ImageReader } from "./image-graph.ts";
import { withEntry } from "./layout-entries.ts";
import type { PushingOptions } from "./push-blob.ts";
import { reportedDownload } from "./reported-download.ts";

/**
 * Writes an image to an OCI archive, as writeArchiveFile does it. Blobs go into the tar as they come, one after the other: nothing is written twice. The same image gives the same
 * bytes.
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
  for (const { descriptor, bytes } of graph.documents) yield smallFile(ociFiles.blob(descriptor.digest), bytes);
  for (const blob of graph.blobs) {
    yield { name: ociFiles.blob(blob.digest), sizeBytes: blob.size, content: reportedDownload(reader, blob, options) };
  }
}

function smallFile(name: string, bytes: Buffer): OuterFile {
  return { name, sizeBytes: bytes.length, content: [bytes] };
}
