import { readFileSync } from "node:fs";
import { isSystemError } from "../runtime-addon/index.ts";
import { syncDirectory, writeFileAtomically } from "./atomic-file.ts";
import { canonicalJson } from "./canonical-json.ts";
import { TsbuildError } from "./errors.ts";
import { shown } from "./foreign-text.ts";
import { withLock } from "./lock.ts";
import { type Descriptor, type Index, mediaTypes } from "./oci.ts";
import { parseIndex } from "./oci-parse.ts";
import { isFull, keepSpare, replaceBySpare } from "./spare-file.ts";
import { storePaths } from "./store-paths.ts";

/** Content of the `oci-layout` file (OCI image-layout spec). */
export const ociLayoutFile = canonicalJson({ imageLayoutVersion: "1.0.0" });

export const emptyIndex: Index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [] };

/** Throws STORE_DAMAGED when the file `oci-layout` of a layout is none we can read. */
export function checkOciLayout(bytes: Uint8Array, where: string): void {
  let version: unknown;
  try {
    version = (JSON.parse(Buffer.from(bytes).toString()) as { imageLayoutVersion?: unknown } | null)?.imageLayoutVersion;
  } catch (error) {
    throw new TsbuildError("STORE_DAMAGED", `reading ${where}: it is not JSON`, { cause: error });
  }
  if (version === "1.0.0") return;
  throw new TsbuildError("STORE_DAMAGED", `reading ${where}: image layout version ${shown(version)} is not 1.0.0`);
}

/** The store's index.json as it is now; other programs may have written it. */
export function readStoreIndex(root: string): Index {
  const path = storePaths.index(root);
  try {
    return parseIndex(readFileSync(path), path);
  } catch (error) {
    if (isSystemError(error, "ENOENT")) {
      throw new TsbuildError("STORE_DAMAGED", `reading ${path}: it is missing`, {
        cause: error,
        hint: `an empty list of images is: ${canonicalJson(emptyIndex).toString()}`,
      });
    }
    throw error;
  }
}

/** Whether `change` would change anything. Takes no lock. */
export function storeIndexWouldChange(root: string, change: (manifests: readonly Descriptor[]) => readonly Descriptor[]): boolean {
  return changed(readStoreIndex(root), change) !== undefined;
}

/**
 * Replaces index.json's list of manifests in one step, exclusively among tsbuild processes; `change` is a pure function of the list and may be
 * called twice. Fields that other programs wrote stay. Where nothing changes nothing is locked or written. A list that becomes shorter needs no room on the disk (keepSpare).
 */
export async function updateStoreIndex(
  root: string,
  tempFile: () => Promise<string>,
  change: (manifests: readonly Descriptor[]) => readonly Descriptor[],
): Promise<void> {
  if (!storeIndexWouldChange(root, change)) return;
  // Before the lock, which is held for milliseconds.
  const [temp] = await Promise.allSettled([tempFile()]);
  await withLock(storePaths.indexLock(root), "exclusive", async () => {
    const index = readStoreIndex(root);
    const bytes = changed(index, change);
    if (bytes === undefined) return;
    // Blobs have their names on the disk before a list names them, and the list is there before anybody is told so.
    await syncDirectory(storePaths.blobs(root));
    try {
      if (temp.status === "rejected") throw temp.reason;
      await writeFileAtomically(temp.value, storePaths.index(root), bytes, { sync: true });
    } catch (error) {
      if (!isFull(error) || bytes.length >= canonicalJson(index).length || !tryReplace(root, bytes)) throw error;
    }
    await syncDirectory(root);
    keepSpare(root, bytes.length);
  });
}

function tryReplace(root: string, bytes: Uint8Array): boolean {
  try {
    replaceBySpare(root, storePaths.index(root), bytes);
    return true;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return false;
  }
}

function changed(index: Index, change: (manifests: readonly Descriptor[]) => readonly Descriptor[]): Buffer | undefined {
  const next = canonicalJson({ ...index, manifests: change(index.manifests) });
  return next.equals(canonicalJson(index)) ? undefined : next;
}
