import { open } from "node:fs/promises";
import type { ByteString } from "../../runtime-addon/index.ts";
import type { Digest } from "../digest.ts";
import { NotFoundError, TsbuildError } from "../errors.ts";
import type {
  ContentRef,
  DeviceEntry,
  DirectoryEntry,
  FifoEntry,
  FileEntry,
  HardlinkEntry,
  IndexedFile,
  NodeEntry,
  SymlinkEntry,
} from "./entry.ts";
import { joinPath, parentPath, quotePath, rootPath } from "./entry-path.ts";
import { noTime } from "./no-time.ts";
import type { Tree } from "./tree.ts";
import { indexOf } from "./tree-index.ts";

/** One layer of a root file system. */
export interface RootfsLayer {
  readonly tree: Tree;
  /** Path of the layer's plain tar; asked for only when a content is. */
  tar(): Promise<string>;
}

/** What a path of a root file system holds. Hard links are the file itself, under the name that was asked for. */
export type RootfsEntry = IndexedFile | DirectoryEntry | SymlinkEntry | DeviceEntry | FifoEntry;

/**
 * A root file system seen through the trees of its layers: nothing is unpacked or mounted, and nothing of the host can be reached. Directories that
 * layers only imply have mode 0755, owner 0:0 and time 0.
 */
export interface Rootfs {
  /** Follows no symlink at all, not even on the way. */
  lookup(path: ByteString): RootfsEntry | undefined;
  /**
   * Follows symlinks as a process with this root would, ".." at the root staying there; the last one only on `followLast`. `path` may be absolute,
   * and is normalised in the result. Without an entry the path is where it would be made. Throws SYMLINK_LOOP.
   */
  resolve(path: ByteString, options: { readonly followLast: boolean }): { readonly path: ByteString; readonly entry?: RootfsEntry };
  /** What is directly in a directory, sorted by name bytes; empty for anything else. Follows no symlink. */
  list(directory: ByteString): readonly RootfsEntry[];
  /** Everything below a directory but not itself: parents first, sorted by name bytes inside each directory. */
  walk(directory: ByteString): Generator<RootfsEntry>;
  /** Where a file's bytes are. Throws NOT_FOUND for an entry whose path is no file here. */
  content(entry: FileEntry): Promise<ContentRef & { readonly size: number }>;
  /** Of a file's content. Throws NOT_FOUND likewise. */
  digest(entry: FileEntry): Digest;
  /** Names the file behind an entry: equal, in one root file system, exactly for hard links of each other. Throws NOT_FOUND likewise. */
  inode(entry: FileEntry): string;
  /** The whole content of a file, symlinks followed. Throws NOT_FOUND, NOT_A_FILE, and TOO_LARGE above `limit` bytes. */
  read(path: ByteString, options: { readonly limit: number }): Promise<Buffer>;
}

/** As generous as container runtimes are with their roots; a process gets 40 (path_resolution(7)). */
const maxSymlinks = 255;
/** Keeps links that grow the path from costing more than they may. */
const maxSegments = 65536;

/** A root file system of these layers, bottom first. */
export function stackRootfs(layers: readonly RootfsLayer[]): Rootfs {
  const topFirst = [...layers].reverse();
  const { lookup, list } = stackedTrees(topFirst.map((layer) => layer.tree));
  const place = (path: ByteString): { readonly file: IndexedFile; readonly layer: RootfsLayer } => {
    const found = lookup(path, 0);
    const layer = found === undefined ? undefined : topFirst[found.depth];
    if (found?.entry.kind !== "file" || layer === undefined) {
      throw new NotFoundError(`reading the content of ${quotePath(path)}: there is no such file in these layers`);
    }
    return { file: found.entry, layer };
  };

  const rootfs: Rootfs = {
    lookup: (path) => lookup(path, 0)?.entry,
    resolve: (path, { followLast }) => resolvePath(rootfs.lookup, path, followLast),
    list,
    *walk(directory) {
      for (const entry of list(directory)) {
        yield entry;
        if (entry.kind === "directory") yield* rootfs.walk(entry.path);
      }
    },
    async content(entry) {
      const { file, layer } = place(entry.path);
      return { at: "tar", tar: await layer.tar(), offset: file.offset, size: file.size };
    },
    digest: (entry) => ("digest" in entry ? (entry as IndexedFile).digest : place(entry.path).file.digest),
    inode(entry) {
      const { file, layer } = place(entry.path);
      return `${topFirst.indexOf(layer)} ${file.offset}`;
    },
    async read(path, { limit }) {
      const { path: found, entry } = rootfs.resolve(path, { followLast: true });
      if (entry === undefined) throw new NotFoundError(`reading ${quotePath(path)}: it is not in these layers`);
      if (entry.kind !== "file") throw new TsbuildError("NOT_A_FILE", `reading ${quotePath(path)}: it is a ${entry.kind}`);
      if (entry.size > limit)
        throw new TsbuildError("TOO_LARGE", `reading ${quotePath(path)}: its ${entry.size} bytes are more than ${limit}`);
      const { file, layer } = place(found);
      return readRange(await layer.tar(), file.offset, file.size);
    },
  };
  return rootfs;
}

interface Found {
  readonly entry: RootfsEntry;
  /** The layer that the entry, of a hard link the file, is of; 0 is the top. */
  readonly depth: number;
}

interface StackedTrees {
  /** Looks at the layers from `depth` down. */
  lookup(path: ByteString, depth: number): Found | undefined;
  list(directory: ByteString): readonly RootfsEntry[];
}

function stackedTrees(topFirst: readonly Tree[]): StackedTrees {
  const lookup = (path: ByteString, from: number): Found | undefined => {
    let implied: Found | undefined;
    for (let depth = from; depth < topFirst.length; depth++) {
      const tree = topFirst[depth];
      if (tree === undefined) break;
      const node = indexOf(tree).nearest(path);
      if (node.path === path) {
        const { entry } = node;
        if (entry !== undefined) return found(path, entry, depth, implied);
        // Implied: its attributes are those of a lower layer's directory, if that is not hidden.
        implied ??= { entry: impliedDirectory(path), depth };
      }
      // An opaque directory hides what is in lower layers' directory, not that directory's own attributes.
      const hidden = node.path !== path ? node.hidesBelow : path !== "" && indexOf(tree).nearest(parentPath(path)).hidesBelow;
      if (hidden) break;
    }
    return implied ?? (path === "" ? { entry: impliedDirectory(path), depth: 0 } : undefined);
  };

  const found = (path: ByteString, entry: LookedUp, depth: number, implied: Found | undefined): Found | undefined => {
    if (implied !== undefined) return entry.kind === "directory" ? { entry, depth } : implied;
    if (entry.kind === "whiteout") return undefined;
    if (entry.kind !== "hardlink") return { entry, depth };
    return linkedFile(path, entry, depth);
  };

  const linkedFile = (path: ByteString, link: HardlinkEntry, depth: number): Found => {
    const tree = topFirst[depth];
    const own = tree === undefined ? undefined : indexOf(tree).node(link.target)?.entry;
    const target = own?.kind === "file" ? { entry: own, depth } : lookup(link.target, depth + 1);
    if (target?.entry.kind !== "file") {
      throw new TsbuildError(
        "UNSUPPORTED_HARDLINK",
        `reading ${quotePath(path)}: it is a hard link to ${quotePath(link.target)}, which no layer has as a file`,
      );
    }
    return { entry: { ...target.entry, path }, depth: target.depth };
  };

  const list = (directory: ByteString): readonly RootfsEntry[] => {
    const names = new Set<ByteString>();
    for (const tree of topFirst) {
      const node = indexOf(tree).nearest(directory);
      if (node.path === directory) for (const name of node.children) names.add(name);
      if (node.hidesBelow) break;
    }
    const entries: RootfsEntry[] = [];
    for (const name of [...names].sort()) {
      const entry = lookup(joinPath(directory, name), 0)?.entry;
      if (entry !== undefined) entries.push(entry);
    }
    return entries;
  };
  return { lookup, list };
}

type LookedUp = Exclude<Tree["entries"][number], { kind: "opaque" }>;

function impliedDirectory(path: ByteString): DirectoryEntry {
  return { kind: "directory", path, mode: 0o755, uid: 0, gid: 0, ...noTime };
}

/** As Rootfs.resolve, in whatever `lookup` sees. */
export function resolvePath<Entry extends NodeEntry>(
  lookup: (path: ByteString) => Entry | undefined,
  path: ByteString,
  followLast: boolean,
): { readonly path: ByteString; readonly entry?: Entry } {
  let rest = path.split("/").reverse();
  let at = rootPath;
  let entry = lookup(rootPath);
  let links = 0;
  let segments = 0;
  for (let segment = rest.pop(); segment !== undefined; segment = rest.pop()) {
    if (segment === "" || segment === ".") continue;
    if (++segments > maxSegments) throw loop(path);
    if (segment === "..") {
      at = parentPath(at);
      entry = lookup(at);
      continue;
    }
    const next = joinPath(at, segment as ByteString);
    entry = lookup(next);
    if (entry?.kind !== "symlink" || (!followLast && rest.every((other) => other === "" || other === "."))) {
      at = next;
      continue;
    }
    if (++links > maxSymlinks) throw loop(path);
    if (entry.target.startsWith("/")) at = rootPath;
    rest = rest.concat(entry.target.split("/").reverse());
    entry = lookup(at);
  }
  return entry === undefined ? { path: at } : { path: at, entry };
}

function loop(path: ByteString): TsbuildError {
  return new TsbuildError("SYMLINK_LOOP", `resolving ${quotePath(path)}: too many symlinks`);
}

async function readRange(file: string, offset: number, size: number): Promise<Buffer> {
  const buffer = Buffer.alloc(size);
  const handle = await open(file);
  try {
    let filled = 0;
    while (filled < size) {
      const { bytesRead } = await handle.read(buffer, filled, size - filled, offset + filled);
      if (bytesRead === 0)
        throw new TsbuildError("INVALID_TAR", `reading ${quotePath(file)}: it ends at ${offset + filled} of ${offset + size} bytes`);
      filled += bytesRead;
    }
  } finally {
    await handle.close();
  }
  return buffer;
}
