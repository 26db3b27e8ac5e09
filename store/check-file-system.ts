import { chmodSync, closeSync, linkSync, openSync, rmSync, statSync, symlinkSync } from "node:fs";
import { isSystemError, lockByte, systemErrorMessage } from "../runtime-addon/index.ts";
import { writeTempFile } from "./atomic-file.ts";
import { TsbuildError } from "./errors.ts";
import { unsuitableHint } from "./name-system-error.ts";

const mode = 0o640;

/**
 * Tries what the files of images need of a file system and what not every one has (vfat, exfat, mounts of other machines). `scratch` is a path where nothing is,
 * nor with a suffix. Locks of whole files are tried by whoever holds one. Throws STORE_UNSUITABLE, and system errors of other kinds.
 */
export async function checkFileSystem(root: string, scratch: string): Promise<void> {
  const others = { hardLink: `${scratch}-link`, symlink: `${scratch}-symlink` };
  try {
    await writeTempFile(scratch, Buffer.of(), { sync: false });
    chmodSync(scratch, mode);
    // Some say nothing, and keep none.
    if ((statSync(scratch).mode & 0o777) !== mode) throw unsuitable(root, "modes of files");
    await attempt(root, "locks of ranges of bytes", () => tryByteLock(scratch));
    await attempt(root, "hard links", () => linkSync(scratch, others.hardLink));
    await attempt(root, "symbolic links", () => symlinkSync("nowhere", others.symlink));
  } finally {
    for (const path of [scratch, ...Object.values(others)]) rmSync(path, { force: true });
  }
}

async function tryByteLock(path: string): Promise<void> {
  const fd = openSync(path, "r+");
  try {
    await lockByte(fd, "exclusive", 2n ** 62n - 1n, { wait: false });
  } finally {
    closeSync(fd);
  }
}

async function attempt(root: string, what: string, work: () => void | Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    // link(2), symlink(2): EPERM is what a file system says that has none. fcntl(2): ENOLCK, and EINVAL where a kernel has no locks of open files.
    throw isSystemError(error, "EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EINVAL", "ENOLCK") ? unsuitable(root, what, error) : error;
  }
}

function unsuitable(root: string, what: string, cause?: Error): TsbuildError {
  const why = isSystemError(cause) ? `: ${systemErrorMessage(cause)}` : "";
  return new TsbuildError("STORE_UNSUITABLE", `opening the store ${root}: its file system has no ${what}${why}`, {
    cause,
    hint: unsuitableHint,
  });
}
