import type { Attributes, ByteString } from "../../runtime-addon/index.ts";
import type { Digest } from "../digest.ts";
import { TsbuildError } from "../errors.ts";
import { inWalkOrder, sortEntries } from "./canonical.ts";
import type { TreeEntry } from "./entry.ts";
import { baseName, joinPath, normaliseArchivePath, parentPath, quotePath, rootPath } from "./entry-path.ts";

/** A file's content and attributes; its hard links share one. */
export type Inode = Attributes & { readonly size: number; readonly digest: Digest; readonly offset: number };

type Other = Exclude<TreeEntry, { kind: "file" | "hardlink" | "whiteout" | "opaque" }>;

interface Node {
  readonly order: number;
  readonly what: { readonly inode: Inode } | { readonly entry: Other } | { readonly outside: ByteString; readonly attributes: Attributes };
}

/**
 * Gathers what a tar says in its own order and tells at the end what it means: the last entry of a path wins; what was below a directory that
 * something else replaced is gone; a name below a symlink of the same layer stands where the symlink leads, confined to the layer's root; hard links
 * keep the content that they were made of; a removed path that the layer has as a directory is an opaque directory.
 */
export interface LayerCollector {
  file(path: ByteString, inode: Inode, where: string): void;
  /** `target` as it is in the archive, normalised. One that this layer has no file for stays a link, to be resolved in lower layers. */
  hardlink(path: ByteString, target: ByteString, attributes: Attributes, where: string): void;
  other(entry: Other, where: string): void;
  whiteout(path: ByteString, where: string): void;
  opaque(directory: ByteString, where: string): void;
  /** In the order of a tree. */
  entries(): TreeEntry[];
}

/** What the kernel follows in one path (path_resolution(7)). */
const maxSymlinks = 40;
/** Keeps small what one entry can cost, in segments, */
const maxSteps = 4096;
/** and what symlinks can cost in all, in bytes of names. */
const maxLinkWork = 500_000_000;

/** What a layer may cost whoever reads it, as an entry of a compressed tar costs its writer next to nothing. */
export interface LayerLimits {
  readonly entries: number;
  /** Bytes of paths, of link targets, of extended attributes, and of the directories that the paths lead through. */
  readonly nameBytes: number;
}

/** Together some 1 GB of memory, with the tree that is written of them. Layers of large images have a fifth of it. */
export const defaultLayerLimits: LayerLimits = { entries: 500_000, nameBytes: 64 * 2 ** 20 };

/** Stands for whatever can hold no entries and leads nowhere. */
const leaf = { kind: "file" } as const;

/** Every method throws TOO_LARGE at the limits. */
export function layerCollector(limits: LayerLimits = defaultLayerLimits): LayerCollector {
  const nodes = new Map<ByteString, Node>();
  /** When something that is no directory was last put at a path: whatever was put below it earlier is gone. */
  const cutAt = new Map<ByteString, number>();
  const whiteouts = new Set<ByteString>();
  const opaques = new Set<ByteString>();
  /** Where the entries of directories stand; holds as long as nothing on the way is replaced. */
  const resolved = new Map<ByteString, ByteString>([[rootPath, rootPath]]);
  const onTheWay = new Set<ByteString>();
  let linkWork = 0;
  let order = 0;
  let entryCount = 0;
  let nameBytes = 0;

  const countNames = (bytes: number, where: string): void => {
    nameBytes += bytes;
    if (nameBytes > limits.nameBytes) throw new TsbuildError("TOO_LARGE", `${where}: names of more than ${limits.nameBytes} bytes`);
  };
  const count = (path: ByteString, where: string, target = "", attributes: Partial<Attributes> = {}): void => {
    entryCount += 1;
    if (entryCount > limits.entries) throw new TsbuildError("TOO_LARGE", `${where}: more than ${limits.entries} entries`);
    countNames(path.length + target.length + xattrBytes(attributes), where);
  };

  const put = (path: ByteString, what: Node["what"], where: string): void => {
    const directory = "entry" in what && what.entry.kind === "directory";
    if (path === "" && !directory) throw new TsbuildError("INVALID_TAR", `${where}: the root is not a directory`);
    nodes.set(path, { order: order++, what });
    if (!directory) cutAt.set(path, order);
    if (onTheWay.size > 0 && onTheWay.has(path) && !(directory && !cutAt.has(path))) {
      resolved.clear();
      resolved.set(rootPath, rootPath);
      onTheWay.clear();
    }
  };

  /** Where entries of this directory stand. */
  const resolveDirectory = (directory: ByteString, where: string): ByteString => {
    const known = resolved.get(directory);
    if (known !== undefined) return known;
    let links = 0;
    let steps = 0;
    let work = 0;
    let rest = directory.split("/").reverse();
    // The directories from the root to where we are, each with the newest cut at or above it.
    const reached = [{ path: rootPath, cut: 0 }];
    for (let segment = rest.pop(); segment !== undefined; segment = rest.pop()) {
      if (segment === "" || segment === ".") continue;
      const here = reached.at(-1) ?? { path: rootPath, cut: 0 };
      if (segment === "..") {
        if (reached.length > 1) reached.pop();
        continue;
      }
      if (++steps > maxSteps)
        throw new TsbuildError("SYMLINK_LOOP", `${where}: ${quotePath(directory)} leads through too many directories`);
      const path = joinPath(here.path, segment as ByteString);
      work += path.length;
      if (!onTheWay.has(path)) {
        countNames(path.length, where);
        onTheWay.add(path);
      }
      const node = nodes.get(path);
      const entry = node === undefined || node.order < here.cut ? undefined : "entry" in node.what ? node.what.entry : leaf;
      if (entry === undefined || entry.kind === "directory") {
        reached.push({ path, cut: Math.max(here.cut, cutAt.get(path) ?? 0) });
        continue;
      }
      if (entry.kind !== "symlink") {
        throw new TsbuildError("INVALID_TAR", `${where}: an entry lies below ${quotePath(path)}, which is no directory`);
      }
      if (++links > maxSymlinks)
        throw new TsbuildError("SYMLINK_LOOP", `${where}: ${quotePath(directory)} leads through too many symlinks`);
      if (entry.target.startsWith("/")) reached.length = 1;
      rest = rest.concat(entry.target.split("/").reverse());
    }
    if (links > 0) linkWork += work;
    if (linkWork > maxLinkWork) throw new TsbuildError("SYMLINK_LOOP", `${where}: the archive's names lead through too many symlinks`);
    const found = links === 0 ? directory : (reached.at(-1)?.path ?? rootPath);
    resolved.set(directory, found);
    return found;
  };
  const resolve = (path: ByteString, where: string): ByteString => {
    if (path === "") return path;
    const given = parentPath(path);
    const directory = resolveDirectory(given, where);
    return directory === given ? path : normaliseArchivePath(joinPath(directory, baseName(path)), where);
  };
  const cutAbove = (path: ByteString): number => {
    let cut = 0;
    for (let at = path; at !== ""; at = parentPath(at)) cut = Math.max(cut, cutAt.get(at) ?? 0);
    return cut;
  };
  const aliveNode = (path: ByteString): Node | undefined => {
    const node = nodes.get(path);
    return node !== undefined && node.order >= cutAbove(parentPath(path)) ? node : undefined;
  };

  return {
    file(path, inode, where) {
      count(path, where, "", inode);
      put(resolve(path, where), { inode }, where);
    },
    hardlink(path, target, attributes, where) {
      count(path, where, target, attributes);
      const to = resolve(target, where);
      const at = resolve(path, where);
      const node = aliveNode(to);
      if (node === undefined) return put(at, { outside: to, attributes }, where);
      const { what } = node;
      // A tree tells a file's attributes with each of its names.
      countNames(xattrBytes("entry" in what ? what.entry : "inode" in what ? what.inode : what.attributes), where);
      if (!("entry" in what)) return at === to ? undefined : put(at, what, where);
      if (what.entry.kind === "directory")
        throw new TsbuildError("INVALID_TAR", `${where}: ${quotePath(path)} is a hard link to a directory`);
      // Links of other kinds become copies: nothing can be written through them.
      put(at, { entry: { ...what.entry, path: at } }, where);
    },
    other(entry, where) {
      count(entry.path, where, "target" in entry ? entry.target : "", entry);
      const path = resolve(entry.path, where);
      put(path, { entry: path === entry.path ? entry : { ...entry, path } }, where);
    },
    whiteout(path, where) {
      count(path, where);
      whiteouts.add(resolve(path, where));
    },
    opaque(directory, where) {
      count(directory, where);
      opaques.add(directory === "" ? directory : resolveDirectory(directory, where));
    },
    entries: () => settle(nodes, cutAt, whiteouts, opaques),
  };
}

function xattrBytes({ xattrs }: Partial<Attributes>): number {
  let bytes = 0;
  if (xattrs !== undefined) for (const [name, value] of Object.entries(xattrs)) bytes += name.length + value.length;
  return bytes;
}

function settle(
  nodes: ReadonlyMap<ByteString, Node>,
  cutAt: ReadonlyMap<ByteString, number>,
  whiteouts: ReadonlySet<ByteString>,
  opaques: ReadonlySet<ByteString>,
): TreeEntry[] {
  const paths = inWalkOrder([...nodes.keys()]);
  const result: TreeEntry[] = [];
  const firstNames = new Map<Inode, ByteString>();
  /** Of each directory, given or implied: the newest cut at or above it. */
  const cuts = new Map<ByteString, number>([[rootPath, 0]]);
  const cutOf = (directory: ByteString): number => {
    const known = cuts.get(directory);
    if (known !== undefined) return known;
    const cut = Math.max(cutOf(parentPath(directory)), cutAt.get(directory) ?? 0);
    cuts.set(directory, cut);
    return cut;
  };
  const directories = new Set<ByteString>([rootPath]);
  const leaves = new Set<ByteString>();
  for (const path of paths) {
    const node = nodes.get(path);
    if (node === undefined || node.order < (path === "" ? 0 : cutOf(parentPath(path)))) continue;
    for (let above = parentPath(path); !directories.has(above); above = parentPath(above)) directories.add(above);
    const entry = entryOf(path, node.what, firstNames);
    if (entry.kind === "directory") directories.add(path);
    else leaves.add(path);
    result.push(entry);
  }
  const sorted = result.length;
  addRemovals(result, { directories, leaves, whiteouts, opaques });
  return result.length === sorted ? result : sortEntries(result);
}

function entryOf(path: ByteString, what: Node["what"], firstNames: Map<Inode, ByteString>): TreeEntry {
  if ("entry" in what) return what.entry;
  if ("outside" in what) return { kind: "hardlink", path, target: what.outside, ...what.attributes };
  const { size, digest, offset, ...attributes } = what.inode;
  const first = firstNames.get(what.inode);
  if (first !== undefined) return { kind: "hardlink", path, target: first, ...attributes };
  firstNames.set(what.inode, path);
  return { kind: "file", path, ...attributes, size, digest, offset };
}

interface Removals {
  readonly directories: ReadonlySet<ByteString>;
  readonly leaves: ReadonlySet<ByteString>;
  readonly whiteouts: ReadonlySet<ByteString>;
  readonly opaques: ReadonlySet<ByteString>;
}

/** Removals touch lower layers only, so one at or above a path of this layer says no more than that the path's past is hidden. */
function addRemovals(result: TreeEntry[], { directories, leaves, whiteouts, opaques }: Removals): void {
  const hides = (path: ByteString): boolean => whiteouts.has(path) || opaques.has(path) || leaves.has(path);
  const hiddenAbove = (path: ByteString): boolean => {
    for (let above = path; above !== ""; ) {
      above = parentPath(above);
      if (hides(above)) return true;
    }
    return false;
  };
  for (const path of opaques) {
    if (!leaves.has(path) && !hiddenAbove(path)) result.push({ kind: "opaque", path });
  }
  for (const path of whiteouts) {
    if (leaves.has(path) || opaques.has(path) || hiddenAbove(path)) continue;
    result.push({ kind: directories.has(path) ? "opaque" : "whiteout", path });
  }
}
