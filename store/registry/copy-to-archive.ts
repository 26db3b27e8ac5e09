import { randomBytes } from "node:crypto";
import { createWriteStream, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { ociFiles } from "../archive/oci-files.ts";
import { type OuterFile, outerTar } from "../archive/outer-tar-write.ts";
import { syncFile } from "../atomic-file.ts";
import { canonicalJson } from "../canonical-json.ts";
import { emptyIndex, ociLayoutFile } from "../layout.ts";
import type { ImageGraph, ImageReader } from "./image-graph.ts";
import { withEntry } from "./layout-entries.ts";
import type { PushingOptions } from "./push-blob.ts";
import { reportedDownload } from "./reported-download.ts";

/**
 * Writes an image to an OCI archive, which replaces the file in one step when all of it is written. Blobs go into the tar as they come, one after the other: nothing is written
 * twice. The same image gives the same bytes.
 */
export async function copyToArchive(
  file: string,
  graph: ImageGraph,
  reader: ImageReader,
  name: string | undefined,
  options: PushingOptions,
): Promise<void> {
  const temp = join(dirname(file), `.${basename(file)}.${randomBytes(6).toString("hex")}`);
  const { signal } = options;
  try {
    await pipeline(outerTar(filesOf(graph, reader, name, options)), createWriteStream(temp, { flags: "wx", mode: 0o644 }), { signal });
    await syncFile(temp);
    renameSync(temp, file);
  } catch (error) {
    rmSync(temp, { force: true });
    signal?.throwIfAborted();
    throw error;
  }
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
