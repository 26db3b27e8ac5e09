import { isSystemError } from "../../runtime-addon/index.ts";
import { writeFailed } from "../archive/write-failed.ts";
import type { Bytes } from "../blobs.ts";
import type { ImageReader } from "./image-graph.ts";

/** Runs what copies from a reader to a path, so that what the system refuses at that path says so: WRITE_FAILED. The reader's own errors come out as they are. */
export async function namingDestination(path: string, source: ImageReader, work: (reader: ImageReader) => Promise<void>): Promise<void> {
  const ofSource = new Set<unknown>();
  const note = (error: unknown): never => {
    ofSource.add(error);
    throw error;
  };
  try {
    await work({
      ...source,
      manifest: (...args) => source.manifest(...args).catch(note),
      download: (...args) => noting(source.download(...args), note),
    });
  } catch (error) {
    if (!isSystemError(error) || ofSource.has(error)) throw error;
    throw writeFailed(`copying to ${path}`, error);
  }
}

async function* noting(bytes: Bytes, note: (error: unknown) => never): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* bytes;
  } catch (error) {
    note(error);
  }
}
