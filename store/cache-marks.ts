import { randomBytes } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { isSystemError, lockFile } from "../runtime-addon/index.ts";
import { syncDirectory } from "./atomic-file.ts";
import { discardFile } from "./discard.ts";
import { openIfThere } from "./regular-file.ts";
import type { Store } from "./store.ts";

/** Says of a copy of a cache that somebody writes to it who must look through it before others may read it. */
export interface CacheMark {
  /** It was looked through: the mark goes. */
  clear(): void;
  /** Of one that was not cleared: it stays, as it would if the process had been killed. */
  close(): void;
}

const prefix = "unsearched-";

/** Marks the copy in `path`, durably before this resolves. The mark is as good as its process: an empty file that it has flocked. */
export async function markCopy(store: Pick<Store, "tempFile">, path: string): Promise<CacheMark> {
  const temp = await store.tempFile("mark");
  const mark = join(path, `${prefix}${randomBytes(8).toString("hex")}`);
  const fd = openSync(temp, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
  let open = true;
  const close = () => {
    if (open) closeSync(fd);
    open = false;
  };
  try {
    await lockFile(fd, "exclusive", { wait: false });
    // Locked before anybody can find it.
    renameSync(temp, mark);
    await syncDirectory(path);
  } catch (error) {
    close();
    throw error;
  }
  return {
    clear() {
      if (!open) return;
      // Before it is unlocked: nobody shall take it for a dead process's.
      discardFile(mark);
      close();
    },
    close,
  };
}

/** Whether there is a mark whose process is gone: what is in the copy has not been looked through, and nobody knows any more for what. So of a copy that is gone itself. */
export async function hasDeadMark(path: string): Promise<boolean> {
  let names: readonly string[];
  try {
    names = readdirSync(path);
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return true;
    throw error;
  }
  for (const name of names) if (name.startsWith(prefix) && (await isDead(join(path, name)))) return true;
  return false;
}

async function isDead(mark: string): Promise<boolean> {
  const fd = openIfThere(mark, constants.O_RDWR);
  if (fd === undefined) return false;
  try {
    // One that was cleared in between has no name any more.
    return (await lockFile(fd, "shared", { wait: false })) && fstatSync(fd).nlink > 0;
  } finally {
    closeSync(fd);
  }
}
