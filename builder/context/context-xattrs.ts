import { portableXattrs, type Xattrs } from "../../store/layer/xattrs.ts";

const accessControlList = /^system\.posix_acl_/;

/**
 * The attributes of a context's file that belong into an image: user.* and file capabilities. POSIX ACLs do not: they name the machine's users, as owners do, and all that comes
 * from a context is root's. Undefined when nothing is left.
 */
export function contextXattrs(xattrs: Xattrs | undefined): Xattrs | undefined {
  const kept = Object.entries(portableXattrs(xattrs) ?? {}).filter(([name]) => !accessControlList.test(name));
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}
