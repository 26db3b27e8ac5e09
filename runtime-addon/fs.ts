// CONTRACT: signatures are fixed, bodies come with the addon.
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
  /** Only where the scan asked for them and the file has some. */
  readonly xattrs?: Readonly<Record<string, ByteString>>;
  /**
   * dev, ino, size, mtime, ctime and mode as raw bytes: equal means that the kernel has seen no change since
   * (but for the racy last clock tick, which the reader of a cache must handle by `ctime`).
   */
  readonly identity: ByteString;
  readonly ctime: number;
  readonly ctimeNsec: number;
}

export interface ScanOptions {
  /** Descend into directories (never through symlinks). Otherwise the given directories' own children only. */
  readonly recursive: boolean;
  /** Read extended attributes too. POSIX ACLs, capabilities, user.*, trusted.* as far as they may be read. */
  readonly xattrs: boolean;
}
