import type { ByteString } from "./bytes.ts";

export type FileType = "file" | "directory" | "symlink" | "char" | "block" | "fifo" | "socket";

/** One scanned file. Field names follow stat(2). */
export interface ScanEntry {
  /** Relative to the scanned root, no leading slash; "" is the root itself. */
  readonly path: ByteString;
  readonly type: FileType;
  /** Permission bits with setuid, setgid and sticky: 0–0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes; 0 for anything but files. */
  readonly size: number;
  /** Seconds since the epoch, and the nanoseconds past them (0–999,999,999). */
  readonly mtime: number;
  readonly mtimeNsec: number;
  readonly nlink: number;
  /** Names the inode among the files of one scan: equal exactly for hard links of each other. */
  readonly inode: string;
  /** Device numbers, for char and block. */
  readonly major: number;
  readonly minor: number;
  /** Symlinks only. */
  readonly target?: ByteString;
  /** Only where the scan asked for them and the file has some; sorted by name. */
  readonly xattrs?: Readonly<Record<string, ByteString>>;
  /**
   * dev, ino, size, mtime, ctime and mode as raw bytes: equal means that the kernel has seen no change since
   * (but for the racy last clock tick, which the reader of a cache must handle by `ctime`).
   */
  readonly identity: ByteString;
  readonly ctime: number;
  readonly ctimeNsec: number;
}

// A record is this header, then path, target, and for each xattr: name length, value length (u32 each), name, value.
// Integers are little endian; the last five are 64 bits wide.
const RECORD_LENGTH = 0;
const PATH_LENGTH = 4;
const TARGET_LENGTH = 8;
const XATTR_COUNT = 12;
const UID = 16;
const GID = 20;
const NLINK = 24;
const MAJOR = 28;
const MINOR = 32;
const MODE = 36;
const MTIME_NSEC = 40;
const CTIME_NSEC = 44;
const SIZE = 48;
const MTIME = 56;
const CTIME = 64;
const DEVICE = 72;
const HEADER_LENGTH = 88;

const TYPES: Readonly<Record<number, FileType>> = {
  1: "fifo",
  2: "char",
  4: "directory",
  6: "block",
  8: "file",
  10: "symlink",
  12: "socket",
};

/** The entries of packed records, as `scan` and `statMany` return them. */
export function decodeScan(packed: Uint8Array): ScanEntry[] {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  // One string for all: the slices below share its memory.
  const text = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength).toString("latin1");
  const entries: ScanEntry[] = [];
  for (let at = 0; at < packed.byteLength; at += view.getUint32(at + RECORD_LENGTH, true)) {
    const modeAndType = view.getUint32(at + MODE, true);
    const type = TYPES[modeAndType >>> 12];
    if (type === undefined) throw new Error(`unknown file type in mode ${modeAndType.toString(8)}`);
    const pathAt = at + HEADER_LENGTH;
    const targetAt = pathAt + view.getUint32(at + PATH_LENGTH, true);
    const xattrsAt = targetAt + view.getUint32(at + TARGET_LENGTH, true);
    const xattrCount = view.getUint32(at + XATTR_COUNT, true);
    const entry: ScanEntry = {
      path: text.slice(pathAt, targetAt) as ByteString,
      type,
      mode: modeAndType & 0o7777,
      uid: view.getUint32(at + UID, true),
      gid: view.getUint32(at + GID, true),
      size: type === "file" ? int64(view, at + SIZE) : 0,
      mtime: int64(view, at + MTIME),
      mtimeNsec: view.getUint32(at + MTIME_NSEC, true),
      nlink: view.getUint32(at + NLINK, true),
      inode: text.slice(at + DEVICE, pathAt),
      major: view.getUint32(at + MAJOR, true),
      minor: view.getUint32(at + MINOR, true),
      identity: text.slice(at + MODE, pathAt) as ByteString,
      ctime: int64(view, at + CTIME),
      ctimeNsec: view.getUint32(at + CTIME_NSEC, true),
    };
    // Few entries have these: a spread into every entry would take as long as all the rest.
    if (type === "symlink") Object.assign(entry, { target: text.slice(targetAt, xattrsAt) });
    if (xattrCount > 0) Object.assign(entry, { xattrs: decodeXattrs(view, text, xattrsAt, xattrCount) });
    entries.push(entry);
  }
  return entries;
}

function decodeXattrs(view: DataView, text: string, start: number, count: number): Record<string, ByteString> {
  const xattrs: Record<string, ByteString> = {};
  let at = start;
  for (let i = 0; i < count; i++) {
    const valueAt = at + 8 + view.getUint32(at, true);
    const end = valueAt + view.getUint32(at + 4, true);
    xattrs[text.slice(at + 8, valueAt)] = text.slice(valueAt, end) as ByteString;
    at = end;
  }
  return xattrs;
}

/** Exact up to 2^53, which is farther than any file system counts. */
function int64(view: DataView, at: number): number {
  return view.getInt32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true);
}
