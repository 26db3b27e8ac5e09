import { randomBytes } from "node:crypto";
import { closeSync, constants, fstatSync, mkdirSync, openSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { isSystemError, lockFile, removeTree } from "../../runtime-addon/index.ts";

const prefix = ".tsbuild-";
const ourName = /^\.tsbuild-[0-9a-f]{12}$/;

/**
 * Does work in a new empty directory inside another one, on its file system, which goes afterwards. It is flocked as long as its maker lives: what killed ones left of this user goes first.
 * Throws system errors and what the work throws.
 */
export async function withScratch<T>(directory: string, work: (path: string) => Promise<T>): Promise<T> {
  await removeAbandoned(directory);
  const { path, fd } = await makeLocked(directory);
  try {
    return await work(path);
  } finally {
    try {
      await removeTree(path);
    } finally {
      closeSync(fd);
    }
  }
}

async function makeLocked(directory: string): Promise<{ readonly path: string; readonly fd: number }> {
  for (;;) {
    const path = join(directory, `${prefix}${randomBytes(6).toString("hex")}`);
    mkdirSync(path, { mode: 0o700 });
    const fd = tryOpen(path);
    // Between the two somebody may have taken it for a dead one's.
    if (fd === undefined) continue;
    if ((await tryLock(fd)) !== false && fstatSync(fd).nlink > 0) return { path, fd };
    closeSync(fd);
  }
}

/** What cannot be removed stays, and is in nobody's way. */
async function removeAbandoned(directory: string): Promise<void> {
  for (const name of readdirSync(directory)) {
    if (!ourName.test(name)) continue;
    const path = join(directory, name);
    const fd = tryOpen(path);
    if (fd === undefined) continue;
    try {
      if (isOurs(fd) && (await tryLock(fd)) === true) await removeTree(path);
    } catch (error) {
      if (!isSystemError(error)) throw error;
    } finally {
      closeSync(fd);
    }
  }
}

/** As makeLocked makes it: what merely is called so is somebody's. */
function isOurs(fd: number): boolean {
  const { uid, mode } = fstatSync(fd);
  return uid === process.geteuid?.() && (mode & 0o7777) === 0o700;
}

function tryOpen(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    if (!isSystemError(error, "ENOENT", "ENOTDIR", "ELOOP", "EACCES")) throw error;
    return undefined;
  }
}

/** Undefined: this file system has no locks of directories. What its processes leave there stays. */
async function tryLock(fd: number): Promise<boolean | undefined> {
  try {
    return await lockFile(fd, "exclusive", { wait: false });
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return undefined;
  }
}
