import { randomUUID } from "node:crypto";
import { closeSync, constants, openSync } from "node:fs";
import { chown, mkdir, open, readlink, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { isSystemError, lockFile } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../errors.ts";
import type { Abortable } from "../file-bytes.ts";
import { type Json, parseJson, readIfThere } from "./config-file.ts";

/**
 * Changes a configuration in one step: it is read, changed and renamed into place, readable by its owner alone. `change` answers what it shall be; undefined leaves
 * it untouched. What stands in it besides stays, a symlink stays one, and several programs of ours take turns. Directories are made when missing.
 * Throws CREDENTIALS_UNREADABLE, CREDENTIALS_NOT_WRITTEN and `signal.reason`.
 */
export async function updateConfigFile(
  path: string,
  change: (config: Json) => Json | undefined,
  { signal }: Abortable = {},
): Promise<void> {
  try {
    const target = await targetOf(path);
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    await whileLocked(dirname(target), signal, async () => {
      const text = await readIfThere(target);
      const changed = change(text === undefined ? {} : parseJson(text, path));
      if (changed !== undefined) await replace(target, `${JSON.stringify(changed, undefined, "\t")}\n`);
    });
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new TsbuildError("CREDENTIALS_NOT_WRITTEN", `writing the credentials in ${path}: ${error.message}`, { cause: error });
  }
}

/** Where a symlink leads, though nothing may be there yet. */
async function targetOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (!isSystemError(error, "ENOENT")) throw error;
    const link = await readlink(path).catch(() => undefined);
    return link === undefined ? resolve(path) : resolve(dirname(path), link);
  }
}

/** The directory is what is locked: a lock file would stay behind. A file system without locks leaves it at the rename, by which no reader sees a half. */
async function whileLocked(directory: string, signal: AbortSignal | undefined, work: () => Promise<void>): Promise<void> {
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await lockFile(fd, "exclusive", { wait: true, ...(signal !== undefined && { signal }) }).catch((error: unknown) => {
      if (!["EBADF", "ENOLCK", "EOPNOTSUPP", "ENOSYS"].some((code) => isSystemError(error, code))) throw error;
    });
    await work();
  } finally {
    closeSync(fd);
  }
}

async function replace(target: string, text: string): Promise<void> {
  const temp = `${target}.${randomUUID()}`;
  try {
    const file = await open(temp, "wx", 0o600);
    try {
      await file.writeFile(text);
      await file.datasync();
    } finally {
      await file.close();
    }
    await keepOwner(target, temp);
    await rename(temp, target);
  } catch (error) {
    await rm(temp, { force: true });
    throw error;
  }
}

/** Root that logs in with a user's configuration must not take it from him. */
async function keepOwner(target: string, temp: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const old = await stat(target).catch(() => undefined);
  if (old !== undefined && old.uid !== 0) await chown(temp, old.uid, old.gid);
}
