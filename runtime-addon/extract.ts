import { nativeAddon } from "./binding.ts";
import type { ByteString } from "./bytes.ts";
import { rethrowChanges } from "./file-changed.ts";
import { MessageWriter } from "./message.ts";
import { fileSystemThreads } from "./usable-cpus.ts";

interface ExtractName {
  /** Relative, normalised; "" is the root directory itself. */
  readonly path: ByteString;
}

/** What every file has. */
export interface Attributes {
  /** Permission bits with setuid, setgid and sticky: 0–0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since the epoch (may be negative), and the nanoseconds past them (0–999,999,999). */
  readonly mtime: number;
  readonly mtimeNsec: number;
  /** Absent when there are none. Never holds an overlay.* attribute. */
  readonly xattrs?: Readonly<Record<string, ByteString>>;
}

/** A file to make. Kinds are those of a layer's entries, so that a layer's tree can be given as it is. */
export type ExtractEntry =
  /** `offset` (bytes) is where the content begins in the tar. */
  | (ExtractName & Attributes & { readonly kind: "file"; readonly offset: number; readonly size: number })
  | (ExtractName & Attributes & { readonly kind: "directory" | "fifo" })
  | (ExtractName & Attributes & { readonly kind: "symlink"; readonly target: ByteString })
  | (ExtractName & Attributes & { readonly kind: "char" | "block"; readonly major: number; readonly minor: number })
  /** Another name of the file at `target`, a path below the root. Attributes are the file's. */
  | (ExtractName & { readonly kind: "hardlink"; readonly target: ByteString })
  /** A character device 0:0. */
  | (ExtractName & { readonly kind: "whiteout" })
  /** Marks the directory of this path with user.overlay.opaque=y. */
  | (ExtractName & { readonly kind: "opaque" });

export interface ExtractOptions {
  /** Set uid and gid. Without, everything belongs to this process: for user namespaces that know one id only. */
  readonly owners: boolean;
}

const KINDS = { file: 0, directory: 1, symlink: 2, hardlink: 3, char: 4, block: 5, fifo: 6, whiteout: 7, opaque: 8 } as const;

/**
 * Makes the entries below `root`, an existing directory, with content from `tar`. Parents come before children and hard links
 * after their targets; a directory may exist, anything else is EEXIST. No symlink below the root is followed. Access times are set to
 * the mtimes. Aligned 64 KiB
 * of zeros become holes. A char device 0:0 is EPERM: overlay would take it for a whiteout. Rejects with a system error, or
 * with FILE_CHANGED when the tar ends too early; what was made by then stays.
 */
export async function extract(root: string, tar: string, entries: readonly ExtractEntry[], options: ExtractOptions): Promise<void> {
  const message = new MessageWriter();
  for (const entry of entries) packEntry(message, entry);
  const { numbers, text } = message.finish();
  await rethrowChanges(nativeAddon().extract(root, tar, numbers, text, options.owners, fileSystemThreads()));
}

function packEntry(message: MessageWriter, entry: ExtractEntry): void {
  message.number(KINDS[entry.kind]).text(entry.path);
  switch (entry.kind) {
    case "file":
      message.number(entry.offset).number(entry.size);
      break;
    case "symlink":
      message.text(entry.target);
      break;
    case "char":
    case "block":
      message.number(entry.major).number(entry.minor);
      break;
    case "hardlink":
      message.text(entry.target);
      return;
    case "whiteout":
    case "opaque":
      return;
  }
  message.number(entry.mode).number(entry.uid).number(entry.gid).number(entry.mtime).number(entry.mtimeNsec);
  const xattrs = Object.entries(entry.xattrs ?? {});
  message.number(xattrs.length);
  for (const [name, value] of xattrs) message.text(name as ByteString).text(value);
}
