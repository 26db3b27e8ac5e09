import { type ByteString, bytesOf } from "../../../runtime-addon/index.ts";
import type { Rootfs, RootfsEntry } from "../../../store/layer/rootfs.ts";
import type { ImageConfig } from "../../../store/oci.ts";
import { openRootfs } from "../../../store/open-rootfs.ts";
import { openStore } from "../../../store/store.ts";
import type { Wanted } from "./case.ts";

/** Everything that a case can want of a path. */
export type FlatEntry = Exclude<Wanted, string> & { readonly kind: RootfsEntry["kind"] };

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
  const found = [...rootfs.walk(bytesOf(""))];
  const names = hardLinks(found, rootfs);
  const entries = new Map<string, FlatEntry>();
  for (const entry of found) {
    const path = printed(entry.path);
    if (entry.kind !== "file") entries.set(entry.kind === "directory" ? `${path}/` : path, flatEntry(entry));
    else {
      const links = (names.get(rootfs.inode(entry)) ?? []).filter((other) => other !== path);
      const content = entry.size > contentLimit ? {} : { content: printed(latin1(await rootfs.read(entry.path, { limit: contentLimit }))) };
      entries.set(path, { ...flatEntry(entry), size: entry.size, ...content, ...(links.length === 0 ? {} : { links }) });
    }
  }
  return { config: image.config, entries };
}

function flatEntry(entry: RootfsEntry): FlatEntry {
  const { kind, uid, gid, mtime, xattrs = {} } = entry;
  return {
    kind,
    uid,
    gid,
    mtime,
    // A symlink's mode means nothing.
    ...(entry.kind === "symlink" ? { symlink: printed(entry.target) } : { mode: entry.mode.toString(8) }),
    ...(entry.kind === "fifo" ? { fifo: true } : {}),
    ...(Object.keys(xattrs).length === 0 ? {} : { xattrs }),
  };
}

/** All names of each file, sorted, by the file. */
function hardLinks(entries: readonly RootfsEntry[], rootfs: Rootfs): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, string[]>();
  for (const entry of entries) {
    if (entry.kind !== "file") continue;
    const inode = rootfs.inode(entry);
    names.set(inode, [...(names.get(inode) ?? []), printed(entry.path)].sort());
  }
  return names;
}

function latin1(bytes: Buffer): ByteString {
  return bytes.toString("latin1") as ByteString;
}

/** Text of bytes: "\xNN" for each that is no part of UTF-8. */
function printed(bytes: ByteString): string {
  const text = Buffer.from(bytes, "latin1").toString("utf8");
  if (!text.includes("\ufffd")) return text;
  return bytes.replace(/[\x80-\xff]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16)}`);
}
