import { randomBytes } from "node:crypto";
import { lstatSync, readdirSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { isSystemError, removeTree } from "../../runtime-addon/index.ts";
import { ociFiles } from "../archive/oci-files.ts";
import { writeFileAtomically } from "../atomic-file.ts";
import { directoryBlobs } from "../blobs.ts";
import { canonicalJson } from "../canonical-json.ts";
import { TsbuildError } from "../errors.ts";
import { checkOciLayout, emptyIndex, ociLayoutFile } from "../layout.ts";
import { makeDirectories } from "../make-directories.ts";
import { parseIndex } from "../oci-parse.ts";
import type { ImageGraph, ImageReader } from "./image-graph.ts";
import { readLayoutFile } from "./layout-blobs.ts";
import { withEntry } from "./layout-entries.ts";
import type { PushingOptions } from "./push-blob.ts";
import { reportedDownload } from "./reported-download.ts";
import { together } from "./together.ts";

export interface ToLayoutOptions extends PushingOptions {
  /** Blobs at once. */
  readonly parallel: number;
}

/**
 * Adds an image to the OCI image layout in a directory, which may be new. Blobs, then manifests, then index.json in one step: what it lists is whole. A failure leaves nothing
 * that was made for a new layout. Throws DESTINATION_EXISTS for
 * a directory with anything else in it. One program at a time may write to a layout.
 */
export async function copyToLayout(
  directory: string,
  graph: ImageGraph,
  reader: ImageReader,
  name: string | undefined,
  options: ToLayoutOptions,
): Promise<void> {
  const made = firstMissing(resolve(directory, "blobs", "sha256"));
  const isNew = !entriesOf(directory).includes(ociFiles.layout);
  try {
    await addToLayout(directory, graph, reader, name, options);
  } catch (error) {
    if (isNew) rmSync(join(directory, ociFiles.layout), { force: true });
    if (made !== undefined) await removeTree(made);
    throw error;
  }
}

async function addToLayout(
  directory: string,
  graph: ImageGraph,
  reader: ImageReader,
  name: string | undefined,
  options: ToLayoutOptions,
): Promise<void> {
  const index = openLayout(directory);
  const tempFile = async () => join(directory, `.tsbuild-${randomBytes(8).toString("hex")}`);
  const blobs = directoryBlobs(join(directory, "blobs", "sha256"), tempFile);
  await together(graph.blobs, options.parallel, options.signal, async (blob, signal) => {
    if (!(await blobs.has(blob))) await blobs.put(blob, reportedDownload(reader, blob, { ...options, signal }));
  });
  for (const { descriptor, bytes } of graph.documents) await blobs.putBytes(descriptor.mediaType, bytes);
  const bytes = canonicalJson(withEntry(index, graph.root.descriptor, name));
  await writeFileAtomically(await tempFile(), join(directory, ociFiles.layout), ociLayoutFile, { sync: true });
  await writeFileAtomically(await tempFile(), join(directory, ociFiles.index), bytes, { sync: true });
}

/** The index of what is there; of a new layout an empty one. */
function openLayout(directory: string) {
  if (entriesOf(directory).some((name) => name === ociFiles.layout || name === ociFiles.index)) {
    checkOciLayout(readLayoutFile(directory, ociFiles.layout), join(directory, ociFiles.layout));
    return parseIndex(readLayoutFile(directory, ociFiles.index), join(directory, ociFiles.index));
  }
  // What a copy that was cut short leaves.
  if (entriesOf(directory).some((name) => name !== "blobs" && !name.startsWith(".tsbuild-"))) {
    throw new TsbuildError("DESTINATION_EXISTS", `copying to ${directory}: the directory is neither empty nor an OCI image layout`, {
      hint: "name a new one",
    });
  }
  makeDirectories(resolve(directory, "blobs", "sha256"));
  return emptyIndex;
}

/** The topmost directory that has to be made for this one; undefined where all are there. */
function firstMissing(path: string): string | undefined {
  // A link that leads nowhere is there: it is not ours to remove.
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return undefined;
  return firstMissing(dirname(path)) ?? path;
}

function entriesOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return [];
    throw error;
  }
}
