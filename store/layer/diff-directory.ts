import { type ByteString, decodeScan, scan, statMany } from "../../runtime-addon/index.ts";
import { type Change, collect, type DiffUpperOptions, linkGroups, readChanges, refuseDepth, sameFiles } from "./diff.ts";
import type { SourceEntry } from "./entry.ts";
import { rootPath } from "./entry-path.ts";
import type { Rootfs } from "./rootfs.ts";

/**
 * The changes in a whole root file system, plain files, that was made of the layers below and then changed: as diffUpper has them. `since`: when it was finished, in nanoseconds, as
 * a change time of its own file system (the kernel sets those, and no process chooses them): of older files nothing is read. `omitted` are
 * paths of the parent that could not be made. A change through one of several hard links
 * is one of all, and a directory that was removed and made again is what it then has: an overlay would have an own copy of the one, and hide all of the other.
 */
export async function diffDirectory(
  directory: string,
  parent: Rootfs,
  { since, omitted, ...options }: DiffUpperOptions & { readonly since: bigint; readonly omitted: ReadonlySet<ByteString> },
): Promise<readonly SourceEntry[]> {
  const [rootBytes, belowBytes] = await Promise.all([
    statMany(directory, [rootPath], { xattrs: true }),
    scan(directory, [rootPath], { recursive: true, xattrs: true }).catch(refuseDepth),
  ]);
  const changes = readChanges(decodeScan(belowBytes), parent);
  const fileOf = linkGroups(changes);
  const isLinkedAnew = linkedAnew(changes, fileOf, parent);
  const same = await sameFiles(directory, changes, options.owners, ({ scanned }) => {
    if (isLinkedAnew(scanned.path)) return "changed";
    return BigInt(scanned.ctime) * 1_000_000_000n + BigInt(scanned.ctimeNsec) < since ? "same" : "unknown";
  });
  const there = new Map(changes.map((change) => [change.scanned.path, change.kind]));
  const removed = removals(parent, there, omitted);
  const scannedRoot = decodeScan(rootBytes)[0];
  return collect({ root: directory, parent, scannedRoot, changes, fileOf, same, removed }, options).entries;
}

/** Whether a path is one of several names that are not names of one file in the parent. */
function linkedAnew(
  changes: readonly Change[],
  fileOf: ReadonlyMap<ByteString, ByteString>,
  parent: Rootfs,
): (path: ByteString) => boolean {
  const inodes = new Map<ByteString, string | undefined>();
  const anew = new Set<ByteString>();
  for (const { scanned, below } of changes) {
    const first = fileOf.get(scanned.path);
    if (first === undefined) continue;
    const inode = below?.kind === "file" ? parent.inode(below) : undefined;
    if (!inodes.has(first)) inodes.set(first, inode);
    if (inode === undefined || inodes.get(first) !== inode) anew.add(first);
  }
  return (path) => {
    const first = fileOf.get(path);
    return first !== undefined && anew.has(first);
  };
}

/** What the parent has and a directory of this root lacks; of a directory that is gone whole, itself only. */
function removals(parent: Rootfs, there: ReadonlyMap<ByteString, Change["kind"]>, omitted: ReadonlySet<ByteString>): readonly ByteString[] {
  const removed: ByteString[] = [];
  const directories = [rootPath];
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
    for (const { path, kind } of parent.list(directory)) {
      const now = there.get(path);
      if (now === undefined && !omitted.has(path)) removed.push(path);
      if (now === "directory" && kind === "directory") directories.push(path);
    }
  }
  return removed;
}
