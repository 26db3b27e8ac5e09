import { type ByteString, bytesOf, textOf } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../../store/errors.ts";
import type { DirectoryEntry, NodeEntry, SourceEntry } from "../../store/layer/entry.ts";
import { baseName, joinPath, parentPath } from "../../store/layer/entry-path.ts";
import { type Rootfs, resolvePath } from "../../store/layer/rootfs.ts";
import type { ModeChange } from "../dockerfile/chmod.ts";
import type { CopySource, SourceNode } from "./copy-source.ts";

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
   * not decide its result.
   */
  readonly epoch?: number;
}

/** A source to place; unpacked archives keep their own modes. */
export interface PlacedSource extends CopySource {
  readonly unpacked?: boolean;
}

/** What to write, and which node each path comes from. */
export interface Placed {
  readonly entries: SourceEntry[];
  readonly placed: ReadonlyMap<ByteString, SourceNode>;
}

/**
 * Decides what a COPY writes where: the path rules of COPY on top of `parent`. No I/O.
 * An existing parent directory appears as it is in the parent; a missing one is made 0755 with the newest copied time,
 * so that the layer never holds the clock. Throws COPY_TO_NON_DIRECTORY, COPY_OVER_DIRECTORY, COPY_TARGET_NOT_DIRECTORY, UNSAFE_PATH.
 */
export function placeSources(sources: readonly PlacedSource[], parent: Rootfs, placement: Placement): Placed {
  const written = new Map<ByteString, SourceEntry>();
  const placed = new Map<ByteString, SourceNode>();
  const made = new Set<ByteString>();
  const { owner, chmod, epoch } = placement;
  const copiedTime = epoch === undefined ? undefined : { mtime: epoch, mtimeNsec: 0 };
  const lookup = (path: ByteString): NodeEntry | undefined => (written.get(path) as NodeEntry | undefined) ?? parent.lookup(path);
  const target = parent.resolve(bytesOf(placement.target), { followLast: true }).path;
  const namesDirectory = placement.target.endsWith("/");
  let newest: SourceNode | undefined;

  /** Puts the directories above a path: as they are, or new ones. */
  function putParents(path: ByteString, mode: number): void {
    for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) putDirectory(path.slice(0, at) as ByteString, mode);
  }

  function putDirectory(path: ByteString, mode: number): void {
    if (path === "") return;
    const existing = lookup(path);
    if (existing !== undefined && existing.kind !== "directory") throw notDirectory(path);
    if (existing !== undefined) written.set(path, existing);
    else {
      made.add(path);
      written.set(path, { kind: "directory", path, mode, uid: owner?.uid ?? 0, gid: owner?.gid ?? 0, mtime: 0, mtimeNsec: 0 });
    }
  }

  function put(path: ByteString, node: SourceNode, mode: number, below: ByteString): void {
    if (newest === undefined || isNewer(node, newest)) newest = node;
    const { mtime, mtimeNsec } = copiedTime ?? node;
    const entry = { ...node, path, mode, uid: owner?.uid ?? node.uid, gid: owner?.gid ?? node.gid, mtime, mtimeNsec };
    made.delete(path);
    placed.set(path, node);
    written.set(path, (entry.kind === "hardlink" ? { ...entry, target: joinPath(below, entry.target) } : entry) as SourceEntry);
  }

  /** Gives a new directory the time of the one that is copied to it. */
  function dateDirectory(path: ByteString, node: SourceNode): void {
    if (newest === undefined || isNewer(node, newest)) newest = node;
    const { mtime, mtimeNsec } = copiedTime ?? node;
    made.delete(path);
    written.set(path, { ...(written.get(path) as DirectoryEntry), mtime, mtimeNsec });
  }

  function copy(path: ByteString, node: SourceNode, below: ByteString): void {
    const existing = lookup(path);
    if (node.kind === "directory") {
      if (existing !== undefined && existing.kind !== "directory") throw notDirectory(path);
      if (existing !== undefined && node.leads && !made.has(path)) {
        written.set(path, { ...existing, mode: node.mode });
        return;
      }
    } else if (existing?.kind === "directory") {
      throw new TsbuildError("COPY_OVER_DIRECTORY", `copying to "/${textOf(path)}": a file cannot replace a directory`);
    }
    const mode = chmod === undefined || node.kind === "symlink" ? node.mode : chmod.apply(node.mode, node.kind === "directory");
    put(path, node, mode, below);
  }

  /** As tar does it: directories are merged, anything else is replaced. A name below a symlink of the image stands where that leads. */
  function unpack(nodes: readonly SourceNode[]): void {
    putParents(target, newDirectoryMode);
    putDirectory(target, newDirectoryMode);
    for (const node of nodes) {
      const above = joinPath(target, parentPath(node.path));
      const directory = lookup(above)?.kind === "directory" ? above : resolvePath(lookup, above, true).path;
      if (target !== "" && directory !== target && !directory.startsWith(`${target}/`)) {
        throw new TsbuildError(
          "UNSAFE_PATH",
          `unpacking "${textOf(node.path)}" to ${placement.target}: a symlink there leads out of the directory`,
        );
      }
      const path = joinPath(directory, baseName(node.path));
      putParents(path, newDirectoryMode);
      if (node.kind !== "directory" && lookup(path)?.kind === "directory") {
        for (const other of [...written.keys()]) if (other.startsWith(`${path}/`)) written.delete(other);
      }
      put(path, node, node.mode, target);
    }
  }

  // Only a number says what a new directory gets; a symbolic mode would have to change one that is there.
  const parentMode = chmod?.octal ?? newDirectoryMode;
  for (const source of sources) {
    const [top, ...below] = source.nodes;
    if (top === undefined) continue;
    if (source.unpacked) {
      unpack(below);
      continue;
    }
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

  const { mtime, mtimeNsec } = copiedTime ?? newest ?? { mtime: 0, mtimeNsec: 0 };
  for (const path of made) written.set(path, { ...(written.get(path) as DirectoryEntry), mtime, mtimeNsec });
  return { entries: [...written.values()], placed };
}

const newDirectoryMode = 0o755;

function notDirectory(path: ByteString): TsbuildError {
  return new TsbuildError("COPY_TO_NON_DIRECTORY", `copying to "/${textOf(path)}": cannot copy to non-directory`);
}

function isNewer(a: SourceNode, b: SourceNode): boolean {
  return a.mtime > b.mtime || (a.mtime === b.mtime && a.mtimeNsec > b.mtimeNsec);
}
