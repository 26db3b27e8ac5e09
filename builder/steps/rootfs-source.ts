import { type ByteString, bytesOf } from "../../runtime-addon/index.ts";
import type { Digest } from "../../store/digest.ts";
import { TsbuildError } from "../../store/errors.ts";
import type { FileEntry } from "../../store/layer/entry.ts";
import { baseName, joinPath, quotePath, rootPath } from "../../store/layer/entry-path.ts";
import { noTime } from "../../store/layer/no-time.ts";
import type { Rootfs, RootfsEntry } from "../../store/layer/rootfs.ts";
import { hasWildcard } from "../context/pattern.ts";
import { type Selection, type SelectionFlags, selectionOf, splitPivot, unescaped } from "../context/selection.ts";
import type { CopySource, SourceNode } from "./copy-source.ts";
import { matchPaths, type WalkedEntry, walkSelected } from "./rootfs-walk.ts";

/** A source in a root file system: listed from its trees, no content looked up yet. */
export interface RootfsSource {
  readonly name: ByteString;
  readonly top: ByteString;
  /** The source itself first, paths as in the root file system. */
  readonly entries: readonly WalkedEntry[];
}

const wholeSources: SelectionFlags = { parents: false, exclude: [] };

/**
 * Finds what a source word of COPY --from names. `origin` and `written` are how errors call it and the word: `stage "build"`. Throws
 * COPY_SOURCE_NOT_FOUND, INVALID_PATTERN.
 */
export function findInRootfs(
  rootfs: Rootfs,
  source: string,
  origin: string,
  { parents, exclude }: SelectionFlags = wholeSources,
  written = `/${source}`,
): readonly RootfsSource[] {
  const looking = `looking for ${quotePath(bytesOf(written))} in ${origin}`;
  if (parents) return findWithParents(rootfs, source, looking, exclude);
  const selection = selectionOf(exclude);
  if (!hasWildcard(source)) {
    const path = bytesOf(source);
    const found = listed(rootfs, baseName(path), path, selection);
    if (found === undefined) throw notFound(looking, "no such file or directory");
    return [found];
  }
  return matchPaths(rootfs, bytesOf(source)).flatMap((path) => {
    const name = baseName(path);
    const isDirectory = rootfs.resolve(path, { followLast: true }).entry?.kind === "directory";
    // A directory stands for what is in it; a file must get past the patterns itself, under its own name.
    const isTaken = isDirectory || (selection?.takes(name) ?? true);
    const found = isTaken ? listed(rootfs, name, path, selection) : undefined;
    return found === undefined ? [] : [found];
  });
}

function listed(rootfs: Rootfs, name: ByteString, path: ByteString, selection: Selection | undefined): RootfsSource | undefined {
  const { entry = path === "" ? emptyRoot : undefined, path: top } = rootfs.resolve(path, { followLast: true });
  if (entry === undefined) return undefined;
  const below = entry.kind === "directory" ? walkSelected(rootfs, top, selection) : [];
  return { name, top, entries: [{ entry, leads: false }, ...below] };
}

/** Each directory that the part before the pivot means, with what the rest takes below it. */
function findWithParents(rootfs: Rootfs, source: string, looking: string, exclude: readonly string[]): readonly RootfsSource[] {
  const { base, pattern, isNamed } = splitPivot(source);
  const selection = selectionOf(exclude, pattern);
  const isPattern = hasWildcard(base);
  return (isPattern ? matchPaths(rootfs, bytesOf(base)) : [bytesOf(base)]).flatMap((path) => {
    const { entry, path: top } = rootfs.resolve(path, { followLast: true });
    if (entry?.kind !== "directory" && top !== "") {
      if (isPattern) return [];
      throw notFound(looking, entry === undefined ? "no such file or directory" : "it is not a directory");
    }
    if (isNamed && pattern !== "") requireNamed(rootfs, looking, joinPath(top, unescaped(bytesOf(pattern))));
    const found = listed(rootfs, rootPath, top, selection);
    return found === undefined ? [] : [found];
  });
}

/** A path without wildcards must be there, whatever --exclude leaves of it. No symlink on the way to it is followed. */
function requireNamed(rootfs: Rootfs, looking: string, path: ByteString): void {
  if (rootfs.lookup(path) !== undefined) return;
  if (rootfs.resolve(path, { followLast: true }).entry === undefined) throw notFound(looking, "no such file or directory");
  throw notFound(looking, "a symlink leads there, which --parents does not follow", "name what the symlink leads to");
}

function notFound(looking: string, problem: string, hint?: string): TsbuildError {
  return new TsbuildError("COPY_SOURCE_NOT_FOUND", `${looking}: ${problem}`, hint === undefined ? {} : { hint });
}

/** The source in COPY's terms: paths below it, and where each file's bytes are. */
export async function toCopySource(rootfs: Rootfs, source: RootfsSource): Promise<CopySource> {
  const nodes = nodesOf(rootfs, source);
  const found: SourceNode[] = [];
  for (const [i, node] of nodes.entries()) {
    const entry = source.entries[i]?.entry;
    found.push(node.kind === "file" && entry?.kind === "file" ? { ...node, content: await rootfs.content(entry) } : node);
  }
  return { name: source.name, nodes: found };
}

/** The same without contents, and the digest of each file, which the layers' trees know. */
export function toHashable(
  rootfs: Rootfs,
  source: RootfsSource,
): { readonly source: CopySource; readonly digests: ReadonlyMap<SourceNode, Digest> } {
  const nodes = nodesOf(rootfs, source);
  const digests = new Map<SourceNode, Digest>();
  for (const [i, node] of nodes.entries()) {
    const entry = source.entries[i]?.entry;
    if (node.kind === "file" && entry?.kind === "file") digests.set(node, rootfs.digest(entry));
  }
  return { source: { name: source.name, nodes }, digests };
}

/** One node an entry; later names of one file become hard links of the first. */
function nodesOf(rootfs: Rootfs, { entries, top }: RootfsSource): readonly SourceNode[] {
  const firstNames = new Map<string, { readonly entry: FileEntry; readonly path: ByteString }>();
  return entries.map(({ entry, leads }) => {
    const path = belowTop(entry.path, top);
    if (leads) return { ...entry, path, leads } as SourceNode;
    if (entry.kind !== "file") return { ...entry, path };
    // Equal for links of each other, and seldom for anything else: only then the layers are asked.
    const likeness = `${entry.offset} ${entry.digest}`;
    const first = firstNames.get(likeness);
    if (first === undefined) firstNames.set(likeness, { entry, path });
    else if (rootfs.inode(first.entry) === rootfs.inode(entry)) {
      const { size: _size, digest: _digest, offset: _offset, ...attributes } = entry;
      return { ...attributes, kind: "hardlink", path, target: first.path };
    }
    return { ...entry, path };
  });
}

const emptyRoot: RootfsEntry = { kind: "directory", path: rootPath, mode: 0o755, uid: 0, gid: 0, ...noTime };

function belowTop(path: ByteString, top: ByteString): ByteString {
  return path.slice(path === top ? top.length : top === "" ? 0 : top.length + 1) as ByteString;
}
