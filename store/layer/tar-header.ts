import { type ByteString, bytesFrom } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../errors.ts";
import { quotePath } from "./entry-path.ts";
import { xattrKeyPrefix } from "./pax.ts";
import { type SparseHeader, sparseHeader } from "./sparse-map.ts";

/** A header as it was read, before anything is made of it. */
export interface TarHeader {
  /** The type flag's char; NUL is read as "0". */
  readonly type: string;
  readonly name: ByteString;
  readonly linkName: ByteString;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of the content. */
  readonly size: number;
  /** Its content stands in pieces, with holes between them; `size` counts the holes too. */
  readonly isSparse: boolean;
  readonly mtime: number;
  readonly mtimeNsec: number;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: Readonly<Record<string, ByteString>> | undefined;
}

/** What headers before this one said about it: PAX records and GNU's long names. */
export interface Overrides {
  readonly pax: ReadonlyMap<string, ByteString>;
  readonly longName?: ByteString;
  readonly longLink?: ByteString;
}

/** Whether the header carries its own checksum: of unsigned bytes, or of signed ones as some old writers have it. */
export function checksumHolds(block: Buffer): boolean {
  let unsigned = 8 * 0x20;
  let signed = unsigned;
  for (let i = 0; i < 512; i++) {
    if (i >= 148 && i < 156) continue;
    const byte = block[i] ?? 0;
    unsigned += byte;
    signed += byte < 0x80 ? byte : byte - 0x100;
  }
  const stated = octal(block, 148, 8);
  return stated === unsigned || stated === signed;
}

/** A header, and what stands behind it of a sparse file. */
export interface DecodedHeader {
  readonly header: TarHeader;
  /** Bytes that follow the header; of a sparse file those that are there. */
  readonly storedBytes: number;
  readonly sparse: SparseHeader | undefined;
}

/** Throws INVALID_TAR for numbers and times that are none, and as sparseHeader. `where` begins the message. */
export function decodeHeader(block: Buffer, overrides: Overrides, where: string): DecodedHeader {
  const { pax } = overrides;
  const flag = String.fromCharCode(block[156] ?? 0);
  const type = flag === "\0" || flag === "7" || flag === "S" ? "0" : flag;
  const number = (what: string, offset: number, length: number): number => numberField(block, what, offset, length, where);
  const override = (what: string, field: number): number => {
    const text = pax.get(what);
    if (text === undefined || text === "") return field;
    const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(value))
      throw new TsbuildError("INVALID_TAR", `${where}: the ${what} ${quotePath(text.slice(0, 40))} is not a number`);
    return value;
  };

  const name = pax.get("GNU.sparse.name") || pax.get("path") || overrides.longName || ustarName(block);
  const linkName = pax.get("linkpath") || overrides.longLink || cString(block, 157, 100);
  const fieldTime = pax.get("mtime") ? 0 : number("mtime", 136, 12);
  const [mtime, mtimeNsec] = paxTime(pax.get("mtime"), where) ?? [fieldTime, 0];
  const device = type === "3" || type === "4";
  const sparse = type === "0" ? sparseHeader(block, pax, (...field) => sparseNumber(...field, where), where) : undefined;
  const storedBytes = checkSize(override("size", pax.get("size") ? 0 : number("size", 124, 12)), where);
  const header: TarHeader = {
    type,
    name,
    linkName,
    mode: number("mode", 100, 8) & 0o7777,
    uid: checkId(override("uid", pax.get("uid") ? 0 : number("uid", 108, 8)), where),
    gid: checkId(override("gid", pax.get("gid") ? 0 : number("gid", 116, 8)), where),
    size: sparse?.size ?? storedBytes,
    isSparse: sparse !== undefined,
    mtime,
    mtimeNsec,
    major: device ? checkDevice(number("device number", 329, 8), maxMajor, where) : 0,
    minor: device ? checkDevice(number("device number", 337, 8), maxMinor, where) : 0,
    xattrs: xattrsOf(pax, where),
  };
  return { header, storedBytes, sparse };
}

/** What the kernel's numbers of devices have room for (makedev(3), MINORBITS). */
const maxMajor = 4095;
const maxMinor = 1_048_575;

function checkDevice(value: number, max: number, where: string): number {
  if (value >= 0 && value <= max) return value;
  throw new TsbuildError("INVALID_TAR", `${where}: the device number ${value} is not within 0 and ${max}`);
}

/** A number of a sparse file's map. */
export function sparseNumber(block: Buffer, what: string, offset: number, length: number, where: string): number {
  return checkSize(numberField(block, what, offset, length, where), where);
}

/** The size in the header itself, for headers that nothing overrides. */
export function headerSize(block: Buffer, where: string): number {
  return checkSize(numberField(block, "size", 124, 12, where), where);
}

function numberField(block: Buffer, what: string, offset: number, length: number, where: string): number {
  const value = (block[offset] ?? 0) >= 0x80 ? base256(block, offset, length) : octal(block, offset, length);
  if (value === undefined) throw new TsbuildError("INVALID_TAR", `${where}: the ${what} is not a number`);
  return value;
}

// (uid_t)-1 means "no change" to chown(2).
const maxId = 0xfffffffe;

function checkId(id: number, where: string): number {
  if (id < 0 || id > maxId) throw new TsbuildError("INVALID_TAR", `${where}: the owner ${id} is not a user or group id`);
  return id;
}

function checkSize(value: number, where: string): number {
  if (value < 0) throw new TsbuildError("INVALID_TAR", `${where}: the size ${value} is negative`);
  return value;
}

function cString(block: Buffer, offset: number, length: number): ByteString {
  const end = block.indexOf(0, offset);
  return block.toString("latin1", offset, end < 0 || end > offset + length ? offset + length : end) as ByteString;
}

function ustarName(block: Buffer): ByteString {
  const name = cString(block, 0, 100);
  // GNU's magic "ustar  " has other things where POSIX has the prefix; star's archives end theirs early.
  if (block.toString("latin1", 257, 263) !== "ustar\0") return name;
  const prefix = cString(block, 345, block.toString("latin1", 508, 512) === "tar\0" ? 131 : 155);
  return prefix === "" ? name : (`${prefix}/${name}` as ByteString);
}

function octal(block: Buffer, offset: number, length: number): number | undefined {
  let at = offset;
  const end = offset + length;
  while (at < end && block[at] === 0x20) at++;
  let value = 0;
  for (; at < end; at++) {
    const byte = block[at] ?? 0;
    if (byte === 0 || byte === 0x20) break;
    if (byte < 0x30 || byte > 0x37) return undefined;
    value = value * 8 + (byte - 0x30);
  }
  return value;
}

/** GNU's form for what octal cannot hold: a big-endian two's complement number, the first byte's top bit set as a mark. */
function base256(block: Buffer, offset: number, length: number): number | undefined {
  const negative = ((block[offset] ?? 0) & 0x40) !== 0;
  let value = negative ? ((block[offset] ?? 0) & 0x7f) - 0x80 : (block[offset] ?? 0) & 0x7f;
  for (let i = offset + 1; i < offset + length; i++) value = value * 256 + (block[i] ?? 0);
  return Number.isSafeInteger(value) ? value : undefined;
}

function paxTime(text: ByteString | undefined, where: string): readonly [number, number] | undefined {
  if (text === undefined || text === "") return undefined;
  const match = /^(-?)([0-9]{1,16})(?:\.([0-9]*))?$/.exec(text);
  const seconds = Number(match?.[2]);
  if (match === null || !Number.isSafeInteger(seconds)) {
    throw new TsbuildError("INVALID_TAR", `${where}: the mtime ${quotePath(text.slice(0, 40))} is not a time`);
  }
  const nanoseconds = Number((match[3] ?? "").slice(0, 9).padEnd(9, "0"));
  if (match[1] === "") return [seconds, nanoseconds];
  return nanoseconds === 0 ? [0 - seconds, 0] : [-seconds - 1, 1e9 - nanoseconds];
}

const libarchivePrefix = "LIBARCHIVE.xattr.";
/** The name spaces that Linux has (xattr(7)); no other attribute can be set on a file. */
const linuxNamespace = /^(?:user|trusted|security|system)\../;
/** XATTR_NAME_MAX and XATTR_SIZE_MAX (linux/limits.h). */
const maxXattrName = 255;
const maxXattrValue = 65536;

function xattrsOf(pax: ReadonlyMap<string, ByteString>, where: string): Record<string, ByteString> | undefined {
  let xattrs: Record<string, ByteString> | undefined;
  if (pax.size === 0) return undefined;
  const add = (name: string, value: ByteString): void => {
    if (!linuxNamespace.test(name)) return;
    if (name.length > maxXattrName || value.length > maxXattrValue || name.includes("\0")) {
      throw new TsbuildError("INVALID_TAR", `${where}: the extended attribute ${quotePath(name.slice(0, 100))} is too long`);
    }
    xattrs ??= {};
    xattrs[name] = value;
  };
  // libarchive writes both forms; the plain one is the value itself.
  for (const [key, value] of pax) {
    if (key.startsWith(libarchivePrefix)) add(percentDecoded(key.slice(libarchivePrefix.length)), bytesFrom(Buffer.from(value, "base64")));
  }
  for (const [key, value] of pax) if (key.startsWith(xattrKeyPrefix)) add(key.slice(xattrKeyPrefix.length), value);
  return xattrs;
}

function percentDecoded(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
