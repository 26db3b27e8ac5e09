import { bytesOf } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../../store/errors.ts";
import type { Rootfs } from "../../store/layer/rootfs.ts";

/** Who a process is. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
  readonly home: string;
}

interface PasswdRow {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupRow {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

const fileLimitBytes = 4 << 20;
const maxId = 0xffff_fffe;

/**
 * Who `USER text` means in this root file system. A bare uid takes its group from passwd, else 0; a name takes all its groups;
 * `user:group` has that group only. Throws UNKNOWN_USER and UNKNOWN_GROUP.
 */
export async function resolveUser(rootfs: Rootfs, text: string): Promise<Identity> {
  const [user, group] = split(text);
  const users = await readPasswd(rootfs);
  const row = findUser(users, user, text);
  const uid = row?.uid ?? Number(user);
  if (group !== undefined) return { uid, gid: groupId(await readGroup(rootfs), group, text), groups: [], home: row?.home ?? "/" };
  const name = row?.name;
  const isName = !/^\d+$/.test(user);
  const groups =
    isName && name !== undefined ? (await readGroup(rootfs)).filter(({ members }) => members.includes(name)).map(({ gid }) => gid) : [];
  return { uid, gid: row?.gid ?? 0, groups, home: row?.home ?? "/" };
}

/** Who `--chown=text` means: like resolveUser, but a bare uid is its own group. */
export async function resolveOwner(rootfs: Rootfs, text: string): Promise<{ uid: number; gid: number }> {
  const [user, group] = split(text);
  const isNumber = /^\d+$/.test(user);
  const row = isNumber ? undefined : findUser(await readPasswd(rootfs), user, text);
  const uid = row?.uid ?? id(user, text);
  if (group === undefined) return { uid, gid: row?.gid ?? uid };
  return { uid, gid: /^\d+$/.test(group) ? id(group, text) : groupId(await readGroup(rootfs), group, text) };
}

function split(text: string): readonly [user: string, group: string | undefined] {
  const at = text.indexOf(":");
  const user = at < 0 ? text : text.slice(0, at);
  const group = at < 0 ? undefined : text.slice(at + 1);
  return [user === "" ? "0" : user, group === "" ? undefined : group];
}

function findUser(users: readonly PasswdRow[], user: string, text: string): PasswdRow | undefined {
  const byName = users.find(({ name }) => name === user);
  if (byName !== undefined) return byName;
  if (/^\d+$/.test(user)) {
    const uid = id(user, text);
    return users.find((row) => row.uid === uid);
  }
  throw new TsbuildError("UNKNOWN_USER", `looking for the user "${user}": the image's /etc/passwd has no such name`, {
    hint: `add it in a RUN before (useradd, adduser), or use a number`,
  });
}

function groupId(groups: readonly GroupRow[], group: string, text: string): number {
  const row = groups.find(({ name }) => name === group);
  if (row !== undefined) return row.gid;
  if (/^\d+$/.test(group)) return id(group, text);
  throw new TsbuildError("UNKNOWN_GROUP", `looking for the group "${group}": the image's /etc/group has no such name`, {
    hint: "add it in a RUN before (groupadd, addgroup), or use a number",
  });
}

function id(text: string, whole: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > maxId) {
    throw new TsbuildError("INVALID_USER", `reading the user "${whole}": ${text} is not an id from 0 to ${maxId}`);
  }
  return value;
}

async function readPasswd(rootfs: Rootfs): Promise<readonly PasswdRow[]> {
  const rows = await readRows(rootfs, "etc/passwd");
  return rows
    .map(([name = "", , uid, gid, , home]) => ({ name, uid: Number(uid), gid: Number(gid), home: home || "/" }))
    .filter(hasNumbers);
}

async function readGroup(rootfs: Rootfs): Promise<readonly GroupRow[]> {
  const rows = await readRows(rootfs, "etc/group");
  return rows.map(([name = "", , gid, members = ""]) => ({ name, gid: Number(gid), members: members.split(",") })).filter(hasNumbers);
}

function hasNumbers(row: { readonly uid?: number; readonly gid: number }): boolean {
  return Number.isInteger(row.gid) && (row.uid === undefined || Number.isInteger(row.uid));
}

async function readRows(rootfs: Rootfs, path: string): Promise<readonly (readonly string[])[]> {
  const { entry, path: found } = rootfs.resolve(bytesOf(path), { followLast: true });
  if (entry?.kind !== "file") return [];
  const text = (await rootfs.read(found, { limit: fileLimitBytes })).toString("utf8");
  return text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(":"));
}
