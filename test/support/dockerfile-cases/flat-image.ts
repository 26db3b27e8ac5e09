import { type ByteString, bytesOf } from "../../../runtime-addon/index.ts";
import type { ImageConfig } from "../../../store/oci.ts";
import { openRootfs } from "../../../store/open-rootfs.ts";
import { openStore } from "../../../store/store.ts";
import type { Wanted } from "./case.ts";

/** Everything that a case can want of a path. */
export type FlatEntry = Exclude<Wanted, string> & { readonly kind: "directory" | "file" | "symlink" | "fifo" | "device" };

export interface FlatImage {
  readonly config: ImageConfig;
  /** Directories end in "/"; a byte that is no UTF-8 is "\xNN". */
  readonly entries: ReadonlyMap<string, FlatEntry>;
}

const contentLimit = 1 << 16;

/** What is in an image of a store, all layers together, and its config. */
export async function flatImage(directory: string, name: string): Promise<FlatImage> {
  await using store = await openStore(directory);
  const image = await store.images.open(name);
  const rootfs = await openRootfs(store.layers, image.layers);
  const entries = new Map<string, FlatEntry>();
  const names = new Map<string, string[]>();
  const inodes = new Map<string, string>();
  for (const entry of rootfs.walk(bytesOf(""))) {
    const path = `${printed(entry.path)}${entry.kind === "directory" ? "/" : ""}`;
    const attributes = { mode: entry.mode.toString(8), uid: entry.uid, gid: entry.gid, mtime: entry.mtime };
    if (entry.kind === "file") {
      const content =
        entry.size <= contentLimit
          ? printed((await rootfs.read(entry.path, { limit: contentLimit })).toString("latin1") as ByteString)
          : undefined;
      const inode = rootfs.inode(entry);
      names.set(inode, [...(names.get(inode) ?? []), path]);
      inodes.set(path, inode);
      entries.set(path, { kind: "file", ...attributes, size: entry.size, ...(content === undefined ? {} : { content }) });
    } else if (entry.kind === "symlink") {
      const { uid, gid, mtime } = attributes;
      entries.set(path, { kind: "symlink", uid, gid, mtime, symlink: printed(entry.target) });
    } else if (entry.kind === "fifo") entries.set(path, { kind: "fifo", ...attributes, fifo: true });
    else entries.set(path, { kind: entry.kind === "directory" ? "directory" : "device", ...attributes });
  }
  for (const [path, inode] of inodes) {
    const links = (names.get(inode) ?? []).filter((name) => name !== path).sort();
    const entry = entries.get(path);
    if (links.length > 0 && entry !== undefined) entries.set(path, { ...entry, links });
  }
  return { config: image.config, entries };
}

/** Text of bytes: "\xNN" for each that is no part of UTF-8. */
function printed(bytes: ByteString): string {
  const text = Buffer.from(bytes, "latin1").toString("utf8");
  if (!text.includes("\ufffd")) return text;
  return bytes.replace(/[\x80-\xff]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16)}`);
}
