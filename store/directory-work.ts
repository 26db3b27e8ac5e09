import { mkdir, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type Attributes,
  type ByteString,
  bytesOf,
  removePaths,
  removeTree,
  setAttributes,
  textOf,
  usableCpus,
} from "../runtime-addon/index.ts";
import { clockLagMs } from "./clock-lag.ts";
import { type Digest, digestOf } from "./digest.ts";
import type { Abortable } from "./file-bytes.ts";
import { inParallel } from "./in-parallel.ts";
import { applyLayer, dependsOnLower } from "./layer/apply.ts";
import { type CopiedRootfs, copyRootfs, type MountPoints } from "./layer/copy-rootfs.ts";
import { type DiffUpperOptions, diffUpper } from "./layer/diff.ts";
import { diffDirectory } from "./layer/diff-directory.ts";
import type { SourceEntry, TreeEntry } from "./layer/entry.ts";
import { unpackedBytes } from "./layer/layer-size.ts";
import type { Rootfs } from "./layer/rootfs.ts";
import { writeLayer } from "./layer/tar-write.ts";
import type { Tree } from "./layer/tree.ts";
import type { OwnerMode } from "./layer-directories.ts";
import type { LayerInfo } from "./layers.ts";
import { type MakeCacheRequest, makeCache } from "./make-cache.ts";
import { keptTree, stackLayers, storedLayers } from "./open-rootfs.ts";
import { refuseWithoutRoom } from "./room.ts";
import type { Store } from "./store.ts";
import { type FoundPattern, removeBelow, type SearchRequest, searchWritten } from "./written-files.ts";

/** What a container stands on where it cannot stand on an overlay. */
export interface CopyRequest {
  readonly directory: string;
  /** The layers, bottom first. */
  readonly parents: readonly Digest[];
  readonly owners: OwnerMode;
  readonly mountPoints?: MountPoints;
  /** An absolute path in the layers, symlinks followed as if they were "/": only what it names, and what is below. Absent: everything. */
  readonly only?: string;
}

export interface Copied {
  /** Where what was asked for is: an absolute path. */
  readonly source: string;
  /** As of UnpackedLayers. */
  readonly omitted: readonly string[];
}

/** What a finished RUN left, before it is a layer. Plain data: it may come from a worker process. */
export interface PackRequest {
  /** The build directory that prepare() or copy() filled; the tar is written into it. */
  readonly directory: string;
  /** What is packed, and stays where it is when adopt() has made it a layer. Absent: `upper` in the build directory, which becomes the layer's own. */
  readonly upper?: string;
  /** The layers below, bottom first. */
  readonly parents: readonly Digest[];
  readonly owners: OwnerMode;
  /** Seconds; later times become it. */
  readonly epoch?: number;
  /** The clock around the run, milliseconds: times between the two mean "now" and do not count in the contentId. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** Mount points that had to be made in the upper; dropped where they are still empty. */
  readonly created: readonly string[];
}

export interface OwnRequest {
  readonly directory: string;
  readonly name: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly owners: OwnerMode;
}

export interface UnpackedLayers {
  /** In the order of the request. */
  readonly directories: readonly string[];
  /** Device files that may not be made here and are missing in what was just unpacked, as absolute paths in the image. */
  readonly omitted: readonly string[];
}

export interface PackedUpper {
  readonly diffId: Digest;
  readonly contentId: Digest;
}

/**
 * The work on unpacked layers: all that must happen where the layers' owners exist, which for an ordinary user is inside a
 * user namespace. Arguments and results are plain data, so that the same work can be done by another process.
 */
export interface DirectoryWork {
  /** Unpacks the layers that have no directory yet; bottom first. */
  unpack(request: { readonly diffIds: readonly Digest[]; readonly owners: OwnerMode }): Promise<UnpackedLayers>;
  /** Makes `upper` (with the attributes that the layers give to the root directory) and `work` in an existing directory. */
  prepare(request: { readonly directory: string; readonly parents: readonly Digest[]; readonly owners: OwnerMode }): Promise<void>;
  /** Makes `tree` in an existing directory: a copy of what an overlay of the layers would show, for where none can be mounted. */
  copy(request: CopyRequest): Promise<Copied>;
  /** Makes `data`, what a cache mount begins with, in an existing directory. */
  makeCache(request: MakeCacheRequest): Promise<void>;
  /** Gives what a directory has under a name to an owner. */
  own(request: OwnRequest): Promise<void>;
  /** Writes the upper, or what was changed in the tree, as a tar beside it. */
  pack(request: PackRequest, options?: Abortable): Promise<PackedUpper>;
  /** What pack() wrote. */
  packedEntries(request: { readonly directory: string }): Promise<readonly TreeEntry[]>;
  /** Makes what pack() wrote a layer of the store, with the build directory's upper, if there is one, as its directory. */
  adopt(request: { readonly directory: string; readonly owners: OwnerMode }): Promise<LayerInfo>;
  /** Looks for patterns in what was lately written in a directory, in which others may be writing: a pattern of each id once for a file, and for its names. */
  search(request: SearchRequest, options?: Abortable): Promise<readonly FoundPattern[]>;
  /** Removes files below a directory, and directories with what is in them; what is missing is fine, and no symlink is followed. */
  removeBelow(request: { readonly directory: string; readonly paths: readonly ByteString[] }): Promise<void>;
  /** Removes a directory with whatever owners and modes are in it. */
  remove(request: { readonly path: string }): Promise<void>;
}

/** The tar that pack() writes in the build directory. */
export const packedTar = "layer.tar";

interface Unpacked {
  readonly directory: string;
  readonly omitted: readonly string[];
}

/** The extractor has threads of its own; beyond this the disk is what they wait for. */
const mostLayersAtOnce = 4;

const rootDefaults = { mode: 0o755, uid: 0, gid: 0 };

/** Does the work in this process. */
export function localDirectoryWork(store: Store): DirectoryWork {
  const { layers } = store;
  /** What pack() wrote and adopt() has not taken yet, by build directory. */
  const packed = new Map<string, { readonly tree: Tree; readonly isOwn: boolean }>();
  /** What copy() made, by build directory. */
  const copies = new Map<string, CopiedRootfs & { readonly since: bigint }>();

  function packedIn(directory: string): { readonly tree: Tree; readonly isOwn: boolean } {
    const found = packed.get(directory);
    if (found === undefined) throw new Error(`nothing was packed in ${directory}`);
    return found;
  }

  async function unpackOne(diffId: Digest, below: readonly Digest[], owners: OwnerMode): Promise<Unpacked> {
    // Layers of ours never depend on lower ones; the tree that could tell is read only where there is no directory without it.
    if (layers.hasDirectory(diffId, owners)) return { directory: layers.directory(diffId, owners), omitted: [] };
    const tree = await keptTree(layers, diffId);
    const on = dependsOnLower(tree) ? digestOf(below.join(" ")) : undefined;
    if (layers.hasDirectory(diffId, owners, on)) return { directory: layers.directory(diffId, owners, on), omitted: [] };
    const needRoom = () => refuseWithoutRoom(store.root, unpackedBytes(tree), `unpacking layer ${diffId}`);
    needRoom();
    const contents = await layers.contents(diffId);
    // Inflating it may have taken some.
    needRoom();
    const scratch = await store.temp("unpack");
    const target = join(scratch, "dir");
    const applied = await applyLayer(tree, contents, target, { owners, lower: await stackLayers(layers, below) });
    const directory = await layers.adoptDirectory(diffId, target, owners, on);
    await removeTree(scratch);
    return { directory, omitted: applied.omitted.map((path) => `/${textOf(path)}`) };
  }

  return {
    async unpack({ diffIds, owners }) {
      // Of a layer that is there twice only the topmost is mounted, on all that lies below it.
      const topmost = diffIds.flatMap((diffId, i) => (diffIds.lastIndexOf(diffId) === i ? { diffId, below: diffIds.slice(0, i) } : []));
      // Each takes from lower layers what their trees say, and never waits for their directories.
      const unpacked = await inParallel(topmost, Math.min(mostLayersAtOnce, usableCpus()), ({ diffId, below }) =>
        unpackOne(diffId, below, owners),
      );
      const directories = new Map(topmost.map(({ diffId }, i) => [diffId, unpacked[i]?.directory]));
      return {
        directories: diffIds.map((diffId) => directories.get(diffId) as string),
        omitted: unpacked.flatMap(({ omitted }) => omitted),
      };
    },

    async prepare({ directory, parents, owners }) {
      const root = (await stackLayers(layers, parents)).lookup(bytesOf(""));
      const { mode, uid, gid } = root?.kind === "directory" ? root : rootDefaults;
      const upper = join(directory, "upper");
      await mkdir(upper);
      await mkdir(join(directory, "work"), { mode: 0o700 });
      const owner = owners === "exact" ? { uid, gid } : {};
      await setAttributes(upper, [{ path: bytesOf(""), mode, ...owner }]);
    },

    async copy({ directory, parents, owners, mountPoints, only }) {
      const target = join(directory, "tree");
      await mkdir(target);
      const found = only === undefined ? undefined : (await stackLayers(layers, parents)).resolve(bytesOf(only), { followLast: true }).path;
      const copied = await copyRootfs(await storedLayers(layers, parents), target, {
        owners,
        ...(mountPoints === undefined ? {} : { mountPoints }),
        ...(found === undefined ? {} : { only: found }),
      });
      const clock = join(directory, "copied");
      await writeFile(clock, "");
      copies.set(directory, { ...copied, since: (await stat(clock, { bigint: true })).ctimeNs });
      return { source: join(target, textOf(found ?? bytesOf(""))), omitted: copied.omitted.map((path) => `/${textOf(path)}`) };
    },

    makeCache: (request) => makeCache(layers, request),

    async own({ directory, name, mode, uid, gid, owners }) {
      await setAttributes(directory, [{ path: bytesOf(name), mode, ...(owners === "exact" ? { uid, gid } : {}) }]);
    },

    async pack({ directory, upper = join(directory, "upper"), parents, owners, epoch, startedAtMs, endedAtMs, created }, { signal } = {}) {
      const parent = await stackLayers(layers, parents);
      const copied = copies.get(directory);
      const stubs = [...created.map((path) => bytesOf(path.replace(/^\/+/, ""))), ...(copied?.made ?? [])];
      const options = { owners, stubs, ...(epoch === undefined ? {} : { epoch }) };
      const { entries, isExact } =
        copied === undefined
          ? await settledUpper(upper, parent, options)
          : { entries: await changedCopy(join(directory, "tree"), parent, copied, options), isExact: false };
      const isNow = ({ mtime, mtimeNsec }: Attributes): boolean => {
        const at = mtime * 1000 + mtimeNsec / 1e6;
        return at >= startedAtMs - clockLagMs && at < endedAtMs + 1;
      };
      const tree = await writeLayer(entries, join(directory, packedTar), {
        sync: true,
        store: store.root,
        limits: store.unpackLimits,
        ignoreMtime: isNow,
        signal,
      });
      packed.set(directory, { tree, isOwn: isExact && upper === join(directory, "upper") });
      return { diffId: tree.diffId, contentId: tree.contentId };
    },

    packedEntries: async ({ directory }) => packedIn(directory).tree.entries,

    async adopt({ directory, owners }) {
      const { tree, isOwn } = packedIn(directory);
      await store.pin(tree.diffId);
      const info = await layers.add(tree, { tempTar: join(directory, packedTar) });
      if (isOwn) await layers.adoptDirectory(tree.diffId, join(directory, "upper"), owners);
      return info;
    },

    search: searchWritten,
    removeBelow: ({ directory, paths }) => removeBelow(directory, paths),

    async remove({ path }) {
      packed.delete(path);
      copies.delete(path);
      const doomed = `${path}.removed`;
      await rename(path, doomed).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") throw error;
      });
      await removeTree(doomed);
    },
  };
}

function changedCopy(
  directory: string,
  parent: Rootfs,
  { since, omitted }: CopiedRootfs & { readonly since: bigint },
  options: DiffUpperOptions,
): Promise<readonly SourceEntry[]> {
  return diffDirectory(directory, parent, { ...options, since, omitted: new Set(omitted) });
}

/** The entries of an upper, which becomes what unpacking them would give, as far as `isExact` says. */
async function settledUpper(
  upper: string,
  parent: Rootfs,
  options: DiffUpperOptions,
): Promise<{ readonly entries: readonly SourceEntry[]; readonly isExact: boolean }> {
  const { entries, unchanged, clamped, hidesMore } = await diffUpper(upper, parent, options);
  await removePaths(upper, unchanged);
  if (clamped.length > 0) await setAttributes(upper, clamped);
  return { entries, isExact: !hidesMore };
}
