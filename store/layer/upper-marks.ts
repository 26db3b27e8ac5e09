import type { ScanEntry } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../errors.ts";
import { quotePath } from "./entry-path.ts";

/** What overlay wrote on a file of an upper directory (kernel: Documentation/filesystems/overlayfs.rst). */
export interface UpperMarks {
  /** A removal: the character device 0:0. */
  readonly whiteout: boolean;
  /** A directory that shows nothing of the lower one. */
  readonly opaque: boolean;
}

const prefix = /^(?:user|trusted)\.overlay\.(.*)$/;
/** Marks that move content to where only that mount finds it, or spell removals in another way. */
const unsupported = new Set(["redirect", "metacopy", "whiteout"]);

/** Throws UNSUPPORTED_OVERLAY for an upper of a mount with redirect_dir, metacopy or removals as attributes, which ours never have. */
export function upperMarks(entry: ScanEntry): UpperMarks {
  const whiteout = entry.type === "char" && entry.major === 0 && entry.minor === 0;
  let opaque = false;
  if (entry.xattrs !== undefined) {
    for (const [name, value] of Object.entries(entry.xattrs)) {
      const mark = prefix.exec(name)?.[1];
      if (mark === undefined) continue;
      if (unsupported.has(mark) || (mark === "opaque" && value === "x")) {
        throw new TsbuildError("UNSUPPORTED_OVERLAY", `reading changes: ${quotePath(entry.path)} has the attribute ${quotePath(name)}`, {
          hint: "the overlay must be mounted with redirect_dir=nofollow,metacopy=off",
        });
      }
      if (mark === "opaque" && value === "y") opaque = true;
    }
  }
  return { whiteout, opaque: opaque && entry.type === "directory" };
}
