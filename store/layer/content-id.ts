import { createHash } from "node:crypto";
import { type Digest, digestFromBytes } from "../digest.ts";
import type { NodeEntry, TreeEntry } from "./entry.ts";

const formVersion = 1;
const flushChars = 256 * 1024;

/**
 * Identity of what a layer holds: sha256 of its sorted entries, in which contents are named by digest and never by place.
 *
 * Form 1, all bytes: "tsbuild-content 1\n", then for each entry its kind, a space and its fields, each as LENGTH ":" BYTES, and "\n".
 * Fields: path; then for a file, directory, symlink, device and fifo: mode (octal), uid, gid, mtime as SECONDS "." NANOSECONDS or "" where
 * `ignoreMtime` says so; then digest, target or MAJOR "," MINOR by kind; then name and value of each extended attribute, by name. A hard link has
 * path and target only. A whiteout and an opaque marker have the path only.
 */
export function contentIdOf(entries: readonly TreeEntry[], options: { readonly ignoreMtime: (entry: NodeEntry) => boolean }): Digest {
  const hash = createHash("sha256");
  let text = `tsbuild-content ${formVersion}\n`;
  for (const entry of entries) {
    text += `${entry.kind} ${field(entry.path)}`;
    if (entry.kind === "hardlink") text += field(entry.target);
    else if (entry.kind !== "whiteout" && entry.kind !== "opaque") {
      const mtime = options.ignoreMtime(entry) ? "" : `${entry.mtime}.${entry.mtimeNsec}`;
      text += field(entry.mode.toString(8)) + field(String(entry.uid)) + field(String(entry.gid)) + field(mtime);
      if (entry.kind === "file") text += field(entry.digest);
      else if (entry.kind === "symlink") text += field(entry.target);
      else if (entry.kind === "char" || entry.kind === "block") text += field(`${entry.major},${entry.minor}`);
      if (entry.xattrs !== undefined) {
        for (const name of Object.keys(entry.xattrs).sort()) text += field(name) + field(entry.xattrs[name] ?? "");
      }
    }
    text += "\n";
    if (text.length > flushChars) {
      hash.update(text, "latin1");
      text = "";
    }
  }
  return digestFromBytes(hash.update(text, "latin1").digest());
}

function field(bytes: string): string {
  return `${bytes.length}:${bytes}`;
}
