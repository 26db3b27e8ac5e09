import { type ByteString, bytesOf, isSystemError } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../errors.ts";
import type { Abortable } from "../file-bytes.ts";
import type { DirectoryEntry, SourceEntry } from "../layer/entry.ts";
import { quotePath, rootPath } from "../layer/entry-path.ts";
import { inFolder, mergeLayers } from "../layer/merge.ts";
import { streamTar } from "../layer/tar-stream.ts";
import { sameXattrs } from "../layer/xattrs.ts";
import { nameSystemError } from "../name-system-error.ts";
import { type LayerRef, openLayers } from "../open-rootfs.ts";
import type { Store } from "../store.ts";
import { pump, writeArchiveFile } from "./archive-file.ts";
import { checkDestination, type Destination, pathOf } from "./check-destination.ts";
import { exportToDirectory } from "./rootfs-directory.ts";
import { writeFailed } from "./write-failed.ts";

/** What a container of an image would see at its start. */
export interface ExportedRootfs {
  /** In the store, and pinned by the caller. Bottom first. */
  readonly layers: readonly LayerRef[];
  /** The directory of the destination that it goes to, "web" or "web/linux_arm64". Absent: the destination itself. */
  readonly folder?: string;
}

/**
 * Where the files go. A file is a tar, written as writeArchiveFile does it; a stream gets the tar's bytes and is ended; a directory is made where it is missing, and gets the files
 * among those that it has (exportToDirectory).
 */
export type RootfsDestination = Destination;

export interface ExportOptions extends Abortable {
  /** Hears what could not be made of the files in a directory. */
  readonly onNote?: (message: string) => void;
}

/**
 * Writes the files of root file systems, flattened: no layers, no removals, each content checked on its way into a tar. The tar is in canonical form, so that the same
 * files give the same bytes; nothing is unpacked for it. Throws IntegrityError, DUPLICATE_FILE, DESTINATION_EXISTS, WRITE_FAILED, what writeArchiveFile throws, and `signal.reason`.
 */
export async function exportRootfs(
  store: Store,
  roots: readonly ExportedRootfs[],
  destination: RootfsDestination,
  { signal, onNote }: ExportOptions = {},
): Promise<void> {
  checkRootfsDestination(destination);
  const entries: SourceEntry[] = [];
  const made = new Set<string>();
  for (const { layers, folder } of roots) {
    for (const parent of parentsOf(folder ?? "")) {
      if (!made.has(parent)) entries.push(...inFolder(bytesOf(parent) as ByteString, []));
      made.add(parent);
    }
    const merged = await mergeLayers([], await openLayers(store.layers, layers));
    const files = merged.filter(({ path }) => path !== rootPath);
    // Not by a spread into push(): there may be more of them than a call has arguments.
    for (const entry of folder === undefined ? files : inFolder(bytesOf(folder) as ByteString, files)) entries.push(entry);
  }
  const all = roots.length > 1 ? withoutDoubles(entries, doing(destination)) : entries;
  try {
    if ("stream" in destination) await pump(streamTar(all, { signal }), destination.stream, { signal });
    else if ("file" in destination) await writeArchiveFile(pathOf(destination), streamTar(all, { signal }), doing(destination), { signal });
    else await exportToDirectory(all, pathOf(destination), { signal, ...(onNote === undefined ? {} : { onNote }) });
  } catch (error) {
    if (!isSystemError(error) || error.path?.startsWith(`${store.root}/`)) throw nameSystemError(error, store.root);
    throw writeFailed(doing(destination), error);
  }
}

/** Roots may share directories that are the same, and nothing else. */
function withoutDoubles(entries: readonly SourceEntry[], doing: string): readonly SourceEntry[] {
  const found = new Map<ByteString, SourceEntry>();
  for (const entry of entries) {
    const known = found.get(entry.path);
    if (known === undefined) found.set(entry.path, entry);
    else if (known.kind !== "directory" || entry.kind !== "directory") throw duplicate(doing, entry.path, "is in more than one image");
    else if (!isSameDirectory(known, entry))
      throw duplicate(doing, entry.path, "has not the same mode, owner and attributes in all images");
  }
  return [...found.values()];
}

/** But for its time, which is the first one's. */
function isSameDirectory(a: DirectoryEntry, b: DirectoryEntry): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid && sameXattrs(a.xattrs, b.xattrs);
}

function duplicate(doing: string, path: ByteString, what: string): TsbuildError {
  return new TsbuildError("DUPLICATE_FILE", `${doing}: ${quotePath(path)} ${what}, and all go to one directory`, {
    hint: "with platform-split=true each platform has a folder of its own",
  });
}

/** "a/b/c" → "a", "a/b". */
function parentsOf(folder: string): readonly string[] {
  const parts = folder.split("/");
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join("/"));
}

/** Throws what exportRootfs would throw of its destination. Nothing is made or changed. */
export function checkRootfsDestination(destination: RootfsDestination): void {
  if (!("stream" in destination)) checkDestination(destination, doing(destination), "any");
}

function doing(destination: RootfsDestination): string {
  return "stream" in destination ? "writing the archive" : `exporting to ${pathOf(destination)}`;
}
