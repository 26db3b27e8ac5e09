import { nativeAddon } from "./binding.ts";
import type { ByteString } from "./bytes.ts";
import { packPaths } from "./message.ts";
import { fileSystemThreads } from "./usable-cpus.ts";

export interface ScanOptions {
  /** Descend into directories (never through symlinks). Otherwise the given directories' own children only. */
  readonly recursive: boolean;
  /**
   * Read extended attributes too: user.*, trusted.*, POSIX ACLs and security.capability, as far as they may be read.
   * Labels of the host (SELinux, IMA, …) are left out.
   */
  readonly xattrs: boolean;
  /** Bytes of a path below the root; a longer one is ENAMETOOLONG. Absent: as many as a system call takes. */
  readonly longestPath?: number;
}

/** limits.h: PATH_MAX, less the NUL. */
const mostPathBytes = 4095;

/**
 * Packed records (see decodeScan) of what is in the given directories of `root` ("" is the root itself; they are not listed
 * themselves): parents before children, children directly behind their directory, sorted by bytes. What vanishes during the
 * scan is left out; no symlink is ever followed, not even one swapped in meanwhile. Rejects with a system error.
 */
export async function scan(root: string, directories: readonly ByteString[], options: ScanOptions): Promise<Buffer> {
  const { longestPath = mostPathBytes } = options;
  const { numbers, text } = packPaths(directories);
  return nativeAddon().scan(root, numbers, text, options.recursive, options.xattrs, longestPath, fileSystemThreads());
}

/** Packed records of exactly these paths (lstat(2)); those that do not exist, or lie behind a symlink, are left out. */
export async function statMany(root: string, paths: readonly ByteString[], options: Pick<ScanOptions, "xattrs">): Promise<Buffer> {
  const { numbers, text } = packPaths(paths);
  return nativeAddon().statMany(root, numbers, text, options.xattrs);
}
