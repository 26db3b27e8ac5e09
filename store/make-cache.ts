import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Attributes, type ByteString, bytesOf, setAttributes } from "../runtime-addon/index.ts";
import { exportToDirectory } from "./archive/rootfs-directory.ts";
import type { Digest } from "./digest.ts";
import { TsbuildError } from "./errors.ts";
import type { SourceEntry } from "./layer/entry.ts";
import { quotePath, rootPath } from "./layer/entry-path.ts";
import type { Rootfs } from "./layer/rootfs.ts";
import type { OwnerMode } from "./layer-directories.ts";
import type { LayerStore } from "./layers.ts";
import { stackLayers } from "./open-rootfs.ts";

/** What a new cache mount is like. */
export interface MakeCacheRequest {
  readonly directory: string;
  /** A directory in layers, bottom first, whose content it begins with; absent: it is empty. */
  readonly seed?: { readonly layers: readonly Digest[]; readonly source: string };
  /** Of the directory itself; what is absent is the seed's, else 0755 and 0:0. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly owners: OwnerMode;
}

const defaults = { mode: 0o755, uid: 0, gid: 0 };

/** See DirectoryWork.makeCache. Throws MOUNT_SOURCE_NOT_DIRECTORY where the seed is a file. */
export async function makeCache(layers: LayerStore, { directory, seed, mode, uid, gid, owners }: MakeCacheRequest): Promise<void> {
  const data = join(directory, "data");
  await mkdir(data, { mode: 0o700 });
  const isExact = owners === "exact";
  let own: Pick<Attributes, "mode" | "uid" | "gid"> = defaults;
  if (seed !== undefined) {
    const rootfs = await stackLayers(layers, seed.layers);
    const top = resolved(rootfs, seed.source);
    own = top.attributes;
    await exportToDirectory(await entriesBelow(rootfs, top.path), data, { exact: isExact });
  }
  const owner = isExact ? { uid: uid ?? own.uid, gid: gid ?? own.gid } : {};
  await setAttributes(data, [{ path: rootPath, mode: mode ?? own.mode, ...owner }]);
}

function resolved(rootfs: Rootfs, source: string): { readonly path: ByteString; readonly attributes: typeof defaults } {
  const { path, entry } = rootfs.resolve(bytesOf(source), { followLast: true });
  if (entry?.kind === "directory") return { path, attributes: entry };
  if (path === rootPath) return { path, attributes: defaults };
  throw new TsbuildError("MOUNT_SOURCE_NOT_DIRECTORY", `making a cache of ${quotePath(source)}: a cache begins with a directory`);
}

/** With paths below the directory. */
async function entriesBelow(rootfs: Rootfs, directory: ByteString): Promise<readonly SourceEntry[]> {
  const cut = directory === rootPath ? 0 : directory.length + 1;
  const entries: SourceEntry[] = [];
  for (const entry of rootfs.walk(directory)) {
    const path = entry.path.slice(cut) as ByteString;
    entries.push(entry.kind === "file" ? { ...entry, path, content: await rootfs.content(entry) } : { ...entry, path });
  }
  return entries;
}
