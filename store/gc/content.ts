import { lstatSync, readFileSync, type Stats, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isSystemError } from "../../runtime-addon/index.ts";
import { type Digest, isDigest } from "../digest.ts";
import { storePaths } from "../store-paths.ts";
import { type Measure, namesIn, ownBytes } from "./allocated.ts";
import type { CacheItem } from "./cache-items.ts";

/** Blobs and layers, each with the bytes that go with it, and what of the layers may go alone. */
export interface StoredContent {
  readonly blobs: ReadonlyMap<Digest, number>;
  /** Of a layer's folder without its unpacked forms. */
  readonly layers: ReadonlyMap<Digest, number>;
  /** Unpacked directories, inflated tars, and their copies with sparse files whole. */
  readonly unpacked: readonly CacheItem[];
}

/** `exact` measures directories anew that were measured before: they do not change, but somebody might. */
export async function storedContent(
  root: string,
  measure: Measure,
  { exact = false }: { readonly exact?: boolean } = {},
): Promise<StoredContent> {
  const blobs = new Map<Digest, number>();
  for (const name of namesIn(storePaths.blobs(root))) {
    const digest = `sha256:${name}`;
    if (isDigest(digest)) blobs.set(digest, ownBytes(join(storePaths.blobs(root), name)));
  }
  const layers = new Map<Digest, number>();
  const unpacked: CacheItem[] = [];
  for (const name of namesIn(storePaths.layers(root))) {
    const diffId = `sha256:${name}`;
    if (!isDigest(diffId)) continue;
    const folder = join(storePaths.layers(root), name);
    let bytes = ownBytes(folder);
    for (const part of namesIn(folder)) {
      const path = join(folder, part);
      const item = await unpackedItem(path, diffId, exact ? measure : (directory) => directoryBytes(directory, measure));
      if (item === undefined) bytes += await measure(path);
      else unpacked.push(item);
    }
    layers.set(diffId, bytes);
  }
  return { blobs, layers, unpacked };
}

async function unpackedItem(path: string, diffId: Digest, measure: Measure): Promise<CacheItem | undefined> {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const common = { kind: "directories", path, blobs: [], layers: [], pinnedBy: diffId, inLayer: diffId } as const;
  if (name === "plain" || name === "contents") {
    const found = statOf(path);
    return found && { ...common, bytes: found.blocks * 512, usedMs: found.mtimeMs };
  }
  if (!/^dir(-flat)?(-[0-9a-f]{64})?$/.test(name)) return undefined;
  // The file that says whether it may be believed is read at each use.
  const usedMs = (statOf(join(path, "ok")) ?? statOf(path))?.mtimeMs ?? 0;
  return { ...common, bytes: await measure(path), usedMs };
}

/** Measured once and written down beside the files: an unpacked directory may have a hundred thousand of them. */
async function directoryBytes(path: string, measure: Measure): Promise<number> {
  const file = join(path, "bytes");
  try {
    const text = readFileSync(file, "latin1");
    if (/^\d{1,15}\n$/.test(text)) return Number(text);
  } catch (error) {
    if (!isSystemError(error, "ENOENT", "EACCES")) throw error;
  }
  try {
    // Twice: the file itself is in the sum.
    writeFileSync(file, "0\n");
    const bytes = await measure(path);
    writeFileSync(file, `${bytes}\n`);
    return bytes;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return measure(path);
  }
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}
