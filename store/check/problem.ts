import { lstatSync } from "node:fs";
import type { Digest } from "../digest.ts";

/** Something in a store that is not as it must be. */
export interface StoreProblem {
  readonly kind: "image" | "container" | "blob" | "tree" | "directory" | "record" | "download" | "stray";
  /** An image's name, a digest, or a path below the store. */
  readonly subject: string;
  /** How it is, as a message reads. */
  readonly problem: string;
  /** What repairs it. */
  readonly remedy: Remedy;
}

export type Remedy =
  /** It goes, if it is still the file that was looked at; what is worth anything of it is made again when it is next wanted. */
  | { readonly do: "remove"; readonly path: string; readonly seen: FileIdentity | undefined }
  /** The layer is read again from its blob. */
  | { readonly do: "index"; readonly diffId: Digest }
  /** Its files stay, with a record of what is known of it. */
  | { readonly do: "salvage"; readonly container: string }
  /** The image is taken off the list: it cannot be made whole here. */
  | { readonly do: "unlist"; readonly listed: Digest }
  /** It stays: it could not be checked here and may be whole, or nothing here repairs it. */
  | { readonly do: "nothing" };

/** Which file a path leads to. Undefined where nothing is. */
export type FileIdentity = string;

/** To be asked before the file is read: whatever takes its place later is another one. */
export function fileIdentity(path: string): FileIdentity | undefined {
  const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  // Numbers of inodes are used again. Times of changes do not count: use is noted in them.
  return stat && `${stat.dev} ${stat.ino} ${stat.birthtimeNs} ${stat.isFile() ? stat.size : 0}`;
}
