import { type ByteString, bytesOf } from "../../runtime-addon/index.ts";
import type { Digest } from "../../store/digest.ts";
import { TsbuildError } from "../../store/errors.ts";
import type { FileEntry } from "../../store/layer/entry.ts";
import { baseName, joinPath, rootPath } from "../../store/layer/entry-path.ts";
import type { Rootfs, RootfsEntry } from "../../store/layer/rootfs.ts";
import { compilePattern, hasWildcard } from "../context/pattern.ts";
import type { CopySource, SourceNode } from "./copy-source.ts";

/** A source in a root file system: listed from its trees, no content looked up yet. */
export interface RootfsSource {
  readonly name: ByteString;
  readonly top: ByteString;
  /** The source itself first, paths as in the root file system. */
  readonly entries: readonly RootfsEntry[];
}

/** Finds what a source word of COPY --from names. `origin` is how errors call it: `stage "build"`. */
export function findInRootfs(rootfs: Rootfs, source: string, origin: string): readonly RootfsSource[] {
  const listed = (name: ByteString, path: ByteString): RootfsSource | undefined => {
    const { entry, path: top } = rootfs.resolve(path, { followLast: true });
    if (top === "") return { name, top, entries: [entry ?? emptyRoot, ...rootfs.walk(top)] };
    if (entry === undefined) return undefined;
    return { name, top, entries: entry.kind === "directory" ? [entry, ...rootfs.walk(top)] : [entry] };
  };
  if (hasWildcard(source)) {
    return match(rootfs, source)
      .map((path) => listed(baseName(path), path))
      .filter((found) => found !== undefined);
  }
  const path = bytesOf(source);
  const found = listed(baseName(path), path);
  if (found === undefined)
    throw new TsbuildError("COPY_SOURCE_NOT_FOUND", `looking for "/${source}" in ${origin}: no such file or directory`);
  return [found];
}

/** The source in COPY's terms: paths below it, and where each file's bytes are. */
export async function toCopySource(rootfs: Rootfs, source: RootfsSource): Promise<CopySource> {
  const nodes = nodesOf(rootfs, source);
  const found: SourceNode[] = [];
  for (const [i, node] of nodes.entries()) {
    const entry = source.entries[i];
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
    const entry = source.entries[i];
    if (node.kind === "file" && entry?.kind === "file") digests.set(node, rootfs.digest(entry));
  }
  return { source: { name: source.name, nodes }, digests };
}

/** One node an entry; later names of one file become hard links of the first. */
function nodesOf(rootfs: Rootfs, { entries, top }: RootfsSource): readonly SourceNode[] {
  const firstNames = new Map<string, { readonly entry: FileEntry; readonly path: ByteString }>();
  return entries.map((entry) => {
    const path = belowTop(entry.path, top);
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

const emptyRoot: RootfsEntry = { kind: "directory", path: rootPath, mode: 0o755, uid: 0, gid: 0, mtime: 0, mtimeNsec: 0 };

function belowTop(path: ByteString, top: ByteString): ByteString {
  return path.slice(path === top ? top.length : top === "" ? 0 : top.length + 1) as ByteString;
}

/** Paths that match a pattern, component by component: `*` does not cross "/", and links to directories are not entered. */
function match(rootfs: Rootfs, pattern: string): readonly ByteString[] {
  const parts = bytesOf(pattern)
    .split("/")
    .filter((part) => part !== "") as ByteString[];
  let matched: readonly ByteString[] = [rootPath];
  for (const [index, part] of parts.entries()) {
    const isLast = index === parts.length - 1;
    const matches = hasWildcard(part) ? compilePattern(part) : undefined;
    matched = matched.flatMap((directory) => {
      const literal = matches === undefined ? rootfs.lookup(joinPath(directory, part)) : undefined;
      const found =
        matches === undefined
          ? literal === undefined
            ? []
            : [literal]
          : rootfs.list(directory).filter(({ path }) => matches(baseName(path)));
      return found.filter((entry) => isLast || entry.kind === "directory").map((entry) => entry.path);
    });
  }
  return matched;
}
