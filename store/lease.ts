import { randomBytes } from "node:crypto";
import { closeSync, constants, fstatSync, mkdirSync, openSync, readdirSync, writeSync } from "node:fs";
import { join } from "node:path";
import { isSystemError, lockFile, removeTree } from "../runtime-addon/index.ts";
import type { Digest } from "./digest.ts";
import { discardFile } from "./discard.ts";
import { withLock } from "./lock.ts";
import { openIfRegular } from "./regular-file.ts";
import { storePaths } from "./store-paths.ts";

/**
 * What a running process needs kept. The file `leases/<id>` is flocked as long as its owner lives and lists, a line each, the digests
 * that garbage collection must leave alone: a blob's, and a layer's diffId for its tree and directories. Temp directories belong
 * to a lease and go with it. A lease whose lock is free is stale, and anyone may remove it.
 */
export interface Lease extends AsyncDisposable {
  readonly id: string;
  /** From here on these stay, if they are there: look whether they are *after* pinning. */
  pin(...digests: readonly Digest[]): Promise<void>;
  /** A new empty directory, mode 0700, on the store's file system. */
  temp(kind: string): string;
  /** A path on the store's file system where nothing is. */
  tempFile(kind: string): string;
  /** Unpins, and removes the temp directories where that can be done; what cannot be removed is no one's any more, and prune's. Idempotent. */
  close(): Promise<void>;
}

export async function openLease(root: string): Promise<Lease> {
  const { id, fd } = await createLocked(root);
  const file = join(storePaths.leases(root), id);
  const tmp = join(storePaths.tmp(root), id);
  const pinned = new Set<Digest>();
  let count = 0;
  let open = true;

  const tempFile = (kind: string) => {
    if (!open) throw new Error(`lease ${id} is closed`);
    if (count === 0) mkdirSync(tmp, { mode: 0o700 });
    count += 1;
    return join(tmp, `${kind}-${count}`);
  };
  const close = async () => {
    if (!open) return;
    open = false;
    try {
      if (count > 0) await removeLeaseTemp(tmp);
      discardFile(file);
    } finally {
      closeSync(fd);
    }
  };
  return {
    id,
    async pin(...digests) {
      const fresh = digests.filter((digest) => !pinned.has(digest));
      if (fresh.length === 0) return;
      await withLock(storePaths.lock(root), "shared", () => {
        // Appended in one call each: a reader sees whole lines (a torn last one is of no one's promise yet).
        const text = Buffer.from(fresh.map((digest) => `${digest}\n`).join(""));
        for (let offset = 0; offset < text.length; ) offset += writeSync(fd, text, offset);
      });
      for (const digest of fresh) pinned.add(digest);
    },
    tempFile,
    temp(kind) {
      const path = tempFile(kind);
      mkdirSync(path, { mode: 0o700 });
      return path;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function createLocked(root: string): Promise<{ id: string; fd: number }> {
  for (;;) {
    const id = randomBytes(8).toString("hex");
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND;
    const fd = openSync(join(storePaths.leases(root), id), flags, 0o600);
    try {
      // Between open and lock a cleaner may have taken the file for a dead one's: then its last link is gone.
      if ((await lockFile(fd, "exclusive", { wait: false })) && fstatSync(fd).nlink > 0) return { id, fd };
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    closeSync(fd);
  }
}

/**
 * Removes what dead processes left in leases/ and tmp/. Costs two directory reads when nothing is left. What this user may not
 * remove (files with mapped owners of a rootless build) stays for a caller inside the user namespace.
 */
export async function removeStale(root: string): Promise<void> {
  // tmp first: a lease is made before its temp directory, so one seen without its lease has really lost it.
  const temps = readdirSync(storePaths.tmp(root));
  const leases = readdirSync(storePaths.leases(root));
  for (const id of leases) await removeStaleLease(root, id);
  const known = new Set(leases);
  for (const id of temps) if (!known.has(id)) await removeLeaseTemp(join(storePaths.tmp(root), id));
}

async function removeStaleLease(root: string, id: string): Promise<void> {
  const file = join(storePaths.leases(root), id);
  // What is no file nobody of us put there.
  const fd = openIfRegular(file, constants.O_RDWR);
  if (fd === undefined) return;
  try {
    if (!(await lockFile(fd, "exclusive", { wait: false })) || fstatSync(fd).nlink === 0) return;
    // The temp directory before the file: whoever is killed in between leaves a stale lease, found again.
    if (await removeLeaseTemp(join(storePaths.tmp(root), id))) discardFile(file);
  } finally {
    closeSync(fd);
  }
}

/** Owners of a user namespace may be removed by root inside it only, and on a failing disk nothing may: what stays is found again. */
async function removeLeaseTemp(path: string): Promise<boolean> {
  try {
    await removeTree(path);
    return true;
  } catch (error) {
    if (isSystemError(error)) return false;
    throw error;
  }
}
