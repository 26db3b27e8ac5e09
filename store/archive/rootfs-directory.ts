import { randomBytes } from "node:crypto";
import { realpathSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Attributes, type ByteString, type ExtractEntry, extract, isSystemError, removeTree } from "../../runtime-addon/index.ts";
import type { Abortable } from "../file-bytes.ts";
import { canonicalEntries } from "../layer/canonical.ts";
import type { DeviceEntry, DirectoryEntry, SourceEntry } from "../layer/entry.ts";
import { portableXattrs } from "../layer/xattrs.ts";
import { makeDirectories } from "../make-directories.ts";
import { mergeDirectory } from "./merge-directory.ts";

export interface ToDirectoryOptions extends Abortable {
  readonly onNote?: (message: string) => void;
  /** Owners, setuid bits, devices and extended attributes are made as the files have them. Absent: exactly for root, who alone may. */
  readonly exact?: boolean;
}

const noTar = "/dev/null";
const setIdBits = 0o6000;

/**
 * Puts files, whose contents are in plain tars, among those that a directory has; it is made where it is missing. All are made in a directory of their own inside it first and then moved, each in one
 * step: a file that has the same name is replaced, a directory keeps what else is in it. No symlink below `directory` is followed. Throws DESTINATION_EXISTS, before anything is
 * moved, where a directory that is not empty has the name of something else; system errors and `signal.reason`. What was moved by then stays.
 */
export async function exportToDirectory(entries: readonly SourceEntry[], directory: string, options: ToDirectoryOptions): Promise<void> {
  const { signal, onNote = () => undefined, exact = process.geteuid?.() === 0 } = options;
  makeDirectories(directory);
  const target = realpathSync(directory);
  const sorted = sort(canonicalEntries(entries).map((entry) => (exact ? entry : ownable(entry))));
  const scratch = join(target, `.tsbuild-${randomBytes(6).toString("hex")}`);
  await mkdir(scratch, { mode: 0o700 });
  try {
    await extract(scratch, noTar, sorted.directories.map(passable), { owners: false });
    for (const [tar, files] of sorted.filesByTar) {
      signal?.throwIfAborted();
      await extract(scratch, tar, files, { owners: exact });
    }
    await extract(scratch, noTar, sorted.others, { owners: exact });
    const left = exact ? await makeDevices(scratch, sorted.devices) : sorted.devices.length;
    if (left > 0) onNote(`${directory}: ${left} ${left === 1 ? "device was" : "devices were"} left out, which only root can make`);
    signal?.throwIfAborted();
    mergeDirectory(scratch, target, directory);
  } finally {
    await removeTree(scratch);
  }
  // Last of all: a directory may forbid changes in it, and what is moved into it changes its time.
  await extract(target, noTar, sorted.directories.map(directoryEntry), { owners: exact });
}

interface Sorted {
  readonly directories: DirectoryEntry[];
  readonly filesByTar: Map<string, ExtractEntry[]>;
  readonly others: ExtractEntry[];
  readonly devices: DeviceEntry[];
}

function sort(entries: readonly SourceEntry[]): Sorted {
  const sorted: Sorted = { directories: [], filesByTar: new Map(), others: [], devices: [] };
  for (const entry of entries) {
    switch (entry.kind) {
      case "directory":
        sorted.directories.push(entry);
        break;
      case "char":
      case "block":
        sorted.devices.push(entry);
        break;
      case "file": {
        const { content } = entry;
        if (content.at !== "tar") throw new RangeError("a content is in no tar");
        const files = sorted.filesByTar.get(content.tar) ?? [];
        sorted.filesByTar.set(content.tar, files);
        files.push({ kind: "file", path: entry.path, ...attributesOf(entry), size: entry.size, offset: content.offset });
        break;
      }
      case "hardlink":
        sorted.others.push({ kind: "hardlink", path: entry.path, target: entry.target });
        break;
      case "symlink":
        sorted.others.push({ kind: "symlink", path: entry.path, ...attributesOf(entry), target: entry.target });
        break;
      case "fifo":
        sorted.others.push({ kind: "fifo", path: entry.path, ...attributesOf(entry) });
        break;
      case "whiteout":
      case "opaque":
        throw new RangeError("a root file system has no removals");
    }
  }
  return sorted;
}

/** As a file can be for whoever is not root: without what would mean another owner, and without attributes that not everyone can set. */
function ownable(entry: SourceEntry): SourceEntry {
  if (entry.kind === "whiteout" || entry.kind === "opaque") return entry;
  const { xattrs: _, ...rest } = entry;
  return { ...rest, mode: entry.mode & ~setIdBits } as SourceEntry;
}

function attributesOf({ mode, uid, gid, mtime, mtimeNsec, xattrs }: Attributes): Attributes {
  const portable = portableXattrs(xattrs);
  return { mode, uid, gid, mtime, mtimeNsec, ...(portable === undefined ? {} : { xattrs: portable }) };
}

function directoryEntry(entry: DirectoryEntry): ExtractEntry {
  return { kind: "directory", path: entry.path, ...attributesOf(entry) };
}

function passable({ path }: { readonly path: ByteString }): ExtractEntry {
  return { kind: "directory", path, mode: 0o700, uid: 0, gid: 0, mtime: 0, mtimeNsec: 0 };
}

/** How many could not be made: in a user namespace, or without CAP_MKNOD, root may not either. 0:0, which overlay takes for a removal, nobody may. */
async function makeDevices(scratch: string, devices: readonly DeviceEntry[]): Promise<number> {
  let left = 0;
  for (const device of devices) {
    const { kind, path, major, minor } = device;
    try {
      await extract(scratch, noTar, [{ kind, path, ...attributesOf(device), major, minor }], { owners: true });
    } catch (error) {
      if (!isSystemError(error, "EPERM")) throw error;
      left += 1;
    }
  }
  return left;
}
