import type { ByteString, ScanEntry } from "../../runtime-addon/index.ts";
import type { NodeEntry } from "../../store/layer/entry.ts";
import type { SourceNode } from "../steps/copy-source.ts";

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
      // The context's own directory is a checkout's accident; its mode would differ from machine to machine.
      mode: entry.path === "" ? 0o755 : entry.mode,
      uid: 0,
      gid: 0,
      mtime: entry.mtime,
      mtimeNsec: entry.mtimeNsec,
      ...portableXattrs(entry),
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

/** Labels of the host's security modules and overlay markers mean nothing in an image. */
function portableXattrs(entry: ScanEntry): { xattrs?: Readonly<Record<string, ByteString>> } {
  if (entry.xattrs === undefined) return {};
  const kept = Object.entries(entry.xattrs).filter(
    ([name]) => (name.startsWith("user.") && !name.startsWith("user.overlay.")) || name === "security.capability",
  );
  return kept.length === 0 ? {} : { xattrs: Object.fromEntries(kept) };
}
