import { nativeAddon } from "./binding.ts";
import type { ByteString } from "./bytes.ts";
import { rethrowChanges } from "./file-changed.ts";
import { packPaths } from "./message.ts";
import { usableCpus } from "./usable-cpus.ts";

/**
 * The SHA-256 of each file below `root`, 32 bytes each, in order; on all CPUs. Rejects with a system error (a symlink
 * anywhere in a path is ELOOP), or with FILE_CHANGED for what is no regular file or changes its size meanwhile.
 */
export async function hashFiles(root: string, paths: readonly ByteString[]): Promise<Buffer> {
  const { numbers, text } = packPaths(paths);
  return rethrowChanges(nativeAddon().hashFiles(root, numbers, text, usableCpus()));
}
