import { join } from "node:path";
import { isSystemError } from "../runtime-addon/index.ts";
import { writeCacheFile } from "./atomic-file.ts";
import { canonicalJson } from "./canonical-json.ts";
import { type Digest, hexOf, isDigest } from "./digest.ts";
import { readUsed } from "./last-use.ts";
import { storePaths } from "./store-paths.ts";

/** What a layer's tar came to when it was compressed. */
export interface CompressionRecord {
  /** Program, version, level and form. */
  readonly compressor: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** As many as there are settings that somebody may use by turns. */
const maxRecords = 16;

/** What is known of this layer, the latest first; nothing when there is no record, or a crash of the machine left it torn. */
export function recallCompressions(store: { readonly root: string }, diffId: Digest): readonly CompressionRecord[] {
  let value: unknown;
  try {
    value = JSON.parse(readUsed(pathOf(store.root, diffId)).toString("utf8"));
  } catch (error) {
    if (error instanceof SyntaxError || isSystemError(error, "ENOENT")) return [];
    throw error;
  }
  return Array.isArray(value) ? value.map(recordOf).filter((record) => record !== undefined) : [];
}

function recordOf(value: Partial<CompressionRecord> | null): CompressionRecord | undefined {
  const { compressor, digest, size } = value ?? {};
  if (typeof compressor !== "string" || typeof digest !== "string" || !isDigest(digest)) return undefined;
  return size !== undefined && Number.isSafeInteger(size) && size > 0 ? { compressor, digest, size } : undefined;
}

/**
 * Adds a record to the layer's, in place of one of the same compressor, in one step. Not flushed: it can be made again, and so can one that
 * another process adds at the same moment and that is lost here.
 */
export async function rememberCompression(
  store: { readonly root: string; readonly tempFile: (kind: string) => Promise<string> },
  diffId: Digest,
  record: CompressionRecord,
): Promise<void> {
  const others = recallCompressions(store, diffId).filter(({ compressor }) => compressor !== record.compressor);
  const records = [record, ...others].slice(0, maxRecords);
  await writeCacheFile(() => store.tempFile("compressed"), pathOf(store.root, diffId), canonicalJson(records));
}

function pathOf(root: string, diffId: Digest): string {
  return join(storePaths.compressed(root), hexOf(diffId));
}
