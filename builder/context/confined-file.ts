import { constants } from "node:fs";
import { type FileHandle, open, readlink, realpath } from "node:fs/promises";
import { TsbuildError } from "../../store/errors.ts";

/** What errors say of a file that is opened. */
export interface ConfinedNaming {
  /** Absent: its path. */
  readonly name?: string;
  /** The path and the root are this program's own: where the file really is says nothing to anybody. */
  readonly placesAreOurs?: boolean;
}

/**
 * Opens a regular file for reading which, whatever symlinks and racing renames led there, lies below `root`. Never waits for a FIFO's
 * writer. Throws what open(2) does, and OUTSIDE_CONTEXT.
 */
export async function openConfined(root: string, path: string | Buffer, naming: ConfinedNaming = {}): Promise<FileHandle> {
  const { name = path.toString(), placesAreOurs = false } = naming;
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    // The name by which the kernel knows what was opened: nothing can change between the look and the use.
    const [place, top] = await Promise.all([readlink(`/proc/self/fd/${handle.fd}`, "buffer"), realpath(root, "buffer")]);
    const prefix = Buffer.concat([top, Buffer.from(top.at(-1) === 0x2f ? "" : "/")]);
    const refuse = (problem: string) => new TsbuildError("OUTSIDE_CONTEXT", `reading ${name}: ${problem}`);
    if (!place.subarray(0, prefix.length).equals(prefix)) {
      throw refuse(placesAreOurs ? "it is a link that leads out of it" : `it leads to ${place.toString()}, outside of ${root}`);
    }
    const stat = await handle.stat();
    // A directory is found out by reading it (EISDIR), as everywhere.
    if (!stat.isFile() && !stat.isDirectory()) throw refuse("it is not a regular file");
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}
