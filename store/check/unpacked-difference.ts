import type { ScanEntry } from "../../runtime-addon/index.ts";
import type { TreeEntry } from "../layer/entry.ts";
import { quotePath } from "../layer/entry-path.ts";
import { accessAclText, defaultAclText } from "../layer/posix-acl.ts";
import { portableXattrs, type Xattrs } from "../layer/xattrs.ts";

type UnpackedEntry = Exclude<TreeEntry, { kind: "opaque" }>;

/** What else than the entry is there. `target` is what there is of the file of this layer that a hard link leads to. */
export function difference(entry: UnpackedEntry, there: ScanEntry | undefined, target?: ScanEntry): string | undefined {
  const isDevice = entry.kind === "char" || entry.kind === "block";
  if (there === undefined) return isDevice ? undefined : `${quotePath(entry.path)} is missing`;
  const type = entry.kind === "hardlink" ? "file" : entry.kind === "whiteout" ? "char" : entry.kind;
  // A hard link may be one of anything but a directory.
  if (there.type !== type && !(entry.kind === "hardlink" && there.type !== "directory"))
    return `its ${quotePath(entry.path)} is a ${there.type}, not a ${type}`;
  if (entry.kind === "file" && there.size !== entry.size) return `its ${quotePath(entry.path)} has ${there.size} bytes, not ${entry.size}`;
  if (entry.kind === "symlink" && there.target !== entry.target) return `its ${quotePath(entry.path)} leads elsewhere than the layer's`;
  if (target !== undefined && there.inode !== target.inode)
    return `its ${quotePath(entry.path)} is another file than ${quotePath(target.path)}`;
  const [major, minor] = isDevice ? [entry.major, entry.minor] : [0, 0];
  if ((isDevice || entry.kind === "whiteout") && (there.major !== major || there.minor !== minor))
    return `its ${quotePath(entry.path)} is the device ${there.major}:${there.minor}, not ${major}:${minor}`;
  return undefined;
}

/** What the file itself has else than the entry says; hard links are looked at where their file is, and removals have nothing. */
export function attributeDifference(entry: UnpackedEntry, there: ScanEntry, hasOwners: boolean): string | undefined {
  if (entry.kind === "hardlink" || entry.kind === "whiteout") return undefined;
  if (hasOwners && (there.uid !== entry.uid || there.gid !== entry.gid))
    return `its ${quotePath(entry.path)} belongs to ${there.uid}:${there.gid}, not to ${entry.uid}:${entry.gid}`;
  if (entry.kind !== "symlink" && there.mode !== entry.mode)
    return `its ${quotePath(entry.path)} has mode ${there.mode.toString(8)}, not ${entry.mode.toString(8)}`;
  // Hardly any file has one.
  if (entry.xattrs === undefined && there.xattrs === undefined) return undefined;
  const [actual, expected] = [there.xattrs, entry.xattrs].map((xattrs) => comparable(xattrs, there.mode, hasOwners));
  for (const name of new Set([...Object.keys(expected ?? {}), ...Object.keys(actual ?? {})])) {
    const [value, wanted] = [actual?.[name], expected?.[name]];
    if (value === wanted) continue;
    if (value === undefined) return `its ${quotePath(entry.path)} lacks the attribute ${quotePath(name)}`;
    const other = wanted === undefined ? "the attribute" : "another";
    return `its ${quotePath(entry.path)} has ${other} ${quotePath(name)}${wanted === undefined ? ", and the layer has not" : " than the layer"}`;
  }
  return undefined;
}

/** As unpacking sets them, in a form in which the same is equal. */
function comparable(xattrs: Xattrs | undefined, mode: number, hasOwners: boolean): Readonly<Record<string, string | undefined>> {
  const { [accessAcl]: access, [defaultAcl]: inherited, ...others } = portableXattrs(xattrs) ?? {};
  if (!hasOwners) return others;
  return { ...others, [accessAcl]: accessAclText(access, mode), [defaultAcl]: defaultAclText(inherited) };
}

const accessAcl = "system.posix_acl_access";
const defaultAcl = "system.posix_acl_default";

/** Marks with which overlay would show other files, or none; what else it writes on the files of an upper concerns only that one mount. */
const otherMarks = ["redirect", "metacopy", "whiteout"].map((mark) => `user.overlay.${mark}`);

/** What overlay would show of a file, or of what lies below a directory, else than the layer says. */
export function markDifference({ path, xattrs = {} }: ScanEntry, isOpaque: boolean): string | undefined {
  const opaque = xattrs["user.overlay.opaque"];
  if (isOpaque && opaque !== "y") return `its ${quotePath(path)} lets files of lower layers through`;
  if (!isOpaque && opaque !== undefined) return `its ${quotePath(path)} hides files of lower layers`;
  const mark = otherMarks.find((name) => xattrs[name] !== undefined);
  return mark && `its ${quotePath(path)} has the attribute ${quotePath(mark)}, and the layer has not`;
}
