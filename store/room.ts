import { statfsSync } from "node:fs";
import { constants } from "node:os";
import { dirname } from "node:path";
import type { SystemError } from "../runtime-addon/index.ts";
import { TsbuildError } from "./errors.ts";
import { fullHint } from "./name-system-error.ts";

/** Of a file system, in bytes. */
export interface Room {
  readonly totalBytes: number;
  /** What ordinary users may still write: the part that a file system keeps for root stays free whoever writes. */
  readonly freeBytes: number;
}

/** Undefined: it does not say. */
type Look = (directory: string) => Room | undefined;

const largestReserve = 64 * 2 ** 20;

/** What files of which nobody knows how large they become leave free, so that all else goes on: the little that other processes and the end of a command write. */
export function reserveOf({ totalBytes }: Room): number {
  return Math.min(largestReserve, Math.floor(totalBytes / 16));
}

/**
 * Looks at the file system while a file at `path` grows. The function is told of each write before it is made, and throws ENOSPC, as the system would a little later, where the
 * reserve would go. A small file is never refused.
 */
export function roomFor(path: string, look: Look = roomAt): (bytes: number) => void {
  let written = 0;
  let lookAt = largestReserve / 16;
  return (bytes) => {
    written += bytes;
    if (written < lookAt) return;
    const room = look(dirname(path));
    if (room === undefined) {
      lookAt = Number.POSITIVE_INFINITY;
      return;
    }
    const reserve = reserveOf(room);
    if (room.freeBytes - bytes < reserve) {
      throw noSpace(`${room.freeBytes} bytes are free on the file system, ${reserve} of which stay so`, path);
    }
    // Some files may be written at once.
    lookAt = written + reserve / 16;
  };
}

/** Throws STORE_FULL, which begins with `doing`, where the store's file system has no room for so many bytes: to find that out by filling it would harm everybody on it. */
export function refuseWithoutRoom(root: string, bytes: number, doing: string, look: Look = roomAt): void {
  const room = look(root);
  if (room === undefined || bytes <= room.freeBytes) return;
  throw new TsbuildError(
    "STORE_FULL",
    `${doing}: ${bytes} bytes, and the file system of the store ${root} has room for ${room.freeBytes}`,
    {
      hint: fullHint,
    },
  );
}

/** Undefined of file systems that do not say (some of FUSE). */
function roomAt(directory: string): Room | undefined {
  const { blocks, bavail, bsize } = statfsSync(directory);
  return blocks === 0 ? undefined : { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
}

function noSpace(why: string, path: string): SystemError {
  const [code, syscall] = ["ENOSPC", "write"] as const;
  return Object.assign(new Error(`${code}: ${why}, ${syscall} '${path}'`), { code, errno: -constants.errno[code], syscall, path });
}
