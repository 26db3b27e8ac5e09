import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** One request that a disk has answered, in the order of the answers. */
export interface LoggedRequest {
  /** Of 512 bytes. */
  readonly sector: number;
  readonly sectors: number;
  /** All answered before are on the disk for good. */
  readonly flush: boolean;
  /** Contents become zeros, or anything. */
  readonly discard: boolean;
  /** Where the written bytes lie in the log. */
  readonly offset: number;
}

export const SECTOR_BYTES = 512;

const MAGIC = 0x6a736677736872n;
const FLUSH = 1n;
const FUA = 2n;
const DISCARD = 4n;

/** The requests in a log of qemu's blklogwrites, which is dm-log-writes' format (the kernel's drivers/md/dm-log-writes.c). Its last may be torn, and is left out. */
export function readWriteLog(file: string): LoggedRequest[] {
  const fd = openSync(file, "r");
  try {
    const { size } = fstatSync(fd);
    const header = Buffer.alloc(32);
    const read = (offset: number): boolean => readSync(fd, header, 0, header.length, offset) === header.length;
    if (!read(0) || header.readBigUInt64LE(0) !== MAGIC || header.readUInt32LE(24) !== SECTOR_BYTES) {
      throw new Error(`${file} is no log of writes in sectors of ${SECTOR_BYTES} bytes`);
    }
    const requests: LoggedRequest[] = [];
    for (let at = SECTOR_BYTES; at < size && read(at); ) {
      const flags = header.readBigUInt64LE(16);
      const sectors = Number(header.readBigUInt64LE(8));
      const discard = (flags & DISCARD) !== 0n;
      const offset = at + SECTOR_BYTES;
      const next = offset + (discard ? 0 : sectors * SECTOR_BYTES);
      if (next > size) break;
      requests.push({ sector: Number(header.readBigUInt64LE(0)), sectors, flush: (flags & (FLUSH | FUA)) !== 0n, discard, offset });
      at = next;
    }
    return requests;
  } finally {
    closeSync(fd);
  }
}

/** The bytes that a request wrote. */
export function writtenBytes(logFd: number, { offset, sectors }: LoggedRequest): Buffer {
  const bytes = Buffer.alloc(sectors * SECTOR_BYTES);
  readSync(logFd, bytes, 0, bytes.length, offset);
  return bytes;
}
