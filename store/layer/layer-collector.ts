import type { Attributes, ByteString } from "../../runtime-addon/index.ts";
import type { Digest } from "../digest.ts";
import { TsbuildError } from "../errors.ts";
import { inWalkOrder, sortEntries } from "./canonical.ts";
import type { FileEntry, LayerEntry, NodeEntry } from "./entry.ts";
import { baseName, joinPath, normaliseArchivePath, parentPath, quotePath, rootPath } from "./entry-path.ts";
import { defaultLayerLimits, type LayerLimits, layerMeter, xattrBytes } from "./layer-limits.ts";

/** A file's attributes, and what the collector's user knows of its content; its hard links share one. */
export type Inode = Attributes & { readonly size: number };
/** A file of a tar. */
export type TarInode = Inode & { readonly digest: Digest; readonly offset: number };

type Other = Exclude<NodeEntry, { kind: "file" | "hardlink" }>;
type CollectedEntry<File extends Inode> = Exclude<LayerEntry, FileEntry> | (FileEntry & File);

interface Node<File extends Inode> {
  readonly order: number;
  readonly what: { readonly inode: File } | { readonly entry: Other } | { readonly outside: ByteString; readonly attributes: Attributes };
}

/** What is there already where a tar is unpacked: its root is the destination. */
export interface UnpackedOver<File extends Inode, There extends FileEntry> {
  /** Follows no symlink. */
  lookup(path: ByteString): Other | There | undefined;
  /** A file of it that gets another name. */
  adopt(file: There): File;
}

/**
 * Gathers what a tar says in its own order and tells at the end what it means: the last entry of a path wins; what was below a directory that
 * something else replaced is gone; a name below a symlink of the same layer stands where the symlink leads, confined to the layer's root; hard links
 * keep the content that they were made of; a removed path that the layer has as a directory is an opaque directory.
 * Over something, symlinks of that count too; a directory in the place of something that replaced a directory is opaque; a file that gets another
 * name is an entry under both.
 */
export interface LayerCollector<File extends Inode> {
  file(path: ByteString, inode: File, where: string): void;
  /**
   * `target` as it is in the archive, normalised. One that this layer has no file for stays a link, to be resolved in lower layers; over something it
   * must be there: throws INVALID_TAR.
   */
  hardlink(path: ByteString, target: ByteString, attributes: Attributes, where: string): void;
  other(entry: Other, where: string): void;
  whiteout(path: ByteString, where: string): void;
  opaque(directory: ByteString, where: string): void;
  /** In the order of a tree. */
  entries(): CollectedEntry<File>[];
}

/** What the kernel follows in one path (path_resolution(7)). */
const maxSymlinks = 40;
/** Keeps small what one entry can cost, in segments, */
const maxSteps = 4096;
/** and what symlinks can cost in all, in bytes of names and targets. */
const maxLinkWork = 500_000_000;

/** Stands for whatever can hold no entries and leads nowhere. */
const leaf = { kind: "file" } as const;

/** Every method throws TOO_LARGE at the limits. `over`: where the tar is unpacked, if it is not a layer. */
export function layerCollector<File extends Inode, There extends FileEntry = never>(
  limits: LayerLimits = defaultLayerLimits,
  over?: UnpackedOver<File, There>,
): LayerCollector<File> {
  const meter = layerMeter(limits);
  const nodes = new Map<ByteString, Node<File>>();
  /** When something that is no directory was last put at a path: whatever was put below it earlier is gone. */
  const cutAt = new Map<ByteString, number>();
  const whiteouts = new Set<ByteString>();
  const opaques = new Set<ByteString>();
  /** Where the entries of directories stand; holds as long as nothing on the way is replaced. */
  const resolved = new Map<ByteString, ByteString>([[rootPath, rootPath]]);
  const onTheWay = new Set<ByteString>();
  /** Targets of symlinks that have shorter forms, with those. */
  const shortened = new Map<ByteString, ByteString>();
  let linkWork = 0;
  let order = 0;

  const linkThere = (path: ByteString): Other | undefined => {
    const entry = over?.lookup(path);
    return entry?.kind === "symlink" ? entry : undefined;
  };

  const put = (path: ByteString, what: Node<File>["what"], where: string): void => {
    const directory = "entry" in what && what.entry.kind === "directory";
    if (path === "" && !directory) throw new TsbuildError("INVALID_TAR", `${where}: the root is not a directory`);
    nodes.set(path, { order: order++, what });
    if (!directory) cutAt.set(path, order);
    if (onTheWay.size > 0 && onTheWay.has(path) && (!directory || cutAt.has(path) || linkThere(path) !== undefined)) {
      resolved.clear();
      resolved.set(rootPath, rootPath);
      onTheWay.clear();
    }
  };

  /** Without what leads nowhere, of which a target may be full: it is looked at once, however often the symlink is followed. */
  const shortTarget = (target: ByteString): ByteString => {
    if (!/\/(?:\.?\/|\.?$)|^\.\//.test(target)) return target;
    const known = shortened.get(target);
    if (known !== undefined) return known;
    const segments = target.split("/").filter((segment) => segment !== "" && segment !== ".");
    const short = segments.join("/") as ByteString;
    shortened.set(target, short);
    return short;
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
      if (++steps > maxSteps)
        throw new TsbuildError("SYMLINK_LOOP", `${where}: ${quotePath(directory)} leads through too many directories`);
      if (segment === "..") {
        if (reached.length > 1) reached.pop();
        continue;
      }
      const path = joinPath(here.path, segment as ByteString);
      work += path.length;
      if (!onTheWay.has(path)) {
        meter.names(path.length, where);
        onTheWay.add(path);
      }
      const node = nodes.get(path);
      const isAlive = node !== undefined && node.order >= here.cut;
      const entry = !isAlive ? (here.cut > 0 ? undefined : linkThere(path)) : "entry" in node.what ? node.what.entry : leaf;
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
      const target = shortTarget(entry.target);
      rest = rest.concat(target.split("/").reverse());
      work += target.length;
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
  const aliveNode = (path: ByteString): Node<File> | undefined => {
    const node = nodes.get(path);
    return node !== undefined && node.order >= cutAbove(parentPath(path)) ? node : undefined;
  };
  /** What a hard link leads to: of the tar, else of what is there. */
  const linked = (target: ByteString, where: string): Node<File>["what"] | undefined => {
    const node = aliveNode(target);
    if (node !== undefined || cutAbove(parentPath(target)) > 0) return node?.what;
    const there = over?.lookup(target);
    if (over === undefined || there === undefined) return undefined;
    if (there.kind !== "file") return { entry: there };
    const what = { inode: over.adopt(there) };
    put(target, what, where);
    return what;
  };

  return {
    file(path, inode, where) {
      meter.entry(path, where, rootPath, inode);
      put(resolve(path, where), { inode }, where);
    },
    hardlink(path, target, attributes, where) {
      meter.entry(path, where, target, attributes);
      const to = resolve(target, where);
      const at = resolve(path, where);
      if (at === to && aliveNode(to) !== undefined) return;
      const what = at === to ? undefined : linked(to, where);
      if (what === undefined) {
        if (over === undefined) return put(at, { outside: to, attributes }, where);
        throw new TsbuildError("INVALID_TAR", `${where}: ${quotePath(path)} is a hard link to ${quotePath(target)}, which is not there`);
      }
      // A tree tells a file's attributes with each of its names.
      meter.names(xattrBytes("entry" in what ? what.entry : "inode" in what ? what.inode : what.attributes), where);
      if (!("entry" in what)) return put(at, what, where);
      if (what.entry.kind === "directory")
        throw new TsbuildError("INVALID_TAR", `${where}: ${quotePath(path)} is a hard link to a directory`);
      // Links of other kinds become copies: nothing can be written through them.
      put(at, { entry: { ...what.entry, path: at } }, where);
    },
    other(entry, where) {
      if (entry.kind === "char" && entry.major === 0 && entry.minor === 0) {
        throw new TsbuildError("INVALID_TAR", `${where}: ${quotePath(entry.path)} is the device 0:0, which overlay takes for a removal`);
      }
      meter.entry(entry.path, where, "target" in entry ? entry.target : rootPath, entry);
      const path = resolve(entry.path, where);
      put(path, { entry: path === entry.path ? entry : { ...entry, path } }, where);
    },
    whiteout(path, where) {
      meter.entry(path, where);
      whiteouts.add(resolve(path, where));
    },
    opaque(directory, where) {
      meter.entry(directory, where);
      opaques.add(directory === "" ? directory : resolveDirectory(directory, where));
    },
    entries() {
      const isDirectoryThere = (path: ByteString): boolean => over?.lookup(path)?.kind === "directory";
      return settle({ nodes, cutAt, whiteouts, opaques, isDirectoryThere });
    },
  };
}

interface Collected<File extends Inode> {
  readonly nodes: ReadonlyMap<ByteString, Node<File>>;
  readonly cutAt: ReadonlyMap<ByteString, number>;
  readonly whiteouts: ReadonlySet<ByteString>;
  readonly opaques: ReadonlySet<ByteString>;
  isDirectoryThere(path: ByteString): boolean;
}

function settle<File extends Inode>(collected: Collected<File>): CollectedEntry<File>[] {
  const { nodes, cutAt, whiteouts, isDirectoryThere } = collected;
  const opaques = new Set(collected.opaques);
  const paths = inWalkOrder([...nodes.keys()]);
  const result: CollectedEntry<File>[] = [];
  const firstNames = new Map<File, ByteString>();
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
    if (entry.kind === "directory" && cutAt.has(path) && isDirectoryThere(path)) opaques.add(path);
    result.push(entry);
  }
  const sorted = result.length;
  addRemovals(result, { directories, leaves, whiteouts, opaques });
  return result.length === sorted ? result : sortEntries(result);
}

function entryOf<File extends Inode>(path: ByteString, what: Node<File>["what"], firstNames: Map<File, ByteString>): CollectedEntry<File> {
  if ("entry" in what) return what.entry;
  if ("outside" in what) return { kind: "hardlink", path, target: what.outside, ...what.attributes };
  const first = firstNames.get(what.inode);
  if (first !== undefined) return { kind: "hardlink", path, target: first, ...attributesOf(what.inode) };
  firstNames.set(what.inode, path);
  return { kind: "file", path, ...what.inode };
}

function attributesOf({ mode, uid, gid, mtime, mtimeNsec, xattrs }: Attributes): Attributes {
  return { mode, uid, gid, mtime, mtimeNsec, ...(xattrs !== undefined && { xattrs }) };
}

interface Removals {
  readonly directories: ReadonlySet<ByteString>;
  readonly leaves: ReadonlySet<ByteString>;
  readonly whiteouts: ReadonlySet<ByteString>;
  readonly opaques: ReadonlySet<ByteString>;
}

/** Removals touch lower layers only, so one at or above a path of this layer says no more than that the path's past is hidden. */
function addRemovals(result: LayerEntry[], { directories, leaves, whiteouts, opaques }: Removals): void {
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
