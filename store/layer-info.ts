import { canonicalJson } from "./canonical-json.ts";
import { type Digest, digestOf, isDigest } from "./digest.ts";
import { readIfThere } from "./if-there.ts";
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

/** JSON, of which the last field is the sha256 of all bytes before it, as of a tree: lookups believe it without reading the layer. */
export function encodeLayerInfo(info: StoredLayerInfo): Buffer {
  const body = canonicalJson(info).subarray(0, -1);
  return Buffer.concat([body, Buffer.from(checksumField(digestOf(body)))]);
}

/**
 * Undefined when it is missing, or damaged, as by a crash of the machine (it is not flushed: it can be made again). One without a checksum is from before they had any, and believed as far as its
 * form goes.
 */
export function readLayerInfo(path: string, diffId: Digest): StoredLayerInfo | undefined {
  const bytes = readIfThere(path);
  const value = bytes && parseInfo(bytes);
  if (value?.diffId !== diffId || !isDigest(value.contentId ?? "") || !Number.isSafeInteger(value.treeSize)) return undefined;
  if (!Array.isArray(value.blobs) || value.blobs.length === 0) return undefined;
  return value as StoredLayerInfo;
}

const fields: ReadonlySet<string> = new Set([
  "diffId",
  "contentId",
  "blobs",
  "treeSize",
  "contentsBytes",
] satisfies (keyof StoredLayerInfo)[]);

function parseInfo(bytes: Buffer): Partial<StoredLayerInfo> | undefined {
  let value: Readonly<Record<string, unknown>> | null;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { checksum, ...info } = value;
  if (!Object.keys(info).every((name) => fields.has(name))) return undefined;
  const body = bytes.subarray(0, -checksumBytes);
  return checksum === undefined || bytes.toString("latin1", body.length) === checksumField(digestOf(body)) ? info : undefined;
}

function checksumField(digest: Digest): string {
  return `,"checksum":"${digest}"}`;
}

const checksumBytes = checksumField(digestOf("")).length;
