import type { ByteString } from "../../runtime-addon/index.ts";
import type { DirectoryEntry, IndexedFile, SourceEntry } from "./entry.ts";
import { joinPath, rootPath } from "./entry-path.ts";
import { type Rootfs, type RootfsLayer, stackRootfs } from "./rootfs.ts";
import { indexOf, type TreeNode } from "./tree-index.ts";

/**
 * The entries of one layer that makes of `base` what these layers make of it together, both bottom first. Over no base it is the whole tree, without
 * removals. What a layer made and a later one removed is in none of it. A hard link into the base becomes a file of its own. Contents stay where
 * they are.
 */
export async function mergeLayers(base: readonly RootfsLayer[], layers: readonly RootfsLayer[]): Promise<SourceEntry[]> {
  const below = stackRootfs(base);
  const all = stackRootfs([...base, ...layers]);
  const trees = layers.map(({ tree }) => indexOf(tree));
  const merged: SourceEntry[] = [];
  const files: IndexedFile[] = [];
  /** `hidden`: nothing of what the base has in the directory above is to be seen. */
  const left: { readonly path: ByteString; readonly hidden: boolean }[] = [{ path: rootPath, hidden: false }];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const { path, hidden } = next;
    const nodes = trees.map((tree) => tree.node(path)).filter((node) => node !== undefined);
    const entry = all.lookup(path);
    const before = hidden ? undefined : below.lookup(path);
    if (entry === undefined) {
      if (before !== undefined) merged.push({ kind: "whiteout", path });
    } else if (entry.kind === "file") {
      files.push(entry as IndexedFile);
    } else if (entry.kind !== "directory") {
      merged.push(entry);
    } else {
      const hides = trees.some((tree) => tree.nearest(path).hidesBelow);
      const isKept = before?.kind === "directory";
      merged.push(...directory(entry, nodes, { isKept, hides: hides && isKept && below.list(path).length > 0 }));
      for (const name of new Set(nodes.flatMap(({ children }) => children))) {
        left.push({ path: joinPath(path, name), hidden: hidden || hides || !isKept });
      }
    }
  }
  await addFiles(merged, files, all);
  return merged;
}

/** One that the layers only imply, and that the base has, is left out. */
function directory(
  entry: DirectoryEntry,
  nodes: readonly TreeNode[],
  { isKept, hides }: { readonly isKept: boolean; readonly hides: boolean },
): SourceEntry[] {
  const isSaid = nodes.some((node) => node.entry?.kind === "directory");
  if (isKept && !isSaid && !hides) return [];
  return hides ? [entry, { kind: "opaque", path: entry.path }] : [entry];
}

async function addFiles(merged: SourceEntry[], files: readonly IndexedFile[], rootfs: Rootfs): Promise<void> {
  const firstNames = new Map<string, ByteString>();
  for (const file of files) {
    const inode = rootfs.inode(file);
    const target = firstNames.get(inode);
    const { offset: _offset, size, digest, ...attributes } = file;
    if (target !== undefined) merged.push({ ...attributes, kind: "hardlink", target });
    else {
      firstNames.set(inode, file.path);
      const { size: _size, ...content } = await rootfs.content(file);
      merged.push({ ...attributes, size, digest, content });
    }
  }
}

/** The same entries one directory further down, with that directory. */
export function inFolder(folder: ByteString, entries: readonly SourceEntry[]): SourceEntry[] {
  const moved = entries
    .filter(({ path }) => path !== rootPath)
    .map((entry): SourceEntry => {
      const path = joinPath(folder, entry.path);
      return entry.kind === "hardlink" ? { ...entry, path, target: joinPath(folder, entry.target) } : { ...entry, path };
    });
  return [{ kind: "directory", path: folder, mode: 0o755, uid: 0, gid: 0, mtime: 0, mtimeNsec: 0 }, ...moved];
}
