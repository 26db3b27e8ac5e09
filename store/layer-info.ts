import { readFileSync } from "node:fs";
import { isSystemError } from "../runtime-addon/index.ts";
import { canonicalJson } from "./canonical-json.ts";
import { type Digest, isDigest } from "./digest.ts";
import type { Descriptor } from "./oci.ts";

/** What the store has written down about a layer: file `layers/<hex>/info`. */
export interface StoredLayerInfo {
  readonly diffId: Digest;
  readonly contentId: Digest;
  /** Every form of the tar that was checked against the diffId, first come first. Some may have been deleted since. */
  readonly blobs: readonly [Descriptor, ...Descriptor[]];
  /** Bytes of the file `tree`: one of another length is torn. */
  readonly treeSize: number;
  /** Bytes of the file `contents`, which a layer with sparse files needs besides its tar; see contentsBytes. */
  readonly contentsBytes?: number;
}

export function encodeLayerInfo(info: StoredLayerInfo): Buffer {
  return canonicalJson(info);
}

/** Undefined when it is missing, or torn by a crash of the machine (it is not flushed: it can be made again). */
export function readLayerInfo(path: string, diffId: Digest): StoredLayerInfo | undefined {
  let value: Partial<StoredLayerInfo> | null;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError || isSystemError(error, "ENOENT")) return undefined;
    throw error;
  }
  if (value?.diffId !== diffId || !isDigest(value.contentId ?? "") || !Number.isSafeInteger(value.treeSize)) return undefined;
  if (!Array.isArray(value.blobs) || value.blobs.length === 0) return undefined;
  return value as StoredLayerInfo;
}
