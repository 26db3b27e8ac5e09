import type { ByteString } from "../../runtime-addon/index.ts";
import { type Digest, digestOf } from "../../store/digest.ts";
import type { SourceNode } from "../steps/copy-source.ts";

/** Digest of a tree of files, and the text of each of its directories under that directory's own digest. */
export interface Merkle {
  readonly root: Digest;
  readonly nodes: ReadonlyMap<Digest, string>;
}

export interface MerkleOptions {
  /** --chmod sets them anyway, but for directories that only lead to what is taken. */
  readonly ignoreModes: boolean;
  /** --chown sets them anyway. */
  readonly ignoreOwners: boolean;
}

/**
 * Hashes what a COPY would take from one source: names, kinds, modes, owners, link targets, attributes and contents; no times. Of a source that is a
 * directory only what is in it counts, since nothing else of it is copied.
 * `digest` gives the content digest of a file. A directory's text is one JSON row a child, sorted by name.
 */
export function merkleOf(nodes: readonly SourceNode[], digest: (node: SourceNode) => Digest, options: MerkleOptions): Merkle {
  const texts = new Map<Digest, string>();
  const rows = new Map<ByteString, [name: string, row: string][]>();
  // Sources come parents first, so that going backwards a directory's children are complete when it is reached.
  let root: Digest | undefined;
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i];
    if (node === undefined) continue;
    let content: string | undefined;
    if (node.kind === "directory") {
      const children = rows.get(node.path) ?? [];
      // They came from the last to the first: sorted already, but where a source is not.
      children.reverse();
      if (children.some(([name], at) => at > 0 && name < (children[at - 1]?.[0] ?? ""))) children.sort(([a], [b]) => (a < b ? -1 : 1));
      const text = children.map(([, row]) => row).join("\n");
      content = digestOf(text);
      texts.set(content as Digest, text);
      rows.delete(node.path);
    } else if (node.kind === "file") content = digest(node);
    else if (node.kind === "symlink" || node.kind === "hardlink") content = node.target;
    else if (node.kind === "char" || node.kind === "block") content = `${node.major}:${node.minor}`;
    const at = node.path.lastIndexOf("/");
    const name = node.path.slice(at + 1);
    if (node.path === "" && node.kind === "directory") {
      root = digestOf(`["directory","${content}"]`);
      continue;
    }
    const kind = node.leads ? "leads" : node.kind;
    // Over a directory that is there a leading one puts its own mode, whatever --chmod says.
    const mode = (options.ignoreModes && !node.leads) || node.kind === "symlink" ? "null" : `"${node.mode.toString(8)}"`;
    const owner = options.ignoreOwners ? "null" : `"${node.uid}:${node.gid}"`;
    const isDigest = node.kind === "file" || node.kind === "directory";
    const value = content === undefined ? "null" : isDigest ? `"${content}"` : JSON.stringify(content);
    const xattrs = node.xattrs === undefined ? "null" : JSON.stringify(Object.entries(node.xattrs).sort());
    const row = `[${JSON.stringify(name)},"${kind}",${mode},${owner},${value},${xattrs}]`;
    if (node.path === "") root = digestOf(row);
    else {
      const parent = (at < 0 ? "" : node.path.slice(0, at)) as ByteString;
      const siblings = rows.get(parent);
      if (siblings === undefined) rows.set(parent, [[name, row]]);
      else siblings.push([name, row]);
    }
  }
  if (root === undefined) throw new RangeError("a source without its own node");
  return { root, nodes: texts };
}
