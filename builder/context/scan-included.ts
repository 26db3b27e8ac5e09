import { type ByteString, decodeScan, type ScanEntry, scan } from "../../runtime-addon/index.ts";
import { parentPath } from "../../store/layer/entry-path.ts";
import type { PathRules } from "./ignore.ts";
import type { Selection } from "./selection.ts";

/** What decides which files below a directory are taken. */
export interface ScanFilter {
  /** Paths are relative to the context's root. */
  readonly rules?: PathRules;
  /** Paths are relative to the directory that is scanned. */
  readonly selection?: Selection;
}

export interface IncludedFiles {
  /** Parents first, sorted by bytes. */
  readonly entries: readonly ScanEntry[];
  /** Directories that the selection does not take, but something below them. */
  readonly leading: ReadonlySet<ByteString>;
}

/**
 * Everything below a directory that the filter leaves in; a directory that it leaves out is there only where something below it is taken. Directories in which
 * nothing can be taken are not entered.
 */
export async function scanIncluded(root: string, top: ByteString, { rules, selection }: ScanFilter): Promise<IncludedFiles> {
  const cut = top === "" ? 0 : top.length + 1;
  const isSelected = (path: ByteString): boolean => selection?.takes(path.slice(cut) as ByteString) ?? true;
  const isIgnored = (path: ByteString): boolean => rules?.excludes(path) ?? false;
  const mayHoldTaken = (path: ByteString): boolean =>
    (!isIgnored(path) || (rules?.mayReincludeBelow(path) ?? false)) && (selection?.mayTakeBelow(path.slice(cut) as ByteString) ?? true);

  const kept: ScanEntry[] = [];
  const leading = new Set<ByteString>();
  /** Directories on the way that nothing below has been taken of yet. */
  const passed = new Map<ByteString, ScanEntry>();
  for (let level: readonly ByteString[] = [top]; level.length > 0; ) {
    const below: ByteString[] = [];
    for (const entry of decodeScan(await scan(root, level, { recursive: false, xattrs: true }))) {
      const { path } = entry;
      const isTaken = entry.type !== "socket" && !isIgnored(path) && isSelected(path);
      if (isTaken) {
        for (let parent = parentPath(path); passed.has(parent); parent = parentPath(parent)) {
          kept.push(passed.get(parent) as ScanEntry);
          passed.delete(parent);
          if (!isSelected(parent)) leading.add(parent);
        }
        kept.push(entry);
      }
      if (entry.type !== "directory" || (!isTaken && !mayHoldTaken(path))) continue;
      if (!isTaken) passed.set(path, entry);
      below.push(path);
    }
    level = below;
  }
  return { entries: kept.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0)), leading };
}
