import {
  type Attributes,
  type ByteString,
  decodeScan,
  hashFiles,
  isSystemError,
  type ScanEntry,
  scan,
  statMany,
} from "../../runtime-addon/index.ts";
import { digestFromBytes } from "../digest.ts";
import { TsbuildError } from "../errors.ts";
import { inWalkOrder, sortEntries } from "./canonical.ts";
import type { NodeEntry, SourceEntry } from "./entry.ts";
import { maxPathBytes, parentPath, rootPath } from "./entry-path.ts";
import type { Rootfs, RootfsEntry } from "./rootfs.ts";
import { upperMarks } from "./upper-marks.ts";
import { portableXattrs, sameXattrs, withLeftAcls, type Xattrs } from "./xattrs.ts";

export interface DiffUpperOptions {
  /** `flat`: on disk all belongs to one user; a path that the parent has keeps the parent's owner, others are 0:0. */
  readonly owners: "exact" | "flat";
  /** Seconds: later mtimes become it. */
  readonly epoch?: number;
  /** Mount points that were made for the run: left out where the parent has none and they are still empty. */
  readonly stubs?: readonly ByteString[];
}

/** Applied to the upper, `unchanged` and then `clamped` make it what unpacking the entries on the same parent would give. */
export interface UpperDiff {
  /** In a layer's order. */
  readonly entries: SourceEntry[];
  /** Paths of the upper that change nothing (copies of what the parent has, stubs, needless whiteouts, sockets), deepest first: to be removed. */
  readonly unchanged: ByteString[];
  /** Times to be set in the upper: those later than the epoch, and of directories that the removals touch. "" is the root. */
  readonly clamped: { readonly path: ByteString; readonly mtime: number; readonly mtimeNsec: number }[];
  /**
   * Whether a directory of the upper is opaque where no layer can say so: the parent has no directory there. Over another parent, which has one, the upper would hide more than the same
   * layer unpacked.
   */
  readonly hidesMore: boolean;
}

/** A process that goes down step by step can make paths that no system call can name whole, and so no layer. */
export function refuseDepth(error: unknown): never {
  if (!isSystemError(error, "ENAMETOOLONG")) throw error;
  throw new TsbuildError(
    "PATH_TOO_LONG",
    `reading what was changed: a path is longer than the ${maxPathBytes} bytes that a layer can name`,
    { cause: error },
  );
}

/** A file of a changed directory. */
export interface Change {
  readonly scanned: ScanEntry;
  readonly kind: NodeEntry["kind"] | "whiteout" | "socket";
  readonly opaque: boolean;
  readonly xattrs: Xattrs | undefined;
  /** What was seen at this path before, if anything was. */
  readonly below: RootfsEntry | undefined;
}

/**
 * The changes in an overlay's upper directory against the layers below, as entries that refer to the upper for their contents. Sockets cannot be
 * in a layer; one that took the place of something is a whiteout. Throws UNSUPPORTED_OVERLAY.
 */
export async function diffUpper(upper: string, parent: Rootfs, options: DiffUpperOptions): Promise<UpperDiff> {
  const [rootBytes, belowBytes] = await Promise.all([
    statMany(upper, [rootPath], { xattrs: true }),
    scan(upper, [rootPath], { recursive: true, xattrs: true }).catch(refuseDepth),
  ]);
  const changes = readChanges(decodeScan(belowBytes), parent);
  const fileOf = linkGroups(changes);
  // Linked files never are what the parent has: that they are linked is a change.
  const same = await sameFiles(upper, changes, options.owners, ({ scanned }) => (fileOf.has(scanned.path) ? "changed" : "unknown"));
  const found = { root: upper, parent, scannedRoot: decodeScan(rootBytes)[0], changes, fileOf, same, removed: [] };
  return collect(found, options);
}

/** What is in a changed directory. */
export interface Found {
  readonly root: string;
  readonly parent: Rootfs;
  readonly scannedRoot: ScanEntry | undefined;
  readonly changes: readonly Change[];
  /** See linkGroups. */
  readonly fileOf: ReadonlyMap<ByteString, ByteString>;
  /** Files that are what the parent has. */
  readonly same: ReadonlySet<ByteString>;
  /** Paths of the parent that are no longer there, in directories that are. */
  readonly removed: readonly ByteString[];
}

/** The changes as a layer has them. */
export function collect({ root, parent, scannedRoot, changes, fileOf, same, removed }: Found, options: DiffUpperOptions): UpperDiff {
  const result = {
    entries: removed.map((path): SourceEntry => ({ kind: "whiteout", path })),
    unchanged: [] as ByteString[],
    clamped: [] as UpperDiff["clamped"],
    hidesMore: false,
  };
  const stubs = new Set(options.stubs);
  const touched = new Set<ByteString>();
  const kept = new Set<ByteString>(removed.map(parentPath));
  const renamed = new Set<ByteString>(kept);
  const stubbed = new Set<ByteString>();

  for (const change of [...changes].reverse()) {
    const { scanned, kind, below } = change;
    const { path } = scanned;
    const parentDirectory = parentPath(path);
    const isStub = stubs.has(path) && below === undefined && isEmpty(change, kept);
    const times = stubbed.has(path) && !renamed.has(path) && below !== undefined ? below : scanned;
    if (isStub || isNothing(change) || same.has(path) || (isSameDirectory(change, times, options.owners) && !kept.has(path))) {
      result.unchanged.push(path);
      touched.add(parentDirectory);
      if (isStub) stubbed.add(parentDirectory);
      continue;
    }
    kept.add(parentDirectory);
    if (kind !== "directory" || below?.kind !== "directory" || change.opaque) renamed.add(parentDirectory);
    if (kind === "whiteout" || kind === "socket") {
      result.entries.push({ kind: "whiteout", path });
      continue;
    }
    const mtime = clampedTime(times, options.epoch);
    if (touched.has(path) || mtime.mtime !== scanned.mtime || mtime.mtimeNsec !== scanned.mtimeNsec)
      result.clamped.push({ path, ...mtime });
    if (change.opaque && below?.kind === "directory") result.entries.push({ kind: "opaque", path });
    else if (change.opaque) result.hidesMore = true;
    result.entries.push(entryOf(change, kind, { ...ownedOf(change, options.owners), ...mtime }, root, fileOf.get(path)));
  }
  addRoot(result, scannedRoot, parent, options, root);
  return { ...result, entries: sortEntries(result.entries) };
}

/** Every scanned file with what the parent has at its path. */
export function readChanges(scanned: readonly ScanEntry[], parent: Rootfs): Change[] {
  const hidden = new Set<ByteString>();
  return scanned.map((entry): Change => {
    const { path } = entry;
    const { whiteout, opaque } = upperMarks(entry);
    const isHidden = hidden.has(parentPath(path));
    if (entry.type === "directory" && (isHidden || opaque)) hidden.add(path);
    const xattrs = portableXattrs(entry.xattrs);
    return { scanned: entry, kind: whiteout ? "whiteout" : entry.type, opaque, xattrs, below: isHidden ? undefined : parent.lookup(path) };
  });
}

/** For every file with several names in the upper: the name, first in order, that is the file. */
export function linkGroups(changes: readonly Change[]): ReadonlyMap<ByteString, ByteString> {
  const names = new Map<string, ByteString[]>();
  for (const { scanned, kind } of changes) {
    if (kind !== "file" || scanned.nlink < 2) continue;
    const group = names.get(scanned.inode);
    if (group === undefined) names.set(scanned.inode, [scanned.path]);
    else group.push(scanned.path);
  }
  const fileOf = new Map<ByteString, ByteString>();
  for (const group of names.values()) {
    const [first] = inWalkOrder(group);
    if (group.length > 1 && first !== undefined) for (const path of group) fileOf.set(path, first);
  }
  return fileOf;
}

/** The files that are what the parent has: their attributes tell, and where `judge` does not know, their contents. */
export async function sameFiles(
  root: string,
  changes: readonly Change[],
  owners: DiffUpperOptions["owners"],
  judge: (change: Change) => "same" | "changed" | "unknown",
): Promise<ReadonlySet<ByteString>> {
  const same = new Set<ByteString>();
  const candidates: { readonly path: ByteString; readonly digest: string }[] = [];
  for (const change of changes) {
    const { scanned, kind, below } = change;
    if (below === undefined || below.kind !== kind || kind === "directory" || !sameAttributes(change, below, scanned, owners)) continue;
    if (below.kind === "file") {
      const judged = below.size === scanned.size ? judge(change) : "changed";
      if (judged === "same") same.add(scanned.path);
      else if (judged === "unknown") candidates.push({ path: scanned.path, digest: below.digest });
    } else if (below.kind === "symlink") {
      if (below.target === scanned.target) same.add(scanned.path);
    } else if (below.kind === "fifo" || (below.kind !== "directory" && below.major === scanned.major && below.minor === scanned.minor)) {
      same.add(scanned.path);
    }
  }
  if (candidates.length === 0) return same;
  const hashes = await hashFiles(
    root,
    candidates.map((candidate) => candidate.path),
  );
  candidates.forEach(({ path, digest }, i) => {
    if (digestFromBytes(hashes.subarray(i * 32, (i + 1) * 32)) === digest) same.add(path);
  });
  return same;
}

interface Times {
  readonly mtime: number;
  readonly mtimeNsec: number;
}

function sameAttributes(change: Change, below: RootfsEntry, times: Times, owners: DiffUpperOptions["owners"]): boolean {
  const { scanned, kind } = change;
  if (times.mtime !== below.mtime || times.mtimeNsec !== below.mtimeNsec) return false;
  // Symlinks have no mode of their own; archives say what they like.
  if (kind !== "symlink" && scanned.mode !== below.mode) return false;
  if (owners === "exact" && (scanned.uid !== below.uid || scanned.gid !== below.gid)) return false;
  return sameXattrs(xattrsOf(change, owners), portableXattrs(below.xattrs));
}

function isSameDirectory(change: Change, times: Times, owners: DiffUpperOptions["owners"]): boolean {
  const { kind, opaque, below } = change;
  return kind === "directory" && below?.kind === "directory" && !opaque && sameAttributes(change, below, times, owners);
}

function isNothing({ kind, below }: Change): boolean {
  return (kind === "whiteout" || kind === "socket") && below === undefined;
}

function isEmpty({ scanned, kind }: Change, kept: ReadonlySet<ByteString>): boolean {
  return kind === "directory" ? !kept.has(scanned.path) : kind === "file" && scanned.size === 0 && scanned.nlink === 1;
}

function clampedTime({ mtime, mtimeNsec }: Times, epoch: number | undefined): Times {
  const late = epoch !== undefined && (mtime > epoch || (mtime === epoch && mtimeNsec > 0));
  return late ? { mtime: epoch, mtimeNsec: 0 } : { mtime, mtimeNsec };
}

/** Owner and extended attributes as the layer has them. */
function ownedOf(change: Change, owners: DiffUpperOptions["owners"]): Pick<Attributes, "uid" | "gid" | "xattrs"> {
  const xattrs = xattrsOf(change, owners);
  return { ...ownerOf(change, owners), ...(xattrs !== undefined && { xattrs }) };
}

function ownerOf({ scanned, kind, below }: Change, owners: DiffUpperOptions["owners"]): { readonly uid: number; readonly gid: number } {
  if (owners === "exact") return { uid: scanned.uid, gid: scanned.gid };
  return below !== undefined && below.kind === kind ? { uid: below.uid, gid: below.gid } : { uid: 0, gid: 0 };
}

/** A path that the parent has keeps the ids in its ACLs as it keeps its owner. */
function xattrsOf({ kind, xattrs, below }: Change, owners: DiffUpperOptions["owners"]): Xattrs | undefined {
  return owners === "flat" && below !== undefined && below.kind === kind ? withLeftAcls(xattrs, below.xattrs) : xattrs;
}

function entryOf(
  { scanned }: Change,
  kind: NodeEntry["kind"],
  { xattrs, ...owned }: Omit<Attributes, "mode">,
  upper: string,
  file: ByteString | undefined,
): SourceEntry {
  const { path, mode, size, major, minor, target = "" as ByteString } = scanned;
  const base = { path, mode, ...owned, ...(xattrs !== undefined && { xattrs }) };
  switch (kind) {
    case "file":
      if (file !== undefined && file !== path) return { ...base, kind: "hardlink", target: file };
      return { ...base, kind, size, content: { at: "path", root: upper, path } };
    case "symlink":
      return { ...base, kind, target };
    case "char":
    case "block":
      return { ...base, kind, major, minor };
    case "hardlink":
    case "directory":
    case "fifo":
      return { ...base, kind: kind === "fifo" ? kind : "directory" };
  }
}

/** The root is in a layer only for what a process did to it, never for its time, which any change below it sets. */
function addRoot(
  result: Pick<UpperDiff, "entries" | "clamped">,
  scanned: ScanEntry | undefined,
  parent: Rootfs,
  options: DiffUpperOptions,
  upper: string,
): void {
  const below = parent.lookup(rootPath);
  if (scanned === undefined || below === undefined) return;
  const change: Change = { scanned, kind: "directory", opaque: false, xattrs: portableXattrs(scanned.xattrs), below };
  const same = isSameDirectory(change, below, options.owners);
  const mtime = same ? { mtime: below.mtime, mtimeNsec: below.mtimeNsec } : clampedTime(scanned, options.epoch);
  result.clamped.push({ path: rootPath, ...mtime });
  if (!same) result.entries.push(entryOf(change, "directory", { ...ownedOf(change, options.owners), ...mtime }, upper, undefined));
}
