import { type ByteString, bytesOf, textOf } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../../store/errors.ts";
import type { DirectoryEntry, NodeEntry, SourceEntry } from "../../store/layer/entry.ts";
import { joinPath } from "../../store/layer/entry-path.ts";
import type { Rootfs } from "../../store/layer/rootfs.ts";
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
 * so that the layer never holds the clock.
 */
export function placeSources(sources: readonly PlacedSource[], parent: Rootfs, placement: Placement): Placed {
  const written = new Map<ByteString, SourceEntry>();
  const placed = new Map<ByteString, SourceNode>();
  const made = new Set<ByteString>();
  const owner = placement.owner;
  const lookup = (path: ByteString): NodeEntry | undefined => (written.get(path) as NodeEntry | undefined) ?? parent.lookup(path);
  const wanted = bytesOf(placement.target);
  const target = parent.resolve(wanted, { followLast: true }).path;
  const namesDirectory = placement.target.endsWith("/");
  let newest: SourceNode | undefined;

  /** Puts the directories above a path: as they are, or new ones. */
  function putParents(path: ByteString): void {
    for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) putDirectory(path.slice(0, at) as ByteString);
  }

  function putDirectory(path: ByteString): void {
    if (path === "" || written.has(path)) return;
    const existing = parent.lookup(path);
    if (existing?.kind === "directory") {
      written.set(path, existing);
      return;
    }
    if (existing !== undefined) throw notDirectory(path);
    const mode = placement.chmod?.octal === undefined ? 0o755 : placement.chmod.apply(0o755, true);
    made.add(path);
    written.set(path, { kind: "directory", path, mode, uid: owner?.uid ?? 0, gid: owner?.gid ?? 0, mtime: 0, mtimeNsec: 0 });
  }

  function put(path: ByteString, node: SourceNode, unpacked: boolean, below: ByteString): void {
    const existing = lookup(path);
    if (node.kind === "directory") {
      if (existing !== undefined && existing.kind !== "directory") throw notDirectory(path);
    } else if (existing?.kind === "directory") {
      throw new TsbuildError("COPY_OVER_DIRECTORY", `copying to "/${textOf(path)}": a file cannot replace a directory`);
    }
    if (newest === undefined || isNewer(node, newest)) newest = node;
    const isLink = node.kind === "symlink";
    const mode =
      placement.chmod === undefined || isLink || unpacked ? node.mode : placement.chmod.apply(node.mode, node.kind === "directory");
    const entry = { ...node, path, mode, uid: owner?.uid ?? node.uid, gid: owner?.gid ?? node.gid };
    made.delete(path);
    placed.set(path, node);
    written.set(path, (entry.kind === "hardlink" ? { ...entry, target: joinPath(below, entry.target) } : entry) as SourceEntry);
  }

  for (const source of sources) {
    const [top, ...below] = source.nodes;
    if (top === undefined) continue;
    const existing = lookup(target);
    if (top.kind === "directory") {
      if (existing !== undefined && existing.kind !== "directory") throw notDirectory(target);
      putParents(target);
      if (target !== "") {
        if (existing === undefined) put(target, top, source.unpacked ?? false, target);
        else putDirectory(target);
        if (source.name === "") made.add(target);
      }
      for (const node of below) put(joinPath(target, node.path), node, source.unpacked ?? false, target);
      continue;
    }
    const inside = namesDirectory || existing?.kind === "directory" || target === "";
    if (!inside && placement.words > 1) {
      throw new TsbuildError("COPY_TARGET_NOT_DIRECTORY", `copying several sources to "${placement.target}": it is not a directory`, {
        hint: `write "${placement.target}/" to make it one`,
      });
    }
    if (inside && existing !== undefined && existing.kind !== "directory") throw notDirectory(target);
    const path = inside ? joinPath(target, source.name) : target;
    putParents(path);
    put(path, top, source.unpacked ?? false, path);
  }

  const { mtime, mtimeNsec } = newest ?? { mtime: 0, mtimeNsec: 0 };
  for (const path of made) {
    const entry = written.get(path) as DirectoryEntry;
    if (parent.lookup(path) === undefined) written.set(path, { ...entry, mtime, mtimeNsec });
  }
  return { entries: [...written.values()], placed };
}

function notDirectory(path: ByteString): TsbuildError {
  return new TsbuildError("COPY_TO_NON_DIRECTORY", `copying to "/${textOf(path)}": cannot copy to non-directory`);
}

function isNewer(a: SourceNode, b: SourceNode): boolean {
  return a.mtime > b.mtime || (a.mtime === b.mtime && a.mtimeNsec > b.mtimeNsec);
}
