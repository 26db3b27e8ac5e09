import type { ByteString } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../errors.ts";
import type { LayerEntry, SourceEntry } from "./entry.ts";
import { checkEntryPath, parentPath, quotePath } from "./entry-path.ts";
import { layerXattrs } from "./xattrs.ts";

/** Orders entries by the bytes of their paths; an opaque marker stands directly behind its directory. */
export function compareEntries(a: LayerEntry, b: LayerEntry): number {
  if (a.path !== b.path) return a.path < b.path ? -1 : 1;
  return Number(a.kind === "opaque") - Number(b.kind === "opaque");
}

/**
 * The one form in which a set of entries is written: sorted, checked, of hard links the first name the file, attributes of links the file's,
 * extended attributes as layers hold them. Throws INVALID_LAYER for a path given twice, an entry below something that is no directory, a hard
 * link to what is not a file of this layer; UNSAFE_PATH and RESERVED_NAME as checkEntryPath.
 */
export function canonicalEntries(entries: readonly SourceEntry[]): SourceEntry[] {
  const sorted = linksBehindFiles(entries).map(normalised).sort(compareEntries);
  // Paths of the layer that can hold nothing.
  const leaves = new Set<ByteString>();
  let last: SourceEntry | undefined;
  let checkedParent: ByteString | undefined;
  for (const entry of sorted) {
    checkEntryPath(entry.path);
    if (last !== undefined && entry.path === last.path && !(last.kind === "directory" && entry.kind === "opaque")) refuse(entry.path, "is given twice");
    if (entry.path === "" && entry.kind !== "directory" && entry.kind !== "opaque") refuse(entry.path, `the root cannot be a ${entry.kind}`);
    if (entry.kind !== "directory" && entry.kind !== "opaque") leaves.add(entry.path);
    last = entry;
  }
  for (const entry of sorted) {
    const parent = parentPath(entry.path);
    if (parent === checkedParent) continue;
    for (let above = parent; above !== ""; above = parentPath(above)) {
      if (leaves.has(above)) refuse(entry.path, `${quotePath(above)} is no directory`);
    }
    checkedParent = parent;
  }
  return sorted;
}

function refuse(path: ByteString, problem: string): never {
  throw new TsbuildError("INVALID_LAYER", `writing a layer: ${quotePath(path)}: ${problem}`);
}

function normalised(entry: SourceEntry): SourceEntry {
  if (entry.kind === "whiteout" || entry.kind === "opaque" || entry.xattrs === undefined) return entry;
  const { xattrs, ...rest } = entry;
  const kept = layerXattrs(xattrs);
  return kept === undefined ? rest : { ...rest, xattrs: kept };
}

function linksBehindFiles(entries: readonly SourceEntry[]): SourceEntry[] {
  const groups = new Map<ByteString, ByteString[]>();
  for (const entry of entries) {
    if (entry.kind !== "hardlink") continue;
    const names = groups.get(entry.target);
    if (names === undefined) groups.set(entry.target, [entry.path]);
    else names.push(entry.path);
  }
  if (groups.size === 0) return [...entries];
  const result: SourceEntry[] = [];
  for (const entry of entries) {
    if (entry.kind === "hardlink") continue;
    const names = entry.kind === "file" ? groups.get(entry.path) : undefined;
    if (names === undefined || entry.kind !== "file") {
      result.push(entry);
      continue;
    }
    groups.delete(entry.path);
    const [first = entry.path, ...others] = [entry.path, ...names].sort();
    result.push({ ...entry, path: first });
    const { content: _content, size: _size, ...attributes } = entry;
    for (const path of others) result.push({ ...attributes, kind: "hardlink", path, target: first });
  }
  const dangling = groups.entries().next().value;
  if (dangling !== undefined) refuse(dangling[1][0] ?? dangling[0], `the hard link's target ${quotePath(dangling[0])} is not a file of this layer`);
  return result;
}

/** The order in which sorted entries stand in a tar: removals before their siblings (OCI image spec, layer.md "Whiteouts"). */
export function tarOrder<Entry extends LayerEntry>(sorted: readonly Entry[]): Entry[] {
  const removals: { readonly directory: ByteString; readonly entry: Entry }[] = [];
  const nodes: Entry[] = [];
  for (const entry of sorted) {
    if (entry.kind === "opaque") removals.push({ directory: entry.path, entry });
    else if (entry.kind === "whiteout") removals.push({ directory: parentPath(entry.path), entry });
    else nodes.push(entry);
  }
  if (removals.length === 0) return nodes;
  const rank = ({ entry }: (typeof removals)[number]): string => (entry.kind === "opaque" ? "" : `/${entry.path}`);
  removals.sort((a, b) => (a.directory !== b.directory ? (a.directory < b.directory ? -1 : 1) : rank(a) < rank(b) ? -1 : 1));
  const result: Entry[] = [];
  let next = 0;
  for (const { directory, entry } of removals) {
    for (let node = nodes[next]; node !== undefined && node.path <= directory; node = nodes[++next]) result.push(node);
    result.push(entry);
  }
  return result.concat(nodes.slice(next));
}
