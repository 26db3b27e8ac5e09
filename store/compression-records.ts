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

/** The last record of this layer; undefined when there is none, or a crash of the machine left it torn. */
export function recallCompression(store: { readonly root: string }, diffId: Digest): CompressionRecord | undefined {
  let value: Partial<CompressionRecord> | null;
  try {
    value = JSON.parse(readUsed(pathOf(store.root, diffId)).toString("utf8"));
  } catch (error) {
    if (error instanceof SyntaxError || isSystemError(error, "ENOENT")) return undefined;
    throw error;
  }
  const { compressor, digest, size } = value ?? {};
  if (typeof compressor !== "string" || typeof digest !== "string" || !isDigest(digest)) return undefined;
  return size !== undefined && Number.isSafeInteger(size) && size > 0 ? { compressor, digest, size } : undefined;
}

/** Replaces the layer's record in one step. Not flushed: it can be made again. */
export async function rememberCompression(
  store: { readonly root: string; readonly tempFile: (kind: string) => Promise<string> },
  diffId: Digest,
  record: CompressionRecord,
): Promise<void> {
  await writeCacheFile(() => store.tempFile("compressed"), pathOf(store.root, diffId), canonicalJson(record));
}

function pathOf(root: string, diffId: Digest): string {
  return join(storePaths.compressed(root), hexOf(diffId));
}
