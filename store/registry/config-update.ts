import { randomUUID } from "node:crypto";
import { closeSync, constants, type Stats } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { isSystemError, lockFile } from "../../runtime-addon/index.ts";
import { type ErrorDetails, TsbuildError } from "../errors.ts";
import type { Abortable } from "../file-bytes.ts";
import { type Json, parseJson } from "./config-file.ts";
import { type HeldDirectory, holdDirectory } from "./held-directory.ts";

/**
 * Changes a configuration in one step: it is read, changed and renamed into place, readable by its owner alone. `change` answers what it shall be; undefined leaves
 * it untouched. What stands in it besides stays, a symlink stays one, and several programs of ours take turns. Directories are made when missing. Root may do so in a user's directory,
 * who gains nothing by it: see holdDirectory. Throws CREDENTIALS_UNREADABLE, CREDENTIALS_NOT_WRITTEN and `signal.reason`.
 */
export async function updateConfigFile(
  path: string,
  change: (config: Json) => Json | undefined,
  { signal }: Abortable = {},
): Promise<void> {
  try {
    const directory = await holdDirectory(path);
    try {
      await lock(directory.fd, signal);
      const old = await readOld(directory, path);
      const changed = change(old === undefined ? {} : parseJson(old.text, path));
      if (changed !== undefined) await replace(directory, old?.stats, `${JSON.stringify(changed, undefined, "\t")}\n`);
    } finally {
      closeSync(directory.fd);
    }
  } catch (error) {
    if (!isSystemError(error)) throw error;
    const why =
      error.code === "ELOOP" ? `${error.message} (as root, a symlink is only followed where nobody else could change it)` : error.message;
    throw notWritten(path, why, { cause: error });
  }
}

/** The directory is what is locked: a lock file would stay behind. A file system without locks leaves it at the rename, by which no reader sees a half. */
async function lock(fd: number, signal: AbortSignal | undefined): Promise<void> {
  await lockFile(fd, "exclusive", { wait: true, ...(signal !== undefined && { signal }) }).catch((error: unknown) => {
    if (!["EBADF", "ENOLCK", "EOPNOTSUPP", "ENOSYS"].some((code) => isSystemError(error, code))) throw error;
  });
}

interface OldFile {
  readonly text: string;
  readonly stats: Stats;
}

/** Of the file that is open: another one may be in its place at any time. Undefined where there is none. */
async function readOld({ at, name, uid }: HeldDirectory, path: string): Promise<OldFile | undefined> {
  let file: FileHandle;
  try {
    file = await open(at(name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return undefined;
    throw error;
  }
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw notWritten(path, "it is no regular file");
    if (isRoot() && stats.uid !== 0 && stats.uid !== uid) {
      throw notWritten(path, `it belongs to uid ${stats.uid}, and its directory to uid ${uid}`, {
        hint: "run this as the user whose configuration it is, or name a file of your own",
      });
    }
    return { text: await file.readFile("utf8"), stats };
  } finally {
    await file.close();
  }
}

async function replace({ at, name }: HeldDirectory, old: Stats | undefined, text: string): Promise<void> {
  const temp = at(`${name}.${randomUUID()}`);
  try {
    const file = await open(temp, "wx", 0o600);
    try {
      // Root that logs in with a user's configuration must not take it from him. By the handle: the name may be another file's by now.
      if (isRoot() && old !== undefined && old.uid !== 0) await file.chown(old.uid, old.gid);
      await file.writeFile(text);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(temp, at(name));
  } catch (error) {
    await rm(temp, { force: true });
    throw error;
  }
}

function notWritten(path: string, why: string, details?: ErrorDetails): TsbuildError {
  return new TsbuildError("CREDENTIALS_NOT_WRITTEN", `writing the credentials in ${path}: ${why}`, details);
}

function isRoot(): boolean {
  return process.geteuid?.() === 0;
}
