import { nativeAddon } from "./binding.ts";
import type { SystemError } from "./system-error.ts";

export interface AllocatedBytes {
  /** Of all that could be measured. */
  readonly bytes: number;
  /** Why some of it could not. */
  readonly error?: SystemError;
}

/**
 * Bytes that a file, or a directory with all that is in it, takes on its file system (stat(2): st_blocks): what `du` counts, files with several names once, paths of any length. What is
 * missing, vanishes meanwhile, or may not be looked into (files of mapped owners), counts as nothing. Never rejects for what is on the disk.
 */
export function allocatedBytes(path: string): Promise<AllocatedBytes> {
  return nativeAddon().allocatedBytes(path);
}
