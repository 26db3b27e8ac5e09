import { type Attributes, type ByteString, type ExtractEntry, extract, isSystemError } from "../../runtime-addon/index.ts";
import type { Abortable } from "../file-bytes.ts";
import type { DeviceEntry, DirectoryEntry, SourceEntry } from "./entry.ts";
import { portableXattrs } from "./xattrs.ts";

/** The files of a root file system, whose contents are in plain tars, in the order in which they can be made. */
export interface SortedFiles {
  readonly directories: readonly DirectoryEntry[];
  readonly filesByTar: ReadonlyMap<string, readonly ExtractEntry[]>;
  readonly others: readonly ExtractEntry[];
  readonly devices: readonly DeviceEntry[];
}

export interface ExtractFilesOptions extends Abortable {
  /** Whether files get their owners; without, all belong to whoever makes them. */
  readonly owners: boolean;
  /** Whether devices are tried. */
  readonly devices: boolean;
}

const noTar = "/dev/null";

/** `entries` are canonical. Throws RangeError for removals and for contents that are in no tar. */
export function sortFiles(entries: readonly SourceEntry[]): SortedFiles {
  const directories: DirectoryEntry[] = [];
  const filesByTar = new Map<string, ExtractEntry[]>();
  const others: ExtractEntry[] = [];
  const devices: DeviceEntry[] = [];
  for (const entry of entries) {
    switch (entry.kind) {
      case "directory":
        directories.push(entry);
        break;
      case "char":
      case "block":
        devices.push(entry);
        break;
      case "file": {
        const { content } = entry;
        if (content.at !== "tar") throw new RangeError("a content is in no tar");
        const files = filesByTar.get(content.tar) ?? [];
        filesByTar.set(content.tar, files);
        files.push({ kind: "file", path: entry.path, ...attributesOf(entry), size: entry.size, offset: content.offset });
        break;
      }
      case "hardlink":
        others.push({ kind: "hardlink", path: entry.path, target: entry.target });
        break;
      case "symlink":
        others.push({ kind: "symlink", path: entry.path, ...attributesOf(entry), target: entry.target });
        break;
      case "fifo":
        others.push({ kind: "fifo", path: entry.path, ...attributesOf(entry) });
        break;
      case "whiteout":
      case "opaque":
        throw new RangeError("a root file system has no removals");
    }
  }
  return { directories, filesByTar, others, devices };
}

/**
 * Makes the files in an empty directory; directories still lack their attributes (finishDirectories). Returns the devices that were left out: not
 * tried, or refused (in a user namespace, or without CAP_MKNOD). Throws system errors and `signal.reason`.
 */
export async function extractFiles(files: SortedFiles, root: string, options: ExtractFilesOptions): Promise<readonly ByteString[]> {
  const { signal, owners } = options;
  await extract(root, noTar, files.directories.map(passable), { owners: false });
  for (const [tar, entries] of files.filesByTar) {
    signal?.throwIfAborted();
    await extract(root, tar, entries, { owners });
  }
  await extract(root, noTar, files.others, { owners });
  if (!options.devices) return files.devices.map(({ path }) => path);
  return makeDevices(root, files.devices, owners);
}

/** Last of all: a directory may forbid changes in it, and what is put into it changes its time. */
export async function finishDirectories({ directories }: SortedFiles, root: string, options: { readonly owners: boolean }): Promise<void> {
  const entries = directories.map((entry): ExtractEntry => ({ kind: "directory", path: entry.path, ...attributesOf(entry) }));
  await extract(root, noTar, entries, options);
}

function attributesOf({ mode, uid, gid, mtime, mtimeNsec, xattrs }: Attributes): Attributes {
  const portable = portableXattrs(xattrs);
  return { mode, uid, gid, mtime, mtimeNsec, ...(portable === undefined ? {} : { xattrs: portable }) };
}

function passable({ path }: { readonly path: ByteString }): ExtractEntry {
  return { kind: "directory", path, mode: 0o700, uid: 0, gid: 0, mtime: 0, mtimeNsec: 0 };
}

/** Those that could not be made. 0:0, which overlay takes for a removal, nobody may. */
async function makeDevices(root: string, devices: readonly DeviceEntry[], owners: boolean): Promise<readonly ByteString[]> {
  const left: ByteString[] = [];
  for (const device of devices) {
    const { kind, path, major, minor } = device;
    try {
      await extract(root, noTar, [{ kind, path, ...attributesOf(device), major, minor }], { owners });
    } catch (error) {
      if (!isSystemError(error, "EPERM")) throw error;
      left.push(path);
    }
  }
  return left;
}
