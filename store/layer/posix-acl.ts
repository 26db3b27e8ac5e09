import { type ByteString, bufferOf } from "../../runtime-addon/index.ts";

// struct posix_acl_xattr_header and _entry (linux/posix_acl_xattr.h), little endian: version, then tag, permissions and id of each entry.
const version = 2;
const headerBytes = 4;
const entryBytes = 8;
const tags = { owner: 0x01, user: 0x02, ownGroup: 0x04, group: 0x08, mask: 0x10, other: 0x20 } as const;

interface AclEntry {
  readonly tag: number;
  readonly permissions: number;
  /** Of "user" and "group" only. */
  readonly id: number | undefined;
}

/**
 * What a file has of an access ACL once its mode was set behind it, as a text to compare: the mode overwrites the entries of owner, mask (without one: the own group) and others, and where it
 * says all, nothing is left (acl(5)). Undefined then, and for no ACL; what is none is its own bytes.
 */
export function accessAclText(value: ByteString | undefined, mode: number): string | undefined {
  const entries = entriesOf(value);
  if (entries === undefined) return value;
  if (entries.every(({ tag }) => tag === tags.owner || tag === tags.ownGroup || tag === tags.other)) return undefined;
  const group = entries.some(({ tag }) => tag === tags.mask) ? tags.mask : tags.ownGroup;
  const shifts: Readonly<Record<number, number>> = { [tags.owner]: 6, [group]: 3, [tags.other]: 0 };
  return textOf(
    entries.map((entry) => {
      const shift = shifts[entry.tag];
      return shift === undefined ? entry : { ...entry, permissions: (mode >> shift) & 7 };
    }),
  );
}

/** The same of a directory's ACL for what is made in it, which no mode changes. */
export function defaultAclText(value: ByteString | undefined): string | undefined {
  const entries = entriesOf(value);
  if (entries === undefined) return value;
  return entries.length === 0 ? undefined : textOf(entries);
}

/** Whether an ACL names users or groups besides root, whom a user namespace with one id does not have (user_namespaces(7)). */
export function namesOthers(value: ByteString): boolean {
  return entriesOf(value)?.some(({ id }) => id !== undefined && id !== 0) === true;
}

function textOf(entries: readonly AclEntry[]): string {
  return entries.map(({ tag, permissions, id }) => `${tag}:${id ?? ""}:${permissions}`).join(",");
}

/** Undefined for what is no ACL. */
function entriesOf(value: ByteString | undefined): readonly AclEntry[] | undefined {
  const bytes = bufferOf(value ?? ("" as ByteString));
  if (bytes.length < headerBytes || (bytes.length - headerBytes) % entryBytes !== 0 || bytes.readUInt32LE(0) !== version) return undefined;
  const entries: AclEntry[] = [];
  for (let at = headerBytes; at < bytes.length; at += entryBytes) {
    const tag = bytes.readUInt16LE(at);
    const id = tag === tags.user || tag === tags.group ? bytes.readUInt32LE(at + 4) : undefined;
    entries.push({ tag, permissions: bytes.readUInt16LE(at + 2), id });
  }
  return entries;
}
