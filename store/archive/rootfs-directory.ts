import { realpathSync } from "node:fs";
import type { Abortable } from "../file-bytes.ts";
import { canonicalEntries } from "../layer/canonical.ts";
import type { SourceEntry } from "../layer/entry.ts";
import { extractFiles, finishDirectories, sortFiles } from "../layer/extract-files.ts";
import { makeDirectories } from "../make-directories.ts";
import { targetOf } from "./link-target.ts";
import { mergeDirectory } from "./merge-directory.ts";
import { withScratch } from "./scratch-directory.ts";

export interface ToDirectoryOptions extends Abortable {
  readonly onNote?: (message: string) => void;
  /** Owners, setuid bits, devices and extended attributes are made as the files have them. Absent: exactly for root, who alone may. */
  readonly exact?: boolean;
}

const setIdBits = 0o6000;

/**
 * Puts files, whose contents are in plain tars, among those that a directory has; it is made where it is missing. All are made in a directory of their own inside it first and then moved, each in one
 * step: a file that has the same name is replaced, a directory keeps what else is in it. No symlink below `directory` is followed. Throws DESTINATION_EXISTS, before anything is
 * moved, where a directory that is not empty has the name of something else; system errors and `signal.reason`. What was moved by then stays.
 */
export async function exportToDirectory(entries: readonly SourceEntry[], directory: string, options: ToDirectoryOptions): Promise<void> {
  const { signal, onNote = () => undefined, exact = process.geteuid?.() === 0 } = options;
  makeDirectories(targetOf(directory));
  const target = realpathSync(directory);
  const files = sortFiles(canonicalEntries(entries).map((entry) => (exact ? entry : ownable(entry))));
  await withScratch(target, async (scratch) => {
    const { length: left } = await extractFiles(files, scratch, { owners: exact, devices: exact, signal });
    if (left > 0) onNote(`${directory}: ${left} ${left === 1 ? "device was" : "devices were"} left out, which only root can make`);
    signal?.throwIfAborted();
    mergeDirectory(scratch, target, directory);
  });
  await finishDirectories(files, target, { owners: exact });
}

/** As a file can be for whoever is not root: without what would mean another owner, and without attributes that not everyone can set. */
function ownable(entry: SourceEntry): SourceEntry {
  if (entry.kind === "whiteout" || entry.kind === "opaque") return entry;
  const { xattrs: _, ...rest } = entry;
  return { ...rest, mode: entry.mode & ~setIdBits } as SourceEntry;
}
