import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { isSystemError } from "../runtime-addon/index.ts";
import { TsbuildError } from "./errors.ts";
import { unlessMissing } from "./if-there.ts";

/**
 * A descriptor of a regular file, which the caller closes. No link is followed in its place, which could lead anywhere, and no other end of a FIFO waited for. Throws UNSAFE_PATH for
 * what is none, and system errors.
 */
export function openRegular(path: string, flags: number, mode?: number): number {
  let fd: number;
  try {
    fd = openSync(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK, mode);
  } catch (error) {
    // A link; a directory to be written; a socket, or a FIFO that nobody reads.
    if (isSystemError(error, "ELOOP", "EISDIR", "ENXIO")) throw irregular(path);
    throw error;
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw irregular(path);
}

/** The same, undefined where there is no such file, or no directory for a new one. */
export function openIfThere(path: string, flags: number, mode?: number): number | undefined {
  return unlessMissing(() => openRegular(path, flags, mode));
}

/** The same, undefined also for what is no regular file. */
export function openIfRegular(path: string, flags: number): number | undefined {
  try {
    return openIfThere(path, flags);
  } catch (error) {
    if (isIrregular(error)) return undefined;
    throw error;
  }
}

/** All bytes of a regular file; undefined where there is none. A longer one is refused by `tooLong()`, unread. Throws as openRegular. */
export function readRegular(path: string, limitBytes: number, tooLong: () => Error): Buffer | undefined {
  const fd = openIfThere(path, constants.O_RDONLY);
  if (fd === undefined) return undefined;
  try {
    const { size } = fstatSync(fd);
    if (size > limitBytes) throw tooLong();
    // One byte more: it may grow meanwhile.
    const bytes = Buffer.allocUnsafe(size + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read)
      read = readSync(fd, bytes, length, bytes.length - length, null);
    return bytes.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}

export function isIrregular(error: unknown): boolean {
  return error instanceof TsbuildError && error.code === "UNSAFE_PATH";
}

function irregular(path: string): TsbuildError {
  return new TsbuildError("UNSAFE_PATH", `reading ${path}: it is no regular file`);
}
