import type { ByteString } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../errors.ts";
import type { LayerEntry, SourceEntry } from "./entry.ts";
import { checkEntryPath, parentPath, quotePath } from "./entry-path.ts";
import { layerXattrs } from "./xattrs.ts";

/**
 * Sorts like a walk: inside a directory by the bytes of the names, what is below a directory directly behind it ("a", "a/b", "a-b"), an opaque
 * marker between the two. (By the bytes of whole paths "a-b" would come in between, and GNU tar would give "a" its time before
 * "a/b" is made.)
 */
export function sortEntries<Entry extends LayerEntry>(entries: readonly Entry[]): Entry[] {
  if (isSorted(entries)) return [...entries];
  const keyed = entries.map((entry) => ({ key: walkKey(entry.path), rank: Number(entry.kind === "opaque"), entry }));
  keyed.sort((a, b) => (a.key === b.key ? a.rank - b.rank : a.key < b.key ? -1 : 1));
  return keyed.map(({ entry }) => entry);
}

/** What comes from a walk is: finding that out costs far less than a key for each entry. */
function isSorted(entries: readonly LayerEntry[]): boolean {
  let last: LayerEntry | undefined;
  for (const entry of entries) {
    if (last !== undefined) {
      const order = compareInWalk(last.path, entry.path);
      if (order > 0 || (order === 0 && (last.kind === "opaque" || entry.kind !== "opaque"))) return false;
    }
    last = entry;
  }
  return true;
}

/** As comparing the walkKeys does. */
function compareInWalk(a: ByteString, b: ByteString): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const one = a.charCodeAt(i);
    const other = b.charCodeAt(i);
    if (one !== other) return (one === slash ? 0 : one) - (other === slash ? 0 : other);
  }
  return a.length - b.length;
}

const slash = "/".charCodeAt(0);

/** Orders paths like a walk when compared as strings. */
function walkKey(path: ByteString): string {
  return path.replaceAll("/", "\0");
}

/**
 * The one form in which a set of entries is written: sorted, checked, of hard links the first name the file, attributes of links the file's,
 * extended attributes as layers hold them. Throws INVALID_LAYER for a path given twice, an entry below something that is no directory, a hard
 * link to what is not a file of this layer; UNSAFE_PATH and RESERVED_NAME as checkEntryPath.
 */
export function canonicalEntries(entries: readonly SourceEntry[]): SourceEntry[] {
  const sorted = sortEntries(linksBehindFiles(entries).map(normalised));
  // Paths of the layer that can hold nothing.
  const leaves = new Set<ByteString>();
  let last: SourceEntry | undefined;
  let checkedParent: ByteString | undefined;
  for (const entry of sorted) {
    checkEntryPath(entry.path, "writing a layer");
    if (last !== undefined && entry.path === last.path && !(last.kind === "directory" && entry.kind === "opaque"))
      refuse(entry.path, "is given twice");
    if (entry.path === "" && entry.kind !== "directory" && entry.kind !== "opaque")
      refuse(entry.path, `the root cannot be a ${entry.kind}`);
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
    const [first = entry.path, ...others] = inWalkOrder([entry.path, ...names]);
    result.push({ ...entry, path: first });
    const { content: _content, size: _size, ...attributes } = entry;
    for (const path of others) result.push({ ...attributes, kind: "hardlink", path, target: first });
  }
  const dangling = groups.entries().next().value;
  if (dangling !== undefined)
    refuse(dangling[1][0] ?? dangling[0], `the hard link's target ${quotePath(dangling[0])} is not a file of this layer`);
  return result;
}

/** The first is the name under which a file with several is the file. */
export function inWalkOrder(paths: readonly ByteString[]): ByteString[] {
  return paths
    .map(walkKey)
    .sort()
    .map((key) => key.replaceAll("\0", "/") as ByteString);
}

export function isRemoval({ kind }: LayerEntry): boolean {
  return kind === "opaque" || kind === "whiteout";
}

/** The order in which sorted entries stand in a tar: removals before their siblings (OCI image spec, layer.md "Whiteouts"). */
export function tarOrder<Entry extends LayerEntry>(sorted: readonly Entry[]): Entry[] {
  const nodes = sorted.filter((entry) => !isRemoval(entry));
  if (nodes.length === sorted.length) return nodes;
  // By directory, and inside one the opaque marker first: "" sorts before every name.
  const removals = sorted
    .filter(isRemoval)
    .map((entry) => ({
      directory: walkKey(entry.kind === "opaque" ? entry.path : parentPath(entry.path)),
      name: entry.kind === "opaque" ? "" : entry.path,
      entry,
    }))
    .sort((a, b) => (a.directory === b.directory ? (a.name < b.name ? -1 : 1) : a.directory < b.directory ? -1 : 1));
  const result: Entry[] = [];
  let next = 0;
  for (const { directory, entry } of removals) {
    for (let node = nodes[next]; node !== undefined && walkKey(node.path) <= directory; node = nodes[++next]) result.push(node);
    result.push(entry);
  }
  return result.concat(nodes.slice(next));
}
