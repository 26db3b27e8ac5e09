import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type ByteString, bytesOf, decodeScan, hashFiles, isSystemError, type ScanEntry, scan } from "../../runtime-addon/index.ts";
import { digestFromBytes } from "../digest.ts";
import type { IndexedFile, TreeEntry } from "../layer/entry.ts";
import { quotePath } from "../layer/entry-path.ts";
import type { Tree } from "../layer/tree.ts";

/**
 * How an unpacked directory differs from its layer: files by kind, mode, owner and content, links by target, directories by what they hide; nothing more in it than the layer has. Undefined: not
 * at all, or it has gone, or this user may not look. Devices may be missing, where none could be made; owners are compared where `exact` says that they are kept and they are root's own.
 */
export async function checkDirectory(path: string, tree: Tree, owners: "exact" | "flat"): Promise<string | undefined> {
  try {
    const found = new Map(
      [...decodeScan(await scan(path, [bytesOf("")], { recursive: true, xattrs: true }))].map((entry) => [entry.path, entry]),
    );
    const hasOwners = owners === "exact" && process.getuid?.() === 0 && (await stat(join(path, ".."))).uid === 0;
    const files: IndexedFile[] = [];
    const named = new Set<ByteString>();
    for (const entry of tree.entries) {
      if (entry.path === "") continue;
      if (entry.kind === "opaque") {
        if (found.get(entry.path)?.xattrs?.["user.overlay.opaque"] !== "y")
          return `its ${quotePath(entry.path)} lets files of lower layers through`;
        continue;
      }
      named.add(entry.path);
      const there = found.get(entry.path);
      const problem = difference(entry, there) ?? (there && metadataDifference(entry, there, hasOwners));
      if (problem !== undefined) return problem;
      if (entry.kind === "file" && there?.type === "file") files.push(entry);
    }
    for (const { path: extra, type } of found.values()) {
      // Directories that a layer only implies are made from what lies below.
      if (type !== "directory" && !named.has(extra)) return `it has ${quotePath(extra)}, and the layer has not`;
    }
    const hashes = await hashFiles(
      path,
      files.map((file) => file.path),
    );
    const wrong = files.find(({ digest }, i) => digestFromBytes(hashes.subarray(i * 32, i * 32 + 32)) !== digest);
    return wrong && `its ${quotePath(wrong.path)} has other bytes than the layer's`;
  } catch (error) {
    if (isSystemError(error, "ENOENT", "EACCES", "EPERM")) return undefined;
    throw error;
  }
}

function difference(entry: Exclude<TreeEntry, { kind: "opaque" }>, there: ScanEntry | undefined): string | undefined {
  if (entry.kind === "char" || entry.kind === "block") return undefined;
  const type = entry.kind === "hardlink" ? "file" : entry.kind === "whiteout" ? "char" : entry.kind;
  if (there === undefined) return `${quotePath(entry.path)} is missing`;
  // A hard link may be one of anything but a directory.
  if (there.type !== type && !(entry.kind === "hardlink" && there.type !== "directory"))
    return `its ${quotePath(entry.path)} is a ${there.type}, not a ${type}`;
  if (entry.kind === "file" && there.size !== entry.size) return `its ${quotePath(entry.path)} has ${there.size} bytes, not ${entry.size}`;
  if (entry.kind === "symlink" && there.target !== entry.target) return `its ${quotePath(entry.path)} leads elsewhere than the layer's`;
  return undefined;
}

function metadataDifference(entry: Exclude<TreeEntry, { kind: "opaque" }>, there: ScanEntry, hasOwners: boolean): string | undefined {
  if (entry.kind === "hardlink" || entry.kind === "whiteout" || entry.kind === "char" || entry.kind === "block") return undefined;
  if (hasOwners && (there.uid !== entry.uid || there.gid !== entry.gid))
    return `its ${quotePath(entry.path)} belongs to ${there.uid}:${there.gid}, not to ${entry.uid}:${entry.gid}`;
  if (entry.kind === "symlink" || there.mode === entry.mode) return undefined;
  return `its ${quotePath(entry.path)} has mode ${there.mode.toString(8)}, not ${entry.mode.toString(8)}`;
}
