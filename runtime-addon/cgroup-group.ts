import { randomBytes } from "node:crypto";
import { closeSync, constants, openSync } from "node:fs";
import { mkdir, readdir, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { killGroup } from "./cgroup-kill.ts";
import { lockFile } from "./locks.ts";
import { isSystemError } from "./system-error.ts";

/** One control group of ours. Its directory is flocked as long as its maker lives: one whose lock is free was left by a dead process. */
export interface Group {
  readonly parent: string;
  readonly directory: string;
  readonly version: 1 | 2;
  /** Holds the lock. */
  readonly fd: number;
}

/** Of a sandbox; or "leaf": of this process itself, where the group above is to have no processes. */
type Purpose = "sandbox" | "leaf";

const prefixes: Readonly<Record<Purpose, string>> = { sandbox: "tsbuild-", leaf: "tsbuild-leaf-" };

/** The whole name counts: what others call tsbuild-runner.service, or a container of that name, is not ours to kill. */
const sandboxName = /^tsbuild-[0-9a-f]{12}$/;
const leafName = /^tsbuild-leaf-[0-9a-f]{12}$/;

export function isOwnLeaf(name: string): boolean {
  return leafName.test(name);
}

/** Makes an empty group below `parent`, and removes the groups there that killed processes left. Throws a system error. */
export async function makeGroup(parent: string, version: 1 | 2, purpose: Purpose = "sandbox"): Promise<Group> {
  await removeStale(parent);
  for (;;) {
    const directory = join(parent, `${prefixes[purpose]}${randomBytes(6).toString("hex")}`);
    await mkdir(directory);
    const fd = await lockDirectory(directory);
    if (fd !== undefined) return { parent, directory, version, fd };
    // Between making and locking, another process took it for a dead one's.
  }
}

const removeAttempts = 50;

/** Kills what is in the groups and removes them: all of them, also where one will not go. */
export async function removeGroups(groups: readonly Group[]): Promise<void> {
  const results = await Promise.allSettled(groups.map(removeGroup));
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

async function removeGroup({ directory, fd }: Group): Promise<void> {
  try {
    for (let attempt = 1; !(await isRemoved(directory)); attempt++) {
      await killGroup(directory);
      // The kernel lets go of dead processes a moment after they were waited for.
      if (attempt === removeAttempts) await rmdir(directory);
      await delay(10);
    }
  } finally {
    closeSync(fd);
  }
}

async function removeStale(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!sandboxName.test(name) && !isOwnLeaf(name)) continue;
    const directory = join(parent, name);
    const fd = await lockDirectory(directory);
    if (fd === undefined) continue;
    try {
      // What a sandbox's maker did not live to see killed. Where it still is being taken down, the next one finds the group again.
      if (!(await isRemoved(directory)) && !isOwnLeaf(name)) await killGroup(directory);
    } catch (error) {
      // Another user's.
      if (!isSystemError(error, "EACCES", "EPERM", "EROFS")) throw error;
    } finally {
      closeSync(fd);
    }
  }
}

/** A descriptor that holds the directory's lock; undefined when another has it, or the directory is gone or not for us to open. */
async function lockDirectory(directory: string): Promise<number | undefined> {
  let fd: number;
  try {
    fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    if (isSystemError(error, "ENOENT", "ENOTDIR", "EACCES")) return undefined;
    throw error;
  }
  try {
    if ((await lockFile(fd, "exclusive", { wait: false })) && (await isThere(directory))) return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  closeSync(fd);
  return undefined;
}

async function isThere(directory: string): Promise<boolean> {
  try {
    await stat(directory);
    return true;
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return false;
    throw error;
  }
}

/** Whether the group is gone now; false while it has processes. */
async function isRemoved(directory: string): Promise<boolean> {
  try {
    await rmdir(directory);
    return true;
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return true;
    if (isSystemError(error, "EBUSY")) return false;
    throw error;
  }
}
