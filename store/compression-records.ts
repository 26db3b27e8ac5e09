import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { isSystemError } from "../runtime-addon/index.ts";
import { writeFileAtomically } from "./atomic-file.ts";
import { canonicalJson } from "./canonical-json.ts";
import { type Digest, hexOf, isDigest } from "./digest.ts";
import type { Store } from "./store.ts";
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
export function recallCompression(store: Pick<Store, "root">, diffId: Digest): CompressionRecord | undefined {
  let value: Partial<CompressionRecord> | null;
  try {
    value = JSON.parse(readFileSync(pathOf(store.root, diffId), "utf8"));
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
  store: Pick<Store, "root" | "tempFile">,
  diffId: Digest,
  record: CompressionRecord,
): Promise<void> {
  const path = pathOf(store.root, diffId);
  const write = async () => writeFileAtomically(await store.tempFile("compressed"), path, canonicalJson(record), { sync: false });
  try {
    await write();
  } catch (error) {
    if (!isSystemError(error, "ENOENT")) throw error;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    await write();
  }
}

function pathOf(root: string, diffId: Digest): string {
  return join(storePaths.compressed(root), hexOf(diffId));
}
