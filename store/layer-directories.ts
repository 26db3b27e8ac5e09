import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { isSystemError, removeTree, renameNoReplace, syncFileSystem } from "../runtime-addon/index.ts";
import { writeFileAtomically } from "./atomic-file.ts";
import { type Digest, hexOf } from "./digest.ts";
import { readUsed } from "./last-use.ts";
import { makeDirectories } from "./make-directories.ts";
import { storePaths } from "./store-paths.ts";

/**
 * How the owners of a layer's unpacked files stand on disk: as the layer says, or all the one id of a single-id map. The two are never
 * mixed: each has a directory of its own.
 */
export type OwnerMode = "exact" | "flat";

/**
 * Unpacked forms of layers: `<hex>/dir` and `<hex>/dir-flat`, each a folder with the files in `fs` and beside it `ok`, which says when it may be
 * believed. Both appear in one rename. Nothing here is flushed, so a directory counts only while the kernel that wrote it runs, or
 * after keepDirectories.
 *
 * Most layers are the same on whatever they lie. One that only implies a directory, or has a hard link into a lower layer, is not
 * (dependsOnLower): then `on` names what it lies on, and each has a directory of its own.
 */
export interface LayerDirectories {
  /** Where the unpacked files are, or would be. */
  directory(diffId: Digest, owners: OwnerMode, on?: Digest): string;
  /** Whether they are there and may be believed. */
  hasDirectory(diffId: Digest, owners: OwnerMode, on?: Digest): boolean;
  /**
   * Takes a finished directory on the store's file system in by rename, and says where it is. When a believed one is there already, that one
   * stays and `path` is removed. `path` must be movable by the caller: with mapped owners, only inside the user namespace.
   */
  adoptDirectory(diffId: Digest, path: string, owners: OwnerMode, on?: Digest): Promise<string>;
  /** Flushes the file system once; from then on these directories are believed after a restart of the machine too. */
  keepDirectories(diffIds: readonly Digest[], owners: OwnerMode): Promise<void>;
}

interface Ok {
  readonly owners: OwnerMode;
  /** Of the kernel that ran when the directory was made (/proc/sys/kernel/random/boot_id). */
  readonly bootId: string;
  readonly flushed: boolean;
}

export function layerDirectories(root: string, tempFile: () => Promise<string>): LayerDirectories {
  const wrapper = (diffId: Digest, owners: OwnerMode, on?: Digest) =>
    join(storePaths.layers(root), hexOf(diffId), `${owners === "exact" ? "dir" : "dir-flat"}${on === undefined ? "" : `-${hexOf(on)}`}`);
  const directory = (diffId: Digest, owners: OwnerMode, on?: Digest) => join(wrapper(diffId, owners, on), "fs");
  const ok = (diffId: Digest, owners: OwnerMode, on?: Digest) => readOk(join(wrapper(diffId, owners, on), "ok"));
  const hasDirectory = (diffId: Digest, owners: OwnerMode, on?: Digest) => {
    const found = ok(diffId, owners, on);
    return found !== undefined && found.owners === owners && (found.flushed || found.bootId === bootId());
  };

  return {
    directory,
    hasDirectory,
    async adoptDirectory(diffId, path, owners, on) {
      const staged = await tempFile();
      mkdirSync(staged, { mode: 0o700 });
      renameSync(path, join(staged, "fs"));
      writeFileSync(join(staged, "ok"), encodeOk({ owners, bootId: bootId(), flushed: false }), { mode: 0o600 });
      const target = wrapper(diffId, owners, on);
      makeDirectories(join(target, ".."), 0o700);
      for (;;) {
        try {
          renameNoReplace(staged, target);
          return directory(diffId, owners, on);
        } catch (error) {
          if (!isSystemError(error, "EEXIST", "ENOTEMPTY")) throw error;
        }
        if (hasDirectory(diffId, owners, on)) {
          await removeTree(staged);
          return directory(diffId, owners, on);
        }
        await discard(root, target);
      }
    },
    async keepDirectories(diffIds, owners) {
      const kept = diffIds.filter((diffId) => hasDirectory(diffId, owners) && ok(diffId, owners)?.flushed === false);
      if (kept.length === 0) return;
      const handle = await open(root, "r");
      try {
        await syncFileSystem(handle.fd);
      } finally {
        await handle.close();
      }
      for (const diffId of kept) {
        const path = join(wrapper(diffId, owners), "ok");
        await writeFileAtomically(await tempFile(), path, encodeOk({ owners, bootId: bootId(), flushed: true }), { sync: true });
      }
    },
  };
}

/** Moves a directory that nobody may believe out of the way; what cannot be deleted here (mapped owners) waits in trash/. */
async function discard(root: string, path: string): Promise<void> {
  const trash = join(storePaths.trash(root), randomBytes(8).toString("hex"));
  try {
    renameSync(path, trash);
  } catch (error) {
    // Another process was faster.
    if (isSystemError(error, "ENOENT")) return;
    throw error;
  }
  try {
    await removeTree(trash);
  } catch (error) {
    if (!isSystemError(error, "EACCES", "EPERM")) throw error;
  }
}

function readOk(path: string): Ok | undefined {
  let text: string;
  try {
    text = readUsed(path).toString("utf8");
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return undefined;
    throw error;
  }
  const [owners, boot, flushed, end] = text.split("\n");
  if ((owners !== "exact" && owners !== "flat") || boot === undefined || end !== "") return undefined;
  return { owners, bootId: boot, flushed: flushed === "flushed" };
}

function encodeOk({ owners, bootId: boot, flushed }: Ok): Buffer {
  return Buffer.from(`${owners}\n${boot}\n${flushed ? "flushed" : "unflushed"}\n`);
}

let currentBootId: string | undefined;

function bootId(): string {
  currentBootId ??= readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  return currentBootId;
}
