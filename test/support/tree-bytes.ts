import { encodeTree, type Tree } from "../../store/layer/tree.ts";

/** A tree's file, all at once. */
export function treeBytes(tree: Tree): Buffer {
  return Buffer.concat(Array.from(encodeTree(tree), (chunk) => Buffer.from(chunk)));
}
