import { posix } from "node:path";
import { type ByteString, bytesOf } from "../../runtime-addon/index.ts";
import { canonicalEntries } from "./canonical.ts";
import type { SourceEntry } from "./entry.ts";
import { parentPath, rootPath } from "./entry-path.ts";
import { extractFiles, finishDirectories, sortFiles } from "./extract-files.ts";
import { mergeLayers } from "./merge.ts";
import { noTime } from "./no-time.ts";
import { type Rootfs, type RootfsLayer, stackRootfs } from "./rootfs.ts";
import { singleIdXattrs } from "./xattrs.ts";

/** Empty mount points, as absolute paths, that are made where the layers have nothing of that name. */
export interface MountPoints {
  readonly directories: readonly string[];
  readonly files: readonly string[];
}

export interface CopyRootfsOptions {
  /** `flat`: everything belongs to whoever we are, as a single-id map has it. */
  readonly owners: "exact" | "flat";
  readonly mountPoints?: MountPoints;
  /** Only this path, what is below it, and the directories above it. */
  readonly only?: ByteString;
}

export interface CopiedRootfs {
  /** Devices that could not be made here. */
  readonly omitted: readonly ByteString[];
  /** The mount points that were made. */
  readonly made: readonly ByteString[];
}

/**
 * Makes the files of these layers, bottom first, in an empty directory: what an overlay of them would show, for where none can be mounted. The files
 * are copies, so that nothing done to them reaches a layer. Throws system errors.
 */
export async function copyRootfs(layers: readonly RootfsLayer[], target: string, options: CopyRootfsOptions): Promise<CopiedRootfs> {
  const { mountPoints = { directories: [], files: [] }, only } = options;
  const owners = { owners: options.owners === "exact" };
  const missing = missingMountPoints(stackRootfs(layers), mountPoints);
  const merged = await mergeLayers([], layers);
  const entries = only === undefined ? merged : selected(merged, only);
  const made = canonicalEntries([...entries, ...missing]);
  const files = sortFiles(owners.owners ? made : made.map(ofSingleId));
  const omitted = await extractFiles(files, target, { ...owners, devices: true });
  await finishDirectories(files, target, owners);
  return { omitted, made: missing.map(({ path }) => path) };
}

/** Without the ids that there are none of. */
function ofSingleId(entry: SourceEntry): SourceEntry {
  if (!("xattrs" in entry)) return entry;
  const { xattrs: all, ...rest } = entry;
  const xattrs = singleIdXattrs(all);
  return xattrs === undefined ? rest : { ...rest, xattrs };
}

/** As the lowest layer of an overlay would have them: a path that leads over a file or a symlink of the layers is not seen. */
function missingMountPoints(rootfs: Rootfs, { directories, files }: MountPoints): readonly SourceEntry[] {
  const missing = new Map<ByteString, SourceEntry>();
  const isDirectory = (path: ByteString): boolean => {
    const entry = rootfs.lookup(path) ?? missing.get(path);
    if (entry !== undefined || path === rootPath) return path === rootPath || entry?.kind === "directory";
    if (!isDirectory(parentPath(path))) return false;
    missing.set(path, { kind: "directory", path, mode: 0o755, uid: 0, gid: 0, ...noTime });
    return true;
  };
  for (const path of directories) isDirectory(relative(path));
  for (const path of files.map(relative)) {
    if (path === rootPath || rootfs.lookup(path) !== undefined || missing.has(path) || !isDirectory(parentPath(path))) continue;
    const content = { at: "tar", tar: "/dev/null", offset: 0 } as const;
    missing.set(path, { kind: "file", path, mode: 0o644, uid: 0, gid: 0, ...noTime, size: 0, content });
  }
  return [...missing.values()];
}

function selected(entries: readonly SourceEntry[], only: ByteString): SourceEntry[] {
  const above = new Set<ByteString>();
  for (let path = only; path !== rootPath; path = parentPath(path)) above.add(parentPath(path));
  const isWanted = ({ path, kind }: SourceEntry): boolean =>
    path === only || only === rootPath || path.startsWith(`${only}/`) || (kind === "directory" && above.has(path));
  return withFiles(entries.filter(isWanted), entries);
}

/** Of hard links whose file is not among them, the first becomes that file. */
function withFiles(some: readonly SourceEntry[], all: readonly SourceEntry[]): SourceEntry[] {
  const files = new Map(all.flatMap((entry) => (entry.kind === "file" ? [[entry.path, entry]] : [])));
  const there = new Set(some.map(({ path }) => path));
  const firstNames = new Map<ByteString, ByteString>();
  return some.map((entry) => {
    if (entry.kind !== "hardlink" || there.has(entry.target)) return entry;
    const first = firstNames.get(entry.target);
    if (first !== undefined) return { ...entry, target: first };
    firstNames.set(entry.target, entry.path);
    const file = files.get(entry.target);
    return file === undefined ? entry : { ...file, path: entry.path };
  });
}

/** ".." at the root stays there: a working directory may come from a foreign image. */
function relative(path: string): ByteString {
  return bytesOf(posix.resolve("/", path).slice(1));
}
