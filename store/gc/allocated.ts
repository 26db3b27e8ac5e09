import { lstatSync, readdirSync, type Stats } from "node:fs";
import { allocatedBytes, isSystemError, systemErrorMessage } from "../../runtime-addon/index.ts";

/** What a file, or a directory with all that is in it, takes on its file system, in bytes: see allocatedBytes. */
export type Measure = (path: string) => Promise<number>;

/**
 * What cannot be measured to its end counts with what of it was, so that it is no reason to keep it; `onNote` hears why, once for a path. Measures a file without a trip to another
 * thread.
 */
export function openMeasure(onNote: (message: string) => void = () => undefined): Measure {
  const noted = new Set<string>();
  return async (path) => {
    const found = statOf(path);
    if (found === undefined) return 0;
    if (!found.isDirectory()) return blockBytes(found);
    const { bytes, error } = await allocatedBytes(path);
    if (error !== undefined && !noted.has(path)) {
      noted.add(path);
      onNote(`what takes the room of the store cannot be measured whole: ${systemErrorMessage(error)}`);
    }
    return bytes;
  };
}

/** Of the directory or file alone. */
export function ownBytes(path: string): number {
  const found = statOf(path);
  return found === undefined ? 0 : blockBytes(found);
}

/** Names in a directory of the store's own; none where it is missing, is no directory or may not be read. */
export function namesIn(path: string): readonly string[] {
  return unlessGone(() => readdirSync(path)) ?? [];
}

function statOf(path: string): Stats | undefined {
  return unlessGone(() => lstatSync(path));
}

function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (isSystemError(error, "ENOENT", "ENOTDIR", "EACCES", "EPERM")) return undefined;
    throw error;
  }
}

/** stat(2): st_blocks is in units of 512 bytes, whatever the file system's own. */
function blockBytes({ blocks }: Stats): number {
  return blocks * 512;
}
