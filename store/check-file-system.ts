import { chmodSync, linkSync, rmSync, statSync, symlinkSync } from "node:fs";
import { isSystemError } from "../runtime-addon/index.ts";
import { writeTempFile } from "./atomic-file.ts";
import { TsbuildError } from "./errors.ts";
import { unsuitableHint } from "./name-system-error.ts";

const mode = 0o640;

/**
 * Tries what the files of images need of a file system and what not every one has (vfat, exfat, mounts of other machines). `scratch` is a path where nothing is,
 * nor with a suffix. Locks are tried by whoever holds one. Throws STORE_UNSUITABLE, and system errors of other kinds.
 */
export async function checkFileSystem(root: string, scratch: string): Promise<void> {
  const others = { hardLink: `${scratch}-link`, symlink: `${scratch}-symlink` };
  try {
    await writeTempFile(scratch, Buffer.of(), { sync: false });
    chmodSync(scratch, mode);
    // Some say nothing, and keep none.
    if ((statSync(scratch).mode & 0o777) !== mode) throw unsuitable(root, "modes of files");
    attempt(root, "hard links", () => linkSync(scratch, others.hardLink));
    attempt(root, "symbolic links", () => symlinkSync("nowhere", others.symlink));
  } finally {
    for (const path of [scratch, ...Object.values(others)]) rmSync(path, { force: true });
  }
}

function attempt(root: string, what: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    // link(2), symlink(2): EPERM is what a file system says that has none.
    throw isSystemError(error, "EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EINVAL") ? unsuitable(root, what, error) : error;
  }
}

function unsuitable(root: string, what: string, cause?: Error): TsbuildError {
  const why = cause === undefined ? "" : `: ${cause.message}`;
  return new TsbuildError("STORE_UNSUITABLE", `opening the store ${root}: its file system has no ${what}${why}`, {
    cause,
    hint: unsuitableHint,
  });
}
