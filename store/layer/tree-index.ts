import type { ByteString } from "../../runtime-addon/index.ts";
import type { TreeEntry } from "./entry.ts";
import { baseName, parentPath } from "./entry-path.ts";
import type { Tree } from "./tree.ts";

/** What one layer says about one path. */
export interface TreeNode {
  readonly path: ByteString;
  /** Absent for a directory that the layer only implies by what is in it, or by its opaque marker. */
  readonly entry: Exclude<TreeEntry, { kind: "opaque" }> | undefined;
  readonly opaque: boolean;
  /** Whether lower layers' entries below this path are hidden by it or by a directory above it. */
  readonly hidesBelow: boolean;
  /** Names in it, whiteouts too. */
  readonly children: readonly ByteString[];
}

export interface TreeIndex {
  node(path: ByteString): TreeNode | undefined;
  /** The node of the path, or of the nearest directory above it that the layer knows; the root is always known. */
  nearest(path: ByteString): TreeNode;
}

interface MutableNode {
  path: ByteString;
  entry: TreeNode["entry"];
  opaque: boolean;
  hidesBelow: boolean;
  children: ByteString[];
}

const indexes = new WeakMap<Tree, TreeIndex>();

/** Looks paths of one layer up; made when first asked for, then kept as long as the tree is. */
export function indexOf(tree: Tree): TreeIndex {
  let index = indexes.get(tree);
  if (index === undefined) {
    index = makeIndex(tree.entries);
    indexes.set(tree, index);
  }
  return index;
}

function makeIndex(entries: readonly TreeEntry[]): TreeIndex {
  const root = emptyNode("" as ByteString);
  const nodes = new Map<ByteString, MutableNode>([[root.path, root]]);

  const nodeAt = (path: ByteString): MutableNode => {
    const known = nodes.get(path);
    if (known !== undefined) return known;
    const made: MutableNode[] = [];
    let above = path;
    let parent: MutableNode | undefined;
    for (; parent === undefined; parent = nodes.get(above)) {
      const node = emptyNode(above);
      nodes.set(above, node);
      made.push(node);
      above = parentPath(above);
    }
    // From the top down, since a node hides what its parent hides.
    for (let node = made.pop(); node !== undefined; node = made.pop()) {
      node.hidesBelow = parent.hidesBelow;
      parent.children.push(baseName(node.path));
      parent = node;
    }
    return parent;
  };

  for (const entry of entries) {
    const node = nodeAt(entry.path);
    if (entry.kind === "opaque") node.opaque = true;
    else node.entry = entry;
    // Entries come parents first, an opaque marker directly behind its directory: what is below is not there yet.
    node.hidesBelow ||= entry.kind !== "directory";
  }
  return {
    node: (path) => nodes.get(path),
    nearest(path) {
      for (let at = path; ; at = parentPath(at)) {
        const node = nodes.get(at);
        if (node !== undefined) return node;
      }
    },
  };
}

function emptyNode(path: ByteString): MutableNode {
  return { path, entry: undefined, opaque: false, hidesBelow: false, children: [] };
}
