import type { Attributes, ByteString } from "../../runtime-addon/index.ts";
import type { ContentRef, FileEntry } from "../../store/layer/entry.ts";
import { type Inode, layerCollector } from "../../store/layer/layer-collector.ts";
import type { SourceNode } from "./copy-source.ts";
import type { FoundEntry, LentFile, WrittenEntry } from "./written-over.ts";

type ArchiveFile = Inode & ({ readonly content: ContentRef } | Pick<LentFile, "lent">);

type FoundFile = Extract<FoundEntry, { kind: "file" }>;

export interface Unpacked {
  /** Parents first, with the archive's owners; hard links lead to files among them. */
  readonly entries: readonly WrittenEntry[];
  /** Directories of the destination whose content is gone, though some are directories again. */
  readonly emptied: ReadonlySet<ByteString>;
}

/**
 * What an archive makes of a directory: its entries one after the other, as tar does it. Directories are merged, anything else is replaced with all that
 * is below; symlinks on the way count from the directory, whether they are the archive's or were there; hard links may lead to what was there. Paths are
 * relative to the directory, which itself stays what it is. Throws INVALID_TAR (below what is no directory, a hard link to nothing or to a
 * directory), SYMLINK_LOOP, TOO_LARGE.
 */
export function unpackOver(nodes: readonly SourceNode[], lookup: (path: ByteString) => FoundEntry | undefined, where: string): Unpacked {
  const collector = layerCollector<ArchiveFile, FoundFile>(undefined, { lookup, adopt });
  for (const node of nodes) {
    if (node.path === "") continue;
    if (node.kind === "file") collector.file(node.path, fileOf(node), where);
    else if (node.kind === "hardlink") collector.hardlink(node.path, node.target, attributesOf(node), where);
    else collector.other(node, where);
  }
  const entries: WrittenEntry[] = [];
  const emptied = new Set<ByteString>();
  for (const entry of collector.entries()) {
    if (entry.kind === "whiteout") continue;
    if (entry.kind === "opaque") emptied.add(entry.path);
    else entries.push(entry);
    if (entry.kind !== "directory" && lookup(entry.path)?.kind === "directory") emptied.add(entry.path);
  }
  return { entries, emptied };
}

function fileOf({ content, ...node }: SourceNode & FileEntry): ArchiveFile {
  if (content === undefined) throw new Error(`no content: ${node.path}`);
  return { ...attributesOf(node), size: node.size, content };
}

function adopt(file: FoundFile): ArchiveFile {
  const inode = { ...attributesOf(file), size: file.size };
  if ("lent" in file) return { ...inode, lent: file.lent };
  return "content" in file ? { ...inode, content: file.content } : { ...inode, lent: file };
}

function attributesOf({ mode, uid, gid, mtime, mtimeNsec, xattrs }: Attributes): Attributes {
  return { mode, uid, gid, mtime, mtimeNsec, ...(xattrs !== undefined && { xattrs }) };
}
