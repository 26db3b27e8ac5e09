import { createHash } from "node:crypto";
import { join } from "node:path";
import { isSystemError } from "../runtime-addon/index.ts";
import { writeCacheFile } from "./atomic-file.ts";
import { readUsed } from "./last-use.ts";
import type { Store } from "./store.ts";
import { storePaths } from "./store-paths.ts";

/**
 * Small files that a build may find again by a key. "steps" are results by step key, "by-op" by operation, "by-content" by content,
 * "nodes" the nodes of Merkle trees, "roots" their roots by what they follow from, "contexts" what was learned of directories of the host.
 * What is in them is the caller's, but for what garbage collection must know: a body of "steps" is JSON with the `layer` that it keeps (LayerInfo) and the key of the record of "by-op"
 * that it keeps (`operation`), one of "by-op" and "by-content" is the key of a record of "steps".
 */
export type RecordArea = "steps" | "by-op" | "by-content" | "nodes" | "roots" | "contexts";

const keyForm = /^[0-9a-f]{64}$/;
const sumLength = 64;

/**
 * The record's body, or undefined when there is none. One that a crashed machine left torn counts as none: records are not
 * flushed, so each carries the sha256 of its body. Costs one synchronous open and read; see readUsed.
 */
export async function readRecord(store: Pick<Store, "root">, area: RecordArea, key: string): Promise<Buffer | undefined> {
  let bytes: Buffer;
  try {
    bytes = readUsed(recordPath(store.root, area, key));
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return undefined;
    throw error;
  }
  return recordBody(bytes);
}

/** What is in a record's file; undefined when it is torn. */
export function recordBody(bytes: Buffer): Buffer | undefined {
  const body = bytes.subarray(sumLength + 1);
  return bytes.toString("latin1", 0, sumLength) === sumOf(body) ? body : undefined;
}

/** The record appears, or is replaced, in one step. Flush and publish what it names before. */
export async function writeRecord(store: Pick<Store, "root" | "tempFile">, area: RecordArea, key: string, body: Uint8Array): Promise<void> {
  const path = recordPath(store.root, area, key);
  const sum = Buffer.from(`${sumOf(body)}\n`, "latin1");
  // The first record of its fan-out directory makes that, too.
  await writeCacheFile(() => store.tempFile("record"), path, sum, body);
}

function recordPath(root: string, area: RecordArea, key: string): string {
  if (!keyForm.test(key)) throw new TypeError(`record key ${JSON.stringify(key)} is not 64 hex digits`);
  const folder = area === "steps" ? storePaths.steps(root) : join(storePaths.steps(root), area);
  return join(folder, key.slice(0, 2), key);
}

function sumOf(body: Uint8Array): string {
  return createHash("sha256").update(body).digest("hex");
}
