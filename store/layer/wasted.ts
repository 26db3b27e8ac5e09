import { rootPath } from "./entry-path.ts";
import { type Rootfs, stackRootfs } from "./rootfs.ts";
import type { Tree } from "./tree.ts";

/**
 * For each layer, bottom first, the bytes of its files that no name of the whole leads to any more: layers above it replace or remove them. What an
 * image carries for nothing. Reads trees only. Throws as Rootfs.lookup does for hard links that lead nowhere.
 */
export function wastedBytes(trees: readonly Tree[]): readonly number[] {
  const rootfs = stackRootfs(trees.map((tree) => ({ tree, tar: () => Promise.reject(new Error("no content is read")) })));
  const visible = visibleInodes(rootfs);
  return trees.map((tree, i) => {
    // As Rootfs.inode names files: by the layer from the top, and by where their content is in it.
    const depth = trees.length - 1 - i;
    let wasted = 0;
    for (const entry of tree.entries) {
      if (entry.kind === "file" && !visible.has(`${depth} ${entry.offset}`)) wasted += entry.size;
    }
    return wasted;
  });
}

function visibleInodes(rootfs: Rootfs): ReadonlySet<string> {
  const inodes = new Set<string>();
  for (const entry of rootfs.walk(rootPath)) if (entry.kind === "file") inodes.add(rootfs.inode(entry));
  return inodes;
}
