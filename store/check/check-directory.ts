import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type ByteString, decodeScan, hashFiles, isSystemError, type ScanEntry, scan, statMany } from "../../runtime-addon/index.ts";
import { digestFromBytes } from "../digest.ts";
import type { IndexedFile } from "../layer/entry.ts";
import { quotePath, rootPath } from "../layer/entry-path.ts";
import type { Tree } from "../layer/tree.ts";
import { attributeDifference, difference, markDifference } from "./unpacked-difference.ts";

/**
 * How an unpacked directory differs from its layer: files by kind, mode, owner, extended attributes and content, links by target, directories by what they hide; nothing more in it than the
 * layer has. Undefined: not at all, or it has gone, or this user may not look. Devices may be missing, where none could be made; owners, and the ids in ACLs, are compared where `exact` says
 * that they are kept and they are root's own.
 */
export async function checkDirectory(path: string, tree: Tree, owners: "exact" | "flat"): Promise<string | undefined> {
  try {
    const itself = decodeScan(await statMany(path, [rootPath], { xattrs: true }));
    const scanned = decodeScan(await scan(path, [rootPath], { recursive: true, xattrs: true }));
    const found = new Map([...itself, ...scanned].map((entry) => [entry.path, entry]));
    const hasOwners = owners === "exact" && process.getuid?.() === 0 && (await stat(join(path, ".."))).uid === 0;
    return entriesDifference(tree, found, hasOwners) ?? (await contentDifference(path, tree));
  } catch (error) {
    if (isSystemError(error, "ENOENT", "EACCES", "EPERM")) return undefined;
    throw error;
  }
}

function entriesDifference(tree: Tree, found: ReadonlyMap<ByteString, ScanEntry>, hasOwners: boolean): string | undefined {
  const opaque = new Set<ByteString>();
  const named = new Set<ByteString>();
  for (const entry of tree.entries) {
    if (entry.kind === "opaque") {
      if (!found.has(entry.path)) return `${quotePath(entry.path)} is missing`;
      opaque.add(entry.path);
      continue;
    }
    named.add(entry.path);
    const there = found.get(entry.path);
    const target = entry.kind === "hardlink" && named.has(entry.target) ? found.get(entry.target) : undefined;
    const problem = difference(entry, there, target) ?? (there && attributeDifference(entry, there, hasOwners));
    if (problem !== undefined) return problem;
  }
  for (const there of found.values()) {
    // Directories that a layer only implies are made from what lies below.
    if (there.type !== "directory" && !named.has(there.path)) return `it has ${quotePath(there.path)}, and the layer has not`;
    const problem = markDifference(there, opaque.has(there.path));
    if (problem !== undefined) return problem;
  }
  return undefined;
}

async function contentDifference(path: string, tree: Tree): Promise<string | undefined> {
  const files = tree.entries.filter((entry): entry is IndexedFile => entry.kind === "file");
  const hashes = await hashFiles(
    path,
    files.map((file) => file.path),
  );
  const wrong = files.find(({ digest }, i) => digestFromBytes(hashes.subarray(i * 32, i * 32 + 32)) !== digest);
  return wrong && `its ${quotePath(wrong.path)} has other bytes than the layer's`;
}
