import { type Attributes, type ByteString, bytesOf } from "../../../runtime-addon/index.ts";
import type { DirectoryEntry, SourceEntry } from "../../../store/layer/entry.ts";

/** Entries for tests, with attributes that are all the same unless said otherwise. */

export const attributes: Attributes = { mode: 0o644, uid: 0, gid: 0, mtime: 1_000_000_000, mtimeNsec: 0 };

export function fileEntry(path: string, content = "", owned: Partial<Attributes> = {}): SourceEntry {
  const bytes = Buffer.from(content, "latin1");
  return { kind: "file", path: bytesOf(path), ...attributes, ...owned, size: bytes.length, content: { at: "bytes", bytes } };
}

export function directoryEntry(path: string, owned: Partial<Attributes> = {}): DirectoryEntry {
  return { kind: "directory", path: bytesOf(path), ...attributes, mode: 0o755, ...owned };
}

export function symlinkEntry(path: string, target: string, owned: Partial<Attributes> = {}): SourceEntry {
  return { kind: "symlink", path: bytesOf(path), ...attributes, mode: 0o777, ...owned, target: bytesOf(target) };
}

export function hardlinkEntry(path: string, target: string, owned: Partial<Attributes> = {}): SourceEntry {
  return { kind: "hardlink", path: bytesOf(path), ...attributes, ...owned, target: bytesOf(target) };
}

export const whiteout = (path: string): SourceEntry => ({ kind: "whiteout", path: bytesOf(path) });
export const opaque = (path: string): SourceEntry => ({ kind: "opaque", path: bytesOf(path) });

/** A header of a foreign tar, checksum included. */
export interface RawHeader {
  readonly name?: string;
  readonly type?: string;
  readonly size?: number;
  readonly linkName?: string;
  readonly mode?: string;
  readonly uid?: string;
  readonly gid?: string;
  readonly sizeField?: string;
  readonly mtime?: string;
  readonly major?: string;
  readonly minor?: string;
  readonly magic?: string;
  readonly prefix?: string;
  readonly checksum?: string;
}

/** A header and its content as bytes, exactly as told: for archives that no proper tool would write. */
export function raw(header: RawHeader, content: string | Uint8Array = ""): Buffer {
  const body = Buffer.from(content as string, "latin1");
  const block = Buffer.alloc(512);
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, "0")}\0`;
  block.write(header.name ?? "file", 0, 100, "latin1");
  block.write(header.mode ?? octal(0o644, 7), 100, "latin1");
  block.write(header.uid ?? octal(0, 7), 108, "latin1");
  block.write(header.gid ?? octal(0, 7), 116, "latin1");
  block.write(header.sizeField ?? octal(header.size ?? body.length, 11), 124, "latin1");
  block.write(header.mtime ?? octal(0, 11), 136, "latin1");
  block.write(header.type ?? "0", 156, "latin1");
  block.write(header.linkName ?? "", 157, 100, "latin1");
  block.write(header.magic ?? "ustar\x0000", 257, "latin1");
  block.write(header.major ?? octal(0, 7), 329, "latin1");
  block.write(header.minor ?? octal(0, 7), 337, "latin1");
  block.write(header.prefix ?? "", 345, 155, "latin1");
  block.write("        ", 148, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(header.checksum ?? `${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return Buffer.concat([block, body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

/** A PAX header with these records. */
export function pax(records: Readonly<Record<string, string>>, type: "x" | "g" = "x"): Buffer {
  return raw(
    { name: "PaxHeader", type },
    Object.entries(records)
      .map(([key, value]) => record(key, value))
      .join(""),
  );
}

function record(key: string, value: string): string {
  const rest = key.length + value.length + 3;
  let length = rest + 1;
  while (String(length).length + rest !== length) length++;
  return `${length} ${key}=${value}\n`;
}

export const trailer = Buffer.alloc(1024);

/** The bytes as a stream of chunks of this size. */
export async function* chunked(bytes: Uint8Array, size = 65536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** The value of an ACL's attribute, each entry "tag permissions id" with the numbers of linux/posix_acl.h. */
export function aclOf(...entries: readonly (readonly [tag: number, permissions: number, id?: number])[]): ByteString {
  const list = entries.map(([tag, permissions, id = 0xffffffff]) => {
    const entry = Buffer.alloc(8);
    entry.writeUInt16LE(tag, 0);
    entry.writeUInt16LE(permissions, 2);
    entry.writeUInt32LE(id, 4);
    return entry;
  });
  return Buffer.concat([Buffer.from([2, 0, 0, 0]), ...list]).toString("latin1") as ByteString;
}
