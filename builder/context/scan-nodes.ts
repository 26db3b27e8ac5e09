import type { ByteString, ScanEntry } from "../../runtime-addon/index.ts";
import type { SourceNode } from "../steps/copy-source.ts";
import { contextXattrs } from "./context-xattrs.ts";

/**
 * Scanned files as nodes relative to the source `top`, owned by root as everything from a context is. Of one inode the first name is the file, as in a
 * layer. `leading` are directories that are there only for what is below them.
 */
export function scanNodes(
  root: string,
  top: ByteString,
  entries: readonly ScanEntry[],
  leading: ReadonlySet<ByteString>,
): readonly SourceNode[] {
  const cut = top === "" ? 0 : top.length + 1;
  const firstNames = new Map<string, ByteString>();
  for (const { type, nlink, inode, path } of entries) {
    if (type !== "file" || nlink === 1) continue;
    const first = firstNames.get(inode);
    if (first === undefined || path < first) firstNames.set(inode, path);
  }
  return entries.map((entry) => {
    const path = entry.path.slice(cut) as ByteString;
    const first = firstNames.get(entry.inode) ?? entry.path;
    const node = first === entry.path ? nodeOf(entry, path, root) : hardlink(entry, path, first.slice(cut) as ByteString);
    // Few have these: a spread into every node would take as long as all the rest.
    const xattrs = isRoot(entry) ? undefined : contextXattrs(entry.xattrs);
    if (xattrs !== undefined) Object.assign(node, { xattrs });
    if (leading.has(entry.path)) Object.assign(node, { leads: true });
    return node;
  });
}

/** Each kind field by field: there may be very many. */
function nodeOf(entry: ScanEntry, path: ByteString, root: string): SourceNode {
  const { type, mtime, mtimeNsec } = entry;
  const mode = isRoot(entry) ? 0o755 : entry.mode;
  switch (type) {
    case "file": {
      const content = { at: "path", root, path: entry.path } as const;
      return { kind: type, path, mode, uid: 0, gid: 0, mtime, mtimeNsec, size: entry.size, content };
    }
    case "symlink":
      return { kind: type, path, mode, uid: 0, gid: 0, mtime, mtimeNsec, target: entry.target ?? ("" as ByteString) };
    case "char":
    case "block":
      return { kind: type, path, mode, uid: 0, gid: 0, mtime, mtimeNsec, major: entry.major, minor: entry.minor };
    case "directory":
    case "fifo":
      return { kind: type, path, mode, uid: 0, gid: 0, mtime, mtimeNsec };
    case "socket":
      throw new RangeError("a socket among what is copied");
  }
}

function hardlink({ mode, mtime, mtimeNsec }: ScanEntry, path: ByteString, target: ByteString): SourceNode {
  return { kind: "hardlink", path, mode, uid: 0, gid: 0, mtime, mtimeNsec, target };
}

/** The context's own directory is a checkout's accident; mode and attributes would differ from machine to machine. */
function isRoot({ path }: ScanEntry): boolean {
  return path === "";
}
