import { closeSync, constants, fstatSync, mkdirSync, openSync, type Stats } from "node:fs";
import { lstat, readlink } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { isSystemError } from "../../runtime-addon/index.ts";

/** An open directory, and what a file in it is called. */
export interface HeldDirectory {
  readonly fd: number;
  /** The file's name: symlinks that may be followed have been. */
  readonly name: string;
  /** Whom the directory belongs to. */
  readonly uid: number;
  /** Where a name in it is, for system calls. */
  at(name: string): string;
}

/**
 * Opens the directory that a file is in, or shall be; missing ones are made (0700). The caller closes `fd`.
 *
 * For root, symlinks are followed only as far as nobody else could have put them there. From the first directory on that belongs to somebody else, or that others may write to, they
 * are not, and each name is looked up in the directory that is open: by its path, its owner could lead root to any file of the machine, also by changing it meanwhile. Everyone else
 * has but his own to lose. Throws system errors: ENOTDIR and ELOOP for symlinks that are not followed.
 */
export async function holdDirectory(path: string): Promise<HeldDirectory> {
  const { directory, rest, shared } = await followOurs(resolve(path));
  let fd = openDirectory(directory);
  let place = directory;
  try {
    for (const next of rest.slice(0, -1)) {
      const inner = openOrMake(shared ? inside(fd, next) : join(place, next));
      closeSync(fd);
      fd = inner;
      place = join(place, next);
    }
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  const held = fd;
  const at = (name: string) => (shared ? inside(held, name) : join(place, name));
  return { fd, name: rest.at(-1) ?? basename(path), uid: fstatSync(fd).uid, at };
}

interface Followed {
  /** Free of symlinks. */
  readonly directory: string;
  /** Names below it that are still to be looked up; the file's last. */
  readonly rest: readonly string[];
  /** Whether it is for others to say what they mean. */
  readonly shared: boolean;
}

/** As many as the kernel follows (path_resolution(7)). */
const maxLinks = 40;

async function followOurs(path: string): Promise<Followed> {
  let directory = "/";
  let rest = namesIn(path);
  let links = 0;
  for (;;) {
    const [name = "", ...more] = rest;
    if (name === "..") {
      directory = dirname(directory);
      rest = more;
      continue;
    }
    const entry = await lstatIfThere(join(directory, name));
    if (canOthersChange(await lstat(directory), entry)) return { directory, rest, shared: true };
    if (entry?.isSymbolicLink() && links < maxLinks) {
      links += 1;
      const target = await readlink(join(directory, name));
      if (target.startsWith("/")) directory = "/";
      rest = [...namesIn(target), ...more];
      continue;
    }
    if (entry === undefined || more.length === 0) return { directory, rest, shared: false };
    directory = join(directory, name);
    rest = more;
  }
}

function namesIn(path: string): readonly string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

/** Only asked for root. In a sticky directory what is root's own stays what it is (inode(7)). */
function canOthersChange(directory: Stats, entry: Stats | undefined): boolean {
  if (process.geteuid?.() !== 0) return false;
  if (directory.uid !== 0) return true;
  const writable = (directory.mode & (constants.S_IWGRP | constants.S_IWOTH)) !== 0;
  return writable && ((directory.mode & stickyBit) === 0 || entry?.uid !== 0);
}

const stickyBit = 0o1000;

function inside(fd: number, name: string): string {
  return `/proc/self/fd/${fd}/${name}`;
}

function openDirectory(path: string): number {
  return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
}

function openOrMake(path: string): number {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (!isSystemError(error, "EEXIST")) throw error;
  }
  return openDirectory(path);
}

async function lstatIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return undefined;
    throw error;
  }
}
