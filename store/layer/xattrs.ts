import type { ByteString } from "../../runtime-addon/index.ts";
import { namesOthers } from "./posix-acl.ts";

/** Extended attributes by name; absent when there are none. */
export type Xattrs = Readonly<Record<string, ByteString>>;

const overlay = /^(?:user|trusted)\.overlay\./;

/** Overlay's own marks: they describe one mount's upper directory and would act as removals if a layer carried them. */
export function isOverlayXattr(name: string): boolean {
  return overlay.test(name);
}

const portable = /^user\.|^security\.capability$|^system\.posix_acl_(?:access|default)$/;

/**
 * The attributes that mean the same on every machine: user.*, file capabilities and POSIX ACLs. Labels of the host's security modules, trusted.*
 * (readable only by some) and overlay's marks are left out; capabilities are in their version 2 form. Undefined when nothing is left.
 */
export function portableXattrs(xattrs: Xattrs | undefined): Xattrs | undefined {
  if (xattrs === undefined) return undefined;
  return select(xattrs, (name) => portable.test(name) && !isOverlayXattr(name));
}

const accessControlList = /^system\.posix_acl_/;

/** portableXattrs where everything belongs to one id: ACLs that name others than root are left out, as owners are. */
export function singleIdXattrs(xattrs: Xattrs | undefined): Xattrs | undefined {
  const all = portableXattrs(xattrs);
  return all === undefined ? undefined : select(all, (name) => !namesOthersIn(all, name));
}

/** What a file has in such a place, with the ACLs that it was made without: nobody took them away. `made`: of the file as its layer has it. */
export function withLeftAcls(xattrs: Xattrs | undefined, made: Xattrs | undefined): Xattrs | undefined {
  const all = portableXattrs(made);
  const left = all === undefined ? undefined : select(all, (name) => namesOthersIn(all, name));
  return left === undefined ? xattrs : { ...left, ...xattrs };
}

function namesOthersIn(xattrs: Xattrs, name: string): boolean {
  const value = xattrs[name];
  return value !== undefined && accessControlList.test(name) && namesOthers(value);
}

/** The attributes without overlay's marks, capabilities in their version 2 form. Undefined when nothing is left. */
export function layerXattrs(xattrs: Xattrs | undefined): Xattrs | undefined {
  if (xattrs === undefined) return undefined;
  return select(xattrs, (name) => !isOverlayXattr(name));
}

function select(xattrs: Xattrs, keep: (name: string) => boolean): Xattrs | undefined {
  const kept: Record<string, ByteString> = {};
  let count = 0;
  for (const name of Object.keys(xattrs).sort()) {
    const value = xattrs[name];
    if (value === undefined || !keep(name)) continue;
    kept[name] = name === "security.capability" ? version2Capability(value) : value;
    count++;
  }
  return count === 0 ? undefined : kept;
}

// struct vfs_ns_cap_data (linux/capability.h): magic_etc, two pairs of words, then rootid in version 3 only; little endian.
const version2Bytes = 20;
const version3Bytes = 24;

/** A version 3 file capability names the user namespace's root it was made for; version 2 holds for whoever unpacks the layer. */
function version2Capability(value: ByteString): ByteString {
  const version = value.charCodeAt(3);
  if (value.length !== version3Bytes || version !== 3) return value;
  return `${value.slice(0, 3)}\x02${value.slice(4, version2Bytes)}` as ByteString;
}

export function sameXattrs(a: Xattrs | undefined, b: Xattrs | undefined): boolean {
  const names = a === undefined ? [] : Object.keys(a);
  if (names.length !== (b === undefined ? 0 : Object.keys(b).length)) return false;
  return names.every((name) => a?.[name] === b?.[name]);
}
