import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import {
  type Attributes,
  type ByteString,
  type ExtractEntry,
  extract,
  isSystemError,
  removePaths,
  removeTree,
  renameNoReplace,
} from "../../runtime-addon/index.ts";
import { TsbuildError } from "../errors.ts";
import { sortEntries } from "./canonical.ts";
import type { DirectoryEntry, HardlinkEntry, TreeEntry } from "./entry.ts";
import { parentPath, quotePath } from "./entry-path.ts";
import { noTime } from "./no-time.ts";
import type { Rootfs } from "./rootfs.ts";
import type { Tree } from "./tree.ts";
import { portableXattrs, singleIdXattrs } from "./xattrs.ts";

export interface ApplyLayerOptions {
  /** `flat`: everything belongs to whoever we are, as a single-id map has it, and no ACL names others than root. */
  readonly owners: "exact" | "flat";
  /**
   * The layers below. Gives the attributes of directories that the layer only implies (else 0755, 0:0, time 0), which as overlay directories hide
   * the lower ones, and the files that hard links of this layer lead to.
   */
  readonly lower?: Rootfs;
}

/**
 * Unpacks a layer from its plain tar into a directory of its own, as an overlay lower: whiteouts are devices 0:0, opaque directories have
 * user.overlay.opaque, and only extended attributes that mean the same everywhere are set. `target` appears whole, by rename from a sibling; throws
 * EEXIST when it is there already, UNSUPPORTED_HARDLINK for a link to a file that no layer has, INVALID_LAYER for a device 0:0. Where devices may not be made (user
 * namespaces, no CAP_MKNOD) they are left out, and returned.
 */
export async function applyLayer(
  tree: Tree,
  tar: string,
  target: string,
  { owners, lower }: ApplyLayerOptions,
): Promise<{ readonly omitted: readonly ByteString[] }> {
  const options = { owners: owners === "exact" };
  const scratch = `${target}.${randomBytes(6).toString("hex")}.tmp`;
  await mkdir(scratch, { mode: 0o700 });
  try {
    const entries = withDirectories(tree.entries, lower);
    const devices = entries.filter(isDevice);
    refuseDisguised(devices);
    const omit = devices[0] !== undefined && !(await canMake(devices[0], scratch, tar));
    const borrowed = await applyBorrowed(entries, scratch, lower, options);
    const made = entries.filter((entry) => !(omit && isDevice(entry)) && !borrowed.has(entry.path));
    await extract(
      scratch,
      tar,
      made.map((entry) => extractEntry(entry, options)),
      options,
    );
    renameNoReplace(scratch, target);
    return { omitted: omit ? devices.map((device) => device.path) : [] };
  } catch (error) {
    await removeTree(scratch);
    throw error;
  }
}

/** Whether unpacking takes anything from the layers below: attributes of directories that this one only implies, or files its hard links lead to. */
export function dependsOnLower({ entries }: Tree): boolean {
  const directories = new Set<ByteString>(["" as ByteString]);
  const files = new Set<ByteString>();
  for (const { kind, path } of entries) {
    if (kind === "directory") directories.add(path);
    else if (kind === "file") files.add(path);
  }
  return entries.some(
    (entry) =>
      !directories.has(entry.kind === "opaque" ? entry.path : parentPath(entry.path)) ||
      (entry.kind === "hardlink" && !files.has(entry.target)),
  );
}

/** The entries with those directories that they imply, the root too. */
function withDirectories(entries: readonly TreeEntry[], lower: Rootfs | undefined): TreeEntry[] {
  const known = new Set<ByteString>();
  for (const entry of entries) if (entry.kind === "directory") known.add(entry.path);
  const implied: DirectoryEntry[] = [];
  const imply = (path: ByteString): void => {
    for (let above = path; !known.has(above); above = parentPath(above)) {
      known.add(above);
      const below = lower?.lookup(above);
      const attributes = below?.kind === "directory" ? below : { mode: 0o755, uid: 0, gid: 0, ...noTime };
      implied.push({ ...attributes, kind: "directory", path: above });
    }
  };
  imply("" as ByteString);
  for (const entry of entries) imply(entry.kind === "opaque" ? entry.path : parentPath(entry.path));
  return implied.length === 0 ? [...entries] : sortEntries([...entries, ...implied]);
}

type Device = Extract<TreeEntry, { kind: "char" | "block" }>;

function isDevice(entry: TreeEntry): entry is Device {
  return entry.kind === "char" || entry.kind === "block";
}

/** Overlay takes the device for a removal. */
function refuseDisguised(devices: readonly Device[]): void {
  const disguised = devices.find(({ kind, major, minor }) => kind === "char" && major === 0 && minor === 0);
  if (disguised !== undefined) throw new TsbuildError("INVALID_LAYER", `unpacking a layer: ${quotePath(disguised.path)} is the device 0:0`);
}

async function canMake(device: Device, scratch: string, tar: string): Promise<boolean> {
  const probe = ".probe" as ByteString;
  const options = { owners: false };
  try {
    await extract(scratch, tar, [extractEntry({ ...device, path: probe }, options)], options);
  } catch (error) {
    if (isSystemError(error, "EPERM")) return false;
    throw error;
  }
  await removePaths(scratch, [probe]);
  return true;
}

/** Hard links into lower layers become one file of this layer, copied from there. Returns the paths made. */
async function applyBorrowed(
  entries: readonly TreeEntry[],
  scratch: string,
  lower: Rootfs | undefined,
  options: { readonly owners: boolean },
): Promise<ReadonlySet<ByteString>> {
  const paths = new Set<ByteString>();
  const links = entries.filter((entry) => entry.kind === "hardlink");
  if (links.length === 0) return paths;
  const files = new Set<ByteString>();
  for (const entry of entries) if (entry.kind === "file") files.add(entry.path);
  const groups = new Map<ByteString, HardlinkEntry[]>();
  for (const link of links) {
    if (files.has(link.target)) continue;
    const group = groups.get(link.target);
    if (group === undefined) groups.set(link.target, [link]);
    else group.push(link);
  }
  for (const [target, group] of groups) {
    const [first, ...others] = group;
    const file = lower?.lookup(target);
    if (first === undefined) continue;
    if (lower === undefined || file?.kind !== "file") {
      throw new TsbuildError(
        "UNSUPPORTED_HARDLINK",
        `unpacking a layer: ${quotePath(first.path)} is a hard link to ${quotePath(target)}, which no layer has as a file`,
      );
    }
    const content = await lower.content(file);
    if (content.at !== "tar")
      throw new TsbuildError("UNSUPPORTED_HARDLINK", `unpacking a layer: ${quotePath(target)} is in no layer's tar`);
    const directories = group.flatMap((link) => directoriesAbove(link.path));
    const list: ExtractEntry[] = [
      ...directories,
      { kind: "file", path: first.path, ...attributesFor(file, options), size: file.size, offset: content.offset },
      ...others.map((link): ExtractEntry => ({ kind: "hardlink", path: link.path, target: first.path })),
    ];
    await extract(scratch, content.tar, list, options);
    for (const link of group) paths.add(link.path);
  }
  return paths;
}

/** Passable for now; the layer's own list gives them their attributes. */
function directoriesAbove(path: ByteString): ExtractEntry[] {
  const directories: ExtractEntry[] = [];
  for (let above = parentPath(path); above !== ""; above = parentPath(above)) {
    directories.push({ kind: "directory", path: above, mode: 0o700, uid: 0, gid: 0, mtime: 0, mtimeNsec: 0 });
  }
  return directories.reverse();
}

function extractEntry(entry: TreeEntry, options: { readonly owners: boolean }): ExtractEntry {
  switch (entry.kind) {
    case "whiteout":
    case "opaque":
      return { kind: entry.kind, path: entry.path };
    case "hardlink":
      return { kind: "hardlink", path: entry.path, target: entry.target };
    case "file":
      return { kind: "file", path: entry.path, ...attributesFor(entry, options), size: entry.size, offset: entry.offset };
    case "symlink":
      return { kind: "symlink", path: entry.path, ...attributesFor(entry, options), target: entry.target };
    case "char":
    case "block":
      return { kind: entry.kind, path: entry.path, ...attributesFor(entry, options), major: entry.major, minor: entry.minor };
    default:
      return { kind: entry.kind, path: entry.path, ...attributesFor(entry, options) };
  }
}

function attributesFor({ mode, uid, gid, mtime, mtimeNsec, xattrs }: Attributes, { owners }: { readonly owners: boolean }): Attributes {
  const portable = owners ? portableXattrs(xattrs) : singleIdXattrs(xattrs);
  return { mode, uid, gid, mtime, mtimeNsec, ...(portable !== undefined && { xattrs: portable }) };
}
