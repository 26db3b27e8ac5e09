import type { ByteString } from "../../runtime-addon/index.ts";
import type { FileEntry, HardlinkEntry, NodeEntry, SourceEntry } from "../../store/layer/entry.ts";
import { parentPath } from "../../store/layer/entry-path.ts";
import type { Rootfs, RootfsEntry } from "../../store/layer/rootfs.ts";

/** A file of the parent that is written again, since it got another name; its content is where the parent has it. */
export type LentFile = FileEntry & { readonly lent: FileEntry };
type WrittenFile = Extract<SourceEntry, { kind: "file" }> | LentFile;
export type WrittenEntry = Exclude<NodeEntry, FileEntry> | WrittenFile;
/** What a path holds. Hard links are the file itself, under the name that was asked for. */
export type FoundEntry = Exclude<WrittenEntry, HardlinkEntry> | RootfsEntry;

/** What is written so far on top of a root file system. */
export interface WrittenOver {
  /** What a path holds now, of both; follows no symlink. */
  lookup(path: ByteString): FoundEntry | undefined;
  /** Replaces what was written under this path. Other names of a file keep its content. */
  set(entry: WrittenEntry): void;
  /** Takes away all that is below these directories, the parent's too, and gives the paths that had been written. */
  empty(directories: ReadonlySet<ByteString>): readonly ByteString[];
  /** What makes the parent so, in no order. */
  entries(): { readonly entries: SourceEntry[]; readonly lent: readonly LentFile[] };
}

export function writtenOver(parent: Rootfs): WrittenOver {
  const written = new Map<ByteString, WrittenEntry>();
  /** The file that a hard link was made of, by the link's path. */
  const linked = new Map<ByteString, WrittenFile>();
  /** Directories of the parent whose content is gone. */
  const emptied = new Set<ByteString>();

  const isBelow = (path: ByteString, directories: ReadonlySet<ByteString>): boolean => {
    for (let above = parentPath(path); above !== ""; above = parentPath(above)) if (directories.has(above)) return true;
    return false;
  };
  const ofParent = (path: ByteString): RootfsEntry | undefined =>
    emptied.size > 0 && isBelow(path, emptied) ? undefined : parent.lookup(path);
  const fileBehind = (link: HardlinkEntry): WrittenFile | undefined => {
    const file = linked.get(link.path);
    return file === undefined ? undefined : { ...file, path: link.path };
  };
  const lookup = (path: ByteString): FoundEntry | undefined => {
    const entry = written.get(path) ?? ofParent(path);
    return entry?.kind === "hardlink" ? fileBehind(entry) : entry;
  };

  return {
    lookup,
    set(entry) {
      const { path } = entry;
      linked.delete(path);
      if (entry.kind === "hardlink") {
        const target = linked.get(entry.target) ?? written.get(entry.target);
        if (target?.kind === "file") linked.set(path, target);
      }
      written.set(path, entry);
    },
    empty(directories) {
      const gone = [...written.keys()].filter((path) => isBelow(path, directories));
      for (const path of gone) {
        written.delete(path);
        linked.delete(path);
      }
      for (const path of directories) if (ofParent(path)?.kind === "directory") emptied.add(path);
      return gone;
    },
    entries() {
      const entries: SourceEntry[] = [];
      const lent: LentFile[] = [];
      const put = (entry: Exclude<WrittenEntry, HardlinkEntry>): void => {
        if ("lent" in entry) lent.push(entry);
        else entries.push(entry);
      };
      // Where the first name of a file holds something else now, the next is the file.
      const heirs = new Map<WrittenFile, ByteString>();
      for (const [path, entry] of written) {
        if (entry.kind !== "hardlink") {
          put(entry);
          continue;
        }
        const file = linked.get(path);
        const heir = file === undefined || written.get(file.path) === file ? file?.path : heirs.get(file);
        if (file !== undefined && heir === undefined) {
          heirs.set(file, path);
          put({ ...file, path });
        } else entries.push({ ...entry, target: heir ?? entry.target });
      }
      for (const path of emptied) if (written.get(path)?.kind === "directory") entries.push({ kind: "opaque", path });
      return { entries, lent };
    },
  };
}
