import type { ByteString } from "../../runtime-addon/index.ts";
import { encodePaxRecord, xattrKeyPrefix } from "./pax.ts";
import type { Xattrs } from "./xattrs.ts";

/** Version of the canonical form that this file and tar-write.ts define, as FORMAT.md tells it. Same entries, same version: same bytes, on any machine. */
export const writerVersion = 1;

export const blockBytes = 512;
export const trailerBytes = 2 * blockBytes;

/** POSIX ustar type flags. */
export type TypeFlag = "0" | "1" | "2" | "3" | "4" | "5" | "6";

/** One entry, spelled as it stands in the tar. */
export interface CanonicalHeader {
  /** Of a directory with its "/". */
  readonly name: ByteString;
  readonly type: TypeFlag;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly mtimeNsec: number;
  readonly linkName: ByteString | undefined;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: Xattrs | undefined;
}

/** The header of an empty file without a mode, an owner or a time. */
export function emptyFile(name: ByteString): CanonicalHeader {
  return {
    name,
    type: "0",
    mode: 0,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: 0,
    mtimeNsec: 0,
    linkName: undefined,
    major: 0,
    minor: 0,
    xattrs: undefined,
  };
}

const nameBytes = 100;
const prefixBytes = 155;
const maxId = 0o7777777;
const maxLong = 0o77777777777;

/** Appends headers to growing memory; `take` hands out what has been written so far. */
export interface HeaderEncoder {
  add(header: CanonicalHeader): void;
  /** Raw bytes behind the last header, padded to a block. */
  addContent(content: Uint8Array): void;
  /** Everything added since the last call. The bytes are the caller's. */
  take(): Uint8Array;
  /** Says that nobody reads any more what was taken: its memory is used again. */
  reuse(): void;
  /** Bytes added so far in all. */
  readonly total: number;
}

/** `slabBytes`: what is allocated at once. With room for all that is added between two calls of `reuse`, it is allocated once. */
export function headerEncoder(slabBytes = 256 * 1024): HeaderEncoder {
  let slab = Buffer.alloc(slabBytes);
  let start = 0;
  let end = 0;
  let total = 0;

  // Returns where `bytes` zero bytes begin in `slab`.
  const reserve = (bytes: number): number => {
    if (end + bytes > slab.length) {
      const pending = slab.subarray(start, end);
      slab = Buffer.alloc(Math.max(slabBytes, 2 * pending.length + bytes));
      slab.set(pending);
      start = 0;
      end = pending.length;
    }
    const at = end;
    end += bytes;
    total += bytes;
    return at;
  };

  return {
    add(header) {
      const records = paxRecords(header);
      if (records !== "") {
        const at = reserve(blockBytes + padded(records.length));
        paxTemplate.copy(slab, at);
        writeChecksum(slab, at, paxTemplateSum + writeOctal(slab, at + field.size, 11, records.length));
        writeText(slab, at + blockBytes, records, 0, records.length);
      }
      const at = reserve(blockBytes);
      writeBlock(slab, at, header);
    },
    addContent(content) {
      const at = reserve(padded(content.length));
      slab.set(content, at);
    },
    take() {
      const taken = slab.subarray(start, end);
      start = end;
      return taken;
    },
    reuse() {
      if (start < end) return;
      slab.fill(0, 0, end);
      start = 0;
      end = 0;
    },
    get total() {
      return total;
    },
  };
}

/** Length rounded up to whole blocks. */
export function padded(sizeBytes: number): number {
  return Math.ceil(sizeBytes / blockBytes) * blockBytes;
}

/** Where `name` is cut: the prefix is everything before this index, 0 is no prefix, -1 that it does not fit. */
function splitAt(name: string): number {
  if (name.length <= nameBytes) return 0;
  // A directory's own "/" cannot be the split: `name` would be empty.
  const slash = name.lastIndexOf("/", Math.min(prefixBytes, name.length - 2));
  return slash > 0 && name.length - slash - 1 <= nameBytes ? slash : -1;
}

function paxRecords(header: CanonicalHeader): string {
  const { name, linkName, uid, gid, size, mtime, mtimeNsec, xattrs } = header;
  let records = "";
  // Sorted by key: upper case, then gid, linkpath, mtime, path, size, uid.
  if (xattrs !== undefined) {
    for (const key of Object.keys(xattrs).sort()) records += encodePaxRecord(xattrKeyPrefix + key, xattrs[key] ?? "");
  }
  if (gid > maxId) records += encodePaxRecord("gid", String(gid));
  if (linkName !== undefined && linkName.length > nameBytes) records += encodePaxRecord("linkpath", linkName);
  if (mtimeNsec !== 0 || mtime < 0 || mtime > maxLong) records += encodePaxRecord("mtime", paxTime(mtime, mtimeNsec));
  if (splitAt(name) < 0) records += encodePaxRecord("path", name);
  if (size > maxLong) records += encodePaxRecord("size", String(size));
  if (uid > maxId) records += encodePaxRecord("uid", String(uid));
  return records;
}

function paxTime(mtime: number, mtimeNsec: number): string {
  if (mtimeNsec === 0) return String(mtime);
  const negative = mtime < 0;
  const seconds = negative ? -(mtime + 1) : mtime;
  const nanoseconds = negative ? 1e9 - mtimeNsec : mtimeNsec;
  const decimals = String(nanoseconds).padStart(9, "0").replace(/0+$/, "");
  return `${negative ? "-" : ""}${seconds}.${decimals}`;
}

// Offsets of the ustar header (POSIX pax, "ustar Interchange Format").
const field = {
  name: 0,
  mode: 100,
  uid: 108,
  gid: 116,
  size: 124,
  mtime: 136,
  checksum: 148,
  type: 156,
  linkName: 157,
  magic: 257,
  major: 329,
  minor: 337,
  prefix: 345,
} as const;

/** `block` holds zeros from `at` on. Answers the sum of the bytes written, without the checksum. */
function writeBlock(block: Buffer, at: number, header: CanonicalHeader, type: TypeFlag | "x" = header.type): number {
  const split = splitAt(header.name);
  let sum = writeText(block, at + field.name, header.name, split <= 0 ? 0 : split + 1, nameBytes);
  if (split > 0) sum += writeText(block, at + field.prefix, header.name, 0, split);
  sum += writeOctal(block, at + field.mode, 7, header.mode & 0o7777);
  sum += writeOctal(block, at + field.uid, 7, header.uid > maxId ? 0 : header.uid);
  sum += writeOctal(block, at + field.gid, 7, header.gid > maxId ? 0 : header.gid);
  sum += writeOctal(block, at + field.size, 11, header.size > maxLong ? 0 : header.size);
  sum += writeOctal(block, at + field.mtime, 11, header.mtime < 0 || header.mtime > maxLong ? 0 : header.mtime);
  sum += writeText(block, at + field.type, type, 0, 1);
  if (header.linkName !== undefined) sum += writeText(block, at + field.linkName, header.linkName, 0, nameBytes);
  sum += writeText(block, at + field.magic, magic, 0, magic.length);
  sum += writeOctal(block, at + field.major, 7, header.major);
  sum += writeOctal(block, at + field.minor, 7, header.minor);
  writeChecksum(block, at, sum);
  return sum;
}

/** Up to `most` bytes of a byte string from an index on; answers their sum. For texts this short a call of write() costs more than the bytes. */
function writeText(block: Buffer, at: number, text: string, from: number, most: number): number {
  const end = Math.min(text.length, from + most);
  let sum = 0;
  for (let i = from; i < end; i++) {
    const byte = text.charCodeAt(i);
    block[at + i - from] = byte;
    sum += byte;
  }
  return sum;
}

/** `sum` is that of all other bytes; the field itself counts as spaces. */
function writeChecksum(block: Buffer, at: number, sum: number): void {
  writeOctal(block, at + field.checksum, 6, sum + 8 * 0x20);
  block[at + field.checksum + 6] = 0;
  block[at + field.checksum + 7] = 0x20;
}

/** Answers the sum of the digits' bytes. */
function writeOctal(block: Buffer, at: number, digits: number, value: number): number {
  let rest = value;
  let sum = digits * 0x30;
  let i = at + digits - 1;
  // Shifts work on 32 bits; sizes and times have more.
  for (; rest > 0x7fffffff; i--) {
    const next = Math.floor(rest / 8);
    const digit = rest - next * 8;
    block[i] = 0x30 + digit;
    sum += digit;
    rest = next;
  }
  for (; i >= at; i--) {
    block[i] = 0x30 + (rest & 7);
    sum += rest & 7;
    rest >>= 3;
  }
  return sum;
}

/** With the version behind it. */
const magic = "ustar\x0000";

const paxTemplate = Buffer.alloc(blockBytes);
/** Without its checksum and the eleven "0" of its size. */
const paxTemplateSum = writeBlock(paxTemplate, 0, { ...emptyFile("PaxHeader" as ByteString), mode: 0o644 }, "x") - 11 * 0x30;
