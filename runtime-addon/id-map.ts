import { constants as access, accessSync, readFileSync } from "node:fs";
import { constants, userInfo } from "node:os";

/** `count` ids from `inside` on stand for those from `outside` on. */
export interface IdRange {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

/** Which ids of the machine a user namespace of this user may hold. Id 0 inside is always the user itself. */
export type IdMap =
  | {
      readonly kind: "ranges";
      readonly uid: readonly IdRange[];
      readonly gid: readonly IdRange[];
      readonly writers: IdMapWriters | undefined;
    }
  | { readonly kind: "single"; readonly uid: readonly IdRange[]; readonly gid: readonly IdRange[]; readonly reason: string };

/** Absolute paths of the set-uid programs of shadow-utils; undefined for root, which writes maps itself. */
export interface IdMapWriters {
  readonly newuidmap: string;
  readonly newgidmap: string;
}

export interface IdMapInputs {
  readonly uid: number;
  readonly gid: number;
  /** Undefined for an id without an entry in the user database. */
  readonly user: string | undefined;
  /** Texts of /etc/subuid and /etc/subgid; empty where missing. */
  readonly subuid: string;
  readonly subgid: string;
  readonly writers: IdMapWriters | undefined;
  /** The ids that exist for this process: its own user namespace's. */
  readonly ownUids: readonly IdRange[];
  readonly ownGids: readonly IdRange[];
  /** It may write maps of any of them (CAP_SETUID and CAP_SETGID). */
  readonly mayMap: boolean;
  /** Set-uid programs gain nothing in this process (prctl(2), PR_SET_NO_NEW_PRIVS). */
  readonly noNewPrivileges: boolean;
}

/**
 * Decides on the map: of root all ids that it has itself, as they are; else the sub-id ranges after the own id; or the own id alone with the
 * reason in a sentence.
 */
export function planIdMap(inputs: IdMapInputs): IdMap {
  const { uid, gid, user, writers } = inputs;
  const owner = user ?? String(uid);
  const uidRanges = subordinateRanges(inputs.subuid, { user, uid, ownId: uid });
  const gidRanges = subordinateRanges(inputs.subgid, { user, uid, ownId: gid });
  const single = (reason: string): IdMap => ({ kind: "single", uid: [own(uid)], gid: [own(gid)], reason });
  if (uid === 0) return rootMap(inputs, single);
  if (uidRanges.length === 0) return single(`/etc/subuid has no range for ${owner}`);
  if (gidRanges.length === 0) return single(`/etc/subgid has no range for ${owner}`);
  if (writers === undefined) return single("newuidmap and newgidmap (package uidmap) are not installed");
  if (inputs.noNewPrivileges) return single("newuidmap gains no privilege here: no_new_privs is set");
  return {
    kind: "ranges",
    uid: [own(uid), ...placed(uidRanges)],
    gid: [own(gid), ...placed(gidRanges)],
    writers,
  };
}

/** Root of a container, say, that may make no namespaces as it is. */
function rootMap({ ownUids, ownGids, mayMap }: IdMapInputs, single: (reason: string) => IdMap): IdMap {
  const count = (ranges: readonly IdRange[]) => ranges.reduce((sum, range) => sum + range.count, 0);
  if (count(ownUids) <= 1 || count(ownGids) <= 1) return single("this user namespace has one id");
  if (!mayMap) return single("root lacks CAP_SETUID and CAP_SETGID here");
  const same = ({ inside, count }: IdRange): IdRange => ({ inside, outside: inside, count });
  return { kind: "ranges", uid: ownUids.map(same), gid: ownGids.map(same), writers: undefined };
}

/** The map that this machine grants to this process's user. */
export function readIdMap(): IdMap {
  return planIdMap(readIdMapInputs());
}

export function readIdMapInputs(): IdMapInputs {
  const status = textOf("/proc/self/status");
  return {
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    user: userName(),
    subuid: textOf("/etc/subuid"),
    subgid: textOf("/etc/subgid"),
    writers: findWriters(),
    ownUids: parseIdMap(textOf("/proc/self/uid_map")),
    ownGids: parseIdMap(textOf("/proc/self/gid_map")),
    mayMap: has(status, CAP_SETGID) && has(status, CAP_SETUID),
    noNewPrivileges: /^NoNewPrivs:\t1$/m.test(status),
  };
}

// linux/capability.h.
const CAP_SETGID = 6n;
const CAP_SETUID = 7n;

/** Of the text of /proc/PID/status. */
function has(status: string, capability: bigint): boolean {
  const effective = /^CapEff:\t([0-9a-f]+)$/m.exec(status)?.[1] ?? "0";
  return ((BigInt(`0x${effective}`) >> capability) & 1n) === 1n;
}

/** Lines of /proc/PID/uid_map or gid_map. */
export function parseIdMap(text: string): IdRange[] {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [inside = 0, outside = 0, count = 0] = line.trim().split(/\s+/).map(Number);
      return { inside, outside, count };
    });
}

const MAX_ID = 0xffffffff;

interface SubordinateOwner {
  readonly user: string | undefined;
  readonly uid: number;
  /** The user or group id that is mapped by itself. */
  readonly ownId: number;
}

/**
 * subuid(5): `name-or-uid:first:count`; several lines of one owner add up. Lines of another form are nobody's, and the kernel refuses
 * ranges that overlap each other or the own id.
 */
function subordinateRanges(text: string, { user, uid, ownId }: SubordinateOwner): { first: number; count: number }[] {
  const ranges: { first: number; count: number }[] = [];
  for (const line of text.split("\n")) {
    const [, owner, first, count] = /^([^:#]+):(\d+):(\d+)\s*$/.exec(line) ?? [];
    if (owner === undefined || (owner !== user && owner !== String(uid))) continue;
    const range = { first: Number(first), count: Number(count) };
    const overlaps = [{ first: ownId, count: 1 }, ...ranges].some(
      (other) => range.first < other.first + other.count && other.first < range.first + range.count,
    );
    if (range.count > 0 && range.first + range.count <= MAX_ID && !overlaps) ranges.push(range);
  }
  return ranges;
}

/** One after the other, from id 1 on. */
function placed(ranges: readonly { first: number; count: number }[]): IdRange[] {
  let inside = 1;
  return ranges.map(({ first, count }) => {
    const range = { inside, outside: first, count };
    inside += count;
    return range;
  });
}

function own(id: number): IdRange {
  return { inside: 0, outside: id, count: 1 };
}

/** Undefined for an id without an entry in the user database, which is usual in containers; what else keeps it from being read is thrown. */
export function userName(read: () => { readonly username: string } = userInfo): string | undefined {
  try {
    return read().username;
  } catch (error) {
    // Node calls it ERR_SYSTEM_ERROR, whatever went wrong.
    if (error instanceof Error && "errno" in error && error.errno === -constants.errno.ENOENT) return undefined;
    throw error;
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Missing or unreadable: it grants nothing either way.
    return "";
  }
}

/** Fixed places only: PATH is the caller's to set, and these run with root's rights. */
function findWriters(): IdMapWriters | undefined {
  for (const directory of ["/usr/bin", "/bin", "/usr/sbin", "/usr/local/bin"]) {
    const writers = { newuidmap: `${directory}/newuidmap`, newgidmap: `${directory}/newgidmap` };
    try {
      accessSync(writers.newuidmap, access.X_OK);
      accessSync(writers.newgidmap, access.X_OK);
      return writers;
    } catch {
      // Not here: the next place.
    }
  }
  return undefined;
}
