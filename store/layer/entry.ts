import type { Attributes, ByteString } from "../../runtime-addon/index.ts";
import type { Digest } from "../digest.ts";

/** Where a file's bytes are; whoever writes the layer reads them there, in bulk. Never a stream per file. */
export type ContentRef =
  /** A file below a directory of the host. */
  | { readonly at: "path"; readonly root: string; readonly path: ByteString }
  /** A byte range of a plain (uncompressed) tar. */
  | { readonly at: "tar"; readonly tar: string; readonly offset: number }
  | { readonly at: "bytes"; readonly bytes: Uint8Array };

interface Named {
  /** Relative, normalised, no leading slash, no "." or ".." segment; "" is the root directory itself. */
  readonly path: ByteString;
}

export type FileEntry = Named & Attributes & { readonly kind: "file"; readonly size: number };
export type DirectoryEntry = Named & Attributes & { readonly kind: "directory" };
export type SymlinkEntry = Named & Attributes & { readonly kind: "symlink"; readonly target: ByteString };
/** Another name of a file that this layer has under `target` (an entry path). Attributes are the file's. */
export type HardlinkEntry = Named & Attributes & { readonly kind: "hardlink"; readonly target: ByteString };
export type DeviceEntry = Named & Attributes & { readonly kind: "char" | "block"; readonly major: number; readonly minor: number };
export type FifoEntry = Named & Attributes & { readonly kind: "fifo" };
/** The ".wh." spelling exists only in the tar codec, the char 0:0 device only in directories. */
export type WhiteoutEntry = Named & { readonly kind: "whiteout" };
/** The directory of this path hides what lower layers have in it. */
export type OpaqueEntry = Named & { readonly kind: "opaque" };

export type NodeEntry = FileEntry | DirectoryEntry | SymlinkEntry | HardlinkEntry | DeviceEntry | FifoEntry;
/** One change in a layer, without content. */
export type LayerEntry = NodeEntry | WhiteoutEntry | OpaqueEntry;

/** A change together with where its bytes are: what a layer is written from. Files only carry content, and its digest where that is known. */
export type SourceEntry = Exclude<LayerEntry, FileEntry> | (FileEntry & { readonly content: ContentRef; readonly digest?: Digest });

/** A file of a written layer: its content's digest, and where it begins in the layer's plain tar (bytes). */
export type IndexedFile = FileEntry & { readonly digest: Digest; readonly offset: number };
/** An entry of a layer that exists. */
export type TreeEntry = Exclude<LayerEntry, FileEntry> | IndexedFile;
