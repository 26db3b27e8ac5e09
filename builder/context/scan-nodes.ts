import type { ByteString, ScanEntry } from "../../runtime-addon/index.ts";
import type { NodeEntry } from "../../store/layer/entry.ts";
import type { Xattrs } from "../../store/layer/xattrs.ts";
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
    const attributes = {
      path,
      mode: isRoot(entry) ? 0o755 : entry.mode,
      uid: 0,
      gid: 0,
      mtime: entry.mtime,
      mtimeNsec: entry.mtimeNsec,
      ...xattrsOf(entry),
      ...(leading.has(entry.path) ? { leads: true as const } : {}),
    };
    const first = firstNames.get(entry.inode) ?? entry.path;
    if (first !== entry.path) return { ...attributes, kind: "hardlink", target: first.slice(cut) as ByteString };
    return { ...attributes, ...kindOf(entry, root) } as NodeEntry;
  });
}

function kindOf(entry: ScanEntry, root: string) {
  switch (entry.type) {
    case "file":
      return { kind: "file", size: entry.size, content: { at: "path", root, path: entry.path } } as const;
    case "symlink":
      return { kind: "symlink", target: entry.target ?? ("" as ByteString) } as const;
    case "char":
    case "block":
      return { kind: entry.type, major: entry.major, minor: entry.minor } as const;
    default:
      return { kind: entry.type };
  }
}

/** The context's own directory is a checkout's accident; mode and attributes would differ from machine to machine. */
function isRoot({ path }: ScanEntry): boolean {
  return path === "";
}

function xattrsOf(entry: ScanEntry): { xattrs?: Xattrs } {
  const xattrs = isRoot(entry) ? undefined : contextXattrs(entry.xattrs);
  return xattrs === undefined ? {} : { xattrs };
}
