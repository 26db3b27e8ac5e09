import type { ByteString } from "../../runtime-addon/index.ts";
import { baseName, rootPath } from "./entry-path.ts";
import type { Rootfs, RootfsEntry } from "./rootfs.ts";
import { sameXattrs } from "./xattrs.ts";

/** What of a file differs. */
export type FileAspect = "kind" | "mode" | "owner" | "time" | "size" | "content" | "target" | "device" | "xattrs";

/** One path that two root file systems do not have in common. */
export type FileDifference =
  | { readonly change: "added" | "removed"; readonly path: ByteString; readonly entry: RootfsEntry }
  | {
      readonly change: "changed";
      readonly path: ByteString;
      readonly a: RootfsEntry;
      readonly b: RootfsEntry;
      readonly aspects: readonly FileAspect[];
    };

/**
 * What must happen to the files of `a` to get those of `b`, in the order of a walk, the root's own attributes included; everything below a directory that is added or
 * removed is told of too. Reads trees only. `times: false` leaves modification times out.
 */
export function* diffRootfs(a: Rootfs, b: Rootfs, options: { readonly times: boolean }): Generator<FileDifference> {
  const compare = function* (before: RootfsEntry, after: RootfsEntry): Generator<FileDifference> {
    const { path } = after;
    const aspects = differing(a, before, b, after, options.times);
    if (aspects.length > 0) yield { change: "changed", path, a: before, b: after, aspects };
    if (before.kind === "directory" && after.kind === "directory") yield* inDirectory(path);
    else if (before.kind === "directory") yield* all("removed", a, path);
    else if (after.kind === "directory") yield* all("added", b, path);
  };
  const inDirectory = function* (directory: ByteString): Generator<FileDifference> {
    const before = a.list(directory);
    const after = b.list(directory);
    for (let i = 0, j = 0; i < before.length || j < after.length; ) {
      const one = before[i];
      const other = after[j];
      const order = one === undefined ? 1 : other === undefined ? -1 : compareNames(one, other);
      if (one !== undefined && order < 0) yield* whole("removed", a, one);
      if (other !== undefined && order > 0) yield* whole("added", b, other);
      if (one !== undefined && other !== undefined && order === 0) yield* compare(one, other);
      if (order <= 0) i++;
      if (order >= 0) j++;
    }
  };
  const [rootA, rootB] = [a.lookup(rootPath), b.lookup(rootPath)];
  if (rootA !== undefined && rootB !== undefined) yield* compare(rootA, rootB);
}

function* whole(change: "added" | "removed", rootfs: Rootfs, entry: RootfsEntry): Generator<FileDifference> {
  yield { change, path: entry.path, entry };
  if (entry.kind === "directory") yield* all(change, rootfs, entry.path);
}

function* all(change: "added" | "removed", rootfs: Rootfs, directory: ByteString): Generator<FileDifference> {
  for (const entry of rootfs.walk(directory)) yield { change, path: entry.path, entry };
}

function compareNames(a: RootfsEntry, b: RootfsEntry): number {
  const [one, other] = [baseName(a.path), baseName(b.path)];
  return one === other ? 0 : one < other ? -1 : 1;
}

function differing(a: Rootfs, before: RootfsEntry, b: Rootfs, after: RootfsEntry, times: boolean): FileAspect[] {
  const aspects: FileAspect[] = [];
  const note = (differs: boolean, aspect: FileAspect): void => {
    if (differs) aspects.push(aspect);
  };
  note(before.kind !== after.kind, "kind");
  // Of a symlink no kernel asks for the mode.
  note(before.mode !== after.mode && !(before.kind === "symlink" && after.kind === "symlink"), "mode");
  note(before.uid !== after.uid || before.gid !== after.gid, "owner");
  note(times && (before.mtime !== after.mtime || before.mtimeNsec !== after.mtimeNsec), "time");
  if (before.kind === "file" && after.kind === "file") {
    note(before.size !== after.size, "size");
    note(a.digest(before) !== b.digest(after), "content");
  }
  if (before.kind === "symlink" && after.kind === "symlink") note(before.target !== after.target, "target");
  if ("major" in before && "major" in after) note(before.major !== after.major || before.minor !== after.minor, "device");
  note(!sameXattrs(before.xattrs, after.xattrs), "xattrs");
  return aspects;
}
