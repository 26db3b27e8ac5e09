import { type Attributes, type ByteString, bytesOf, textOf } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../../store/errors.ts";
import type { DirectoryEntry, SourceEntry } from "../../store/layer/entry.ts";
import { joinPath, quotePath } from "../../store/layer/entry-path.ts";
import { noTime } from "../../store/layer/no-time.ts";
import type { Rootfs } from "../../store/layer/rootfs.ts";
import type { ModeChange } from "../dockerfile/chmod.ts";
import type { CopySource, SourceNode } from "./copy-source.ts";
import { unpackOver } from "./unpack-over.ts";
import { type LentFile, type WrittenEntry, writtenOver } from "./written-over.ts";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface Placement {
  /** Absolute; ends in "/" for a directory. */
  readonly target: string;
  /** How many sources the instruction names, wildcards unexpanded: more than one needs a directory. */
  readonly words: number;
  readonly owner?: Owner;
  readonly chmod?: ModeChange;
  /**
   * Seconds. What is copied gets this time, also where its own is earlier: times of sources are no part of a step's key, so with a fixed epoch they must
   * not decide its result. What comes out of an archive keeps its own: the archive's bytes are in the key.
   */
  readonly epoch?: number;
}

/** A source to place. */
export interface PlacedSource extends CopySource {
  /** The nodes are an archive's entries, in its own order and under the names that it gives them. They keep their own modes. */
  readonly unpacked?: boolean;
}

/** What to write, and which node each path comes from. */
export interface Placed {
  readonly entries: SourceEntry[];
  /** Files of the parent that are written, too, as hard links of an archive lead to them. */
  readonly lent: readonly LentFile[];
  /** Of what was copied, not of what came out of archives. */
  readonly placed: ReadonlyMap<ByteString, SourceNode>;
}

/**
 * Decides what a COPY writes where: the path rules of COPY on top of `parent`. No I/O.
 * An existing parent directory appears as it is in the parent; a missing one is made 0755 with the newest copied time,
 * so that the layer never holds the clock. Throws COPY_TO_NON_DIRECTORY, COPY_OVER_DIRECTORY, COPY_TARGET_NOT_DIRECTORY, and what unpackOver throws.
 */
export function placeSources(sources: readonly PlacedSource[], parent: Rootfs, placement: Placement): Placed {
  const written = writtenOver(parent);
  const placed = new Map<ByteString, SourceNode>();
  const made = new Set<ByteString>();
  const { owner, chmod, epoch } = placement;
  const copiedTime = epoch === undefined ? undefined : { mtime: epoch, mtimeNsec: 0 };
  const { lookup } = written;
  const target = parent.resolve(bytesOf(placement.target), { followLast: true }).path;
  const namesDirectory = placement.target.endsWith("/");
  let newest: Attributes | undefined;

  /** Puts the directories above a path: as they are, or new ones. */
  function putParents(path: ByteString, mode: number, by = owner): void {
    for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) putDirectory(path.slice(0, at) as ByteString, mode, by);
  }

  function putDirectory(path: ByteString, mode: number, by = owner): void {
    if (path === "") return;
    const existing = lookup(path);
    if (existing !== undefined && existing.kind !== "directory") throw notDirectory(path);
    if (existing !== undefined) written.set(existing);
    else {
      made.add(path);
      written.set({ kind: "directory", path, mode, uid: by?.uid ?? 0, gid: by?.gid ?? 0, ...noTime });
    }
  }

  function put(entry: WrittenEntry): void {
    if (newest === undefined || isNewer(entry, newest)) newest = entry;
    made.delete(entry.path);
    placed.delete(entry.path);
    written.set(owner === undefined ? entry : { ...entry, uid: owner.uid, gid: owner.gid });
  }

  /** Gives a new directory the time of the one that is copied to it. */
  function dateDirectory(path: ByteString, node: SourceNode): void {
    if (newest === undefined || isNewer(node, newest)) newest = node;
    const { mtime, mtimeNsec } = copiedTime ?? node;
    made.delete(path);
    written.set({ ...(lookup(path) as DirectoryEntry), mtime, mtimeNsec });
  }

  function copy(path: ByteString, node: SourceNode, below: ByteString): void {
    const existing = lookup(path);
    if (node.kind === "directory") {
      if (existing !== undefined && existing.kind !== "directory") throw notDirectory(path);
      if (existing !== undefined && node.leads && !made.has(path)) {
        written.set({ ...existing, mode: node.mode });
        return;
      }
    } else if (existing?.kind === "directory") {
      throw new TsbuildError("COPY_OVER_DIRECTORY", `copying to "/${textOf(path)}": a file cannot replace a directory`);
    }
    const mode = chmod === undefined || node.kind === "symlink" ? node.mode : chmod.apply(node.mode, node.kind === "directory");
    const entry = (copiedTime === undefined ? { ...node, path, mode } : { ...node, path, mode, ...copiedTime }) as WrittenEntry;
    put(entry.kind === "hardlink" ? { ...entry, target: joinPath(below, entry.target) } : entry);
    placed.set(path, node);
  }

  /** What an archive only implies is root's, whoever gets what it holds. */
  function unpack({ name, nodes }: PlacedSource): void {
    putParents(target, newDirectoryMode);
    putDirectory(target, newDirectoryMode);
    const inTarget = (path: ByteString): ByteString => joinPath(target, path);
    const where = `unpacking ${quotePath(name)} to ${quotePath(placement.target)}`;
    const { entries, emptied } = unpackOver(nodes, (path) => lookup(inTarget(path)), where);
    for (const path of written.empty(new Set([...emptied].map(inTarget)))) {
      made.delete(path);
      placed.delete(path);
    }
    for (const entry of entries) {
      const path = inTarget(entry.path);
      putParents(path, newDirectoryMode, root);
      put(entry.kind === "hardlink" ? { ...entry, path, target: inTarget(entry.target) } : { ...entry, path });
    }
  }

  // Only a number says what a new directory gets; a symbolic mode would have to change one that is there.
  const parentMode = chmod?.octal ?? newDirectoryMode;
  for (const source of sources) {
    if (source.unpacked) {
      unpack(source);
      continue;
    }
    const [top, ...below] = source.nodes;
    if (top === undefined) continue;
    const existing = lookup(target);
    if (top.kind === "directory") {
      if (existing !== undefined && existing.kind !== "directory") throw notDirectory(target);
      putParents(target, parentMode);
      if (existing !== undefined || target === "") putDirectory(target, parentMode);
      else {
        putDirectory(target, parentMode);
        // The time of a whole context or file system's root is an accident; any other directory's is kept, though neither its mode nor its owner is.
        if (source.name !== "") dateDirectory(target, top);
      }
      for (const node of below) copy(joinPath(target, node.path), node, target);
      continue;
    }
    const inside = namesDirectory || existing?.kind === "directory" || target === "";
    if (!inside && (placement.words > 1 || sources.length > 1)) {
      throw new TsbuildError("COPY_TARGET_NOT_DIRECTORY", `copying several sources to "${placement.target}": it is not a directory`, {
        hint: `write "${placement.target}/" to make it one`,
      });
    }
    if (inside && existing !== undefined && existing.kind !== "directory") throw notDirectory(target);
    const path = inside ? joinPath(target, source.name) : target;
    putParents(path, parentMode);
    copy(path, top, path);
  }

  const { mtime, mtimeNsec } = copiedTime ?? newest ?? noTime;
  for (const path of made) written.set({ ...(lookup(path) as DirectoryEntry), mtime, mtimeNsec });
  return { ...written.entries(), placed };
}

const newDirectoryMode = 0o755;
const root: Owner = { uid: 0, gid: 0 };

function notDirectory(path: ByteString): TsbuildError {
  return new TsbuildError("COPY_TO_NON_DIRECTORY", `copying to "/${textOf(path)}": cannot copy to non-directory`);
}

function isNewer(a: Attributes, b: Attributes): boolean {
  return a.mtime > b.mtime || (a.mtime === b.mtime && a.mtimeNsec > b.mtimeNsec);
}
