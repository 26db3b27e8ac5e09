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
 * Who `USER text` means in this root file system; "" is root. A number is an id, never a name. Without a group it is the one that passwd
 * gives, else 0, and the groups that list the user's name are supplementary; with one there are no others. Throws UNKNOWN_USER and UNKNOWN_GROUP.
 */
export async function resolveUser(rootfs: Rootfs, text: string): Promise<Identity> {
  const [user, group] = split(text);
  const row = findUser(await readPasswd(rootfs), user);
  const uid = row?.uid ?? numberOf(user, text) ?? unknownUser(rootfs, user);
  const home = row?.home ?? "/";
  if (group !== undefined) return { uid, gid: await groupOf(rootfs, group, text), groups: [], home };
  const groups =
    row === undefined ? [] : (await readGroup(rootfs)).filter(({ members }) => members.includes(row.name)).map(({ gid }) => gid);
  return { uid, gid: row?.gid ?? 0, groups, home };
}

/** Who `--chown=text` means: like resolveUser, but a bare uid is its own group. */
export async function resolveOwner(rootfs: Rootfs, text: string): Promise<{ uid: number; gid: number }> {
  const [user, group] = split(text);
  const given = numberOf(user, text);
  const row = given === undefined ? (findUser(await readPasswd(rootfs), user) ?? unknownUser(rootfs, user)) : { uid: given, gid: given };
  return { uid: row.uid, gid: group === undefined ? row.gid : await groupOf(rootfs, group, text) };
}

function split(text: string): readonly [user: string, group: string | undefined] {
  const at = text.indexOf(":");
  const user = at < 0 ? text : text.slice(0, at);
  const group = at < 0 ? undefined : text.slice(at + 1);
  return [user === "" ? "0" : user, group === "" ? undefined : group];
}

function findUser(users: readonly PasswdRow[], user: string): PasswdRow | undefined {
  return /^\d+$/.test(user) ? users.find(({ uid }) => uid === Number(user)) : users.find(({ name }) => name === user);
}

function unknownUser(rootfs: Rootfs, user: string): never {
  throw new TsbuildError("UNKNOWN_USER", `looking for the user "${user}": the image's /etc/passwd has no such name`, {
    hint: hintFor(rootfs, "/etc/passwd", "useradd, adduser"),
  });
}

/** In a stage FROM scratch there is nothing to add a name to, nor to do it with. */
function hintFor(rootfs: Rootfs, file: string, commands: string): string {
  return rootfs.resolve(bytesOf(file.slice(1)), { followLast: true }).entry === undefined
    ? `this stage has no ${file}: use a number`
    : `add it in a RUN before (${commands}), or use a number`;
}

async function groupOf(rootfs: Rootfs, group: string, text: string): Promise<number> {
  const given = numberOf(group, text);
  if (given !== undefined) return given;
  const row = (await readGroup(rootfs)).find(({ name }) => name === group);
  if (row !== undefined) return row.gid;
  throw new TsbuildError("UNKNOWN_GROUP", `looking for the group "${group}": the image's /etc/group has no such name`, {
    hint: hintFor(rootfs, "/etc/group", "groupadd, addgroup"),
  });
}

/** The id that a number is; undefined for a name. */
function numberOf(text: string, whole: string): number | undefined {
  if (!/^\d+$/.test(text)) return undefined;
  const value = Number(text);
  if (value <= maxId) return value;
  throw new TsbuildError("INVALID_USER", `reading the user "${whole}": ${text} is not an id from 0 to ${maxId}`);
}

async function readPasswd(rootfs: Rootfs): Promise<readonly PasswdRow[]> {
  const rows = await readRows(rootfs, "etc/passwd");
  return rows
    .map(([name = "", , uid, gid, , home]) => ({ name, uid: idOf(uid), gid: idOf(gid), home: home || "/" }))
    .filter(({ uid, gid }) => uid <= maxId && gid <= maxId);
}

async function readGroup(rootfs: Rootfs): Promise<readonly GroupRow[]> {
  const rows = await readRows(rootfs, "etc/group");
  return rows
    .map(([name = "", , gid, members = ""]) => ({ name, gid: idOf(gid), members: members.split(",") }))
    .filter(({ gid }) => gid <= maxId);
}

/** NaN for what is no id: an empty field must not become root. */
function idOf(field = ""): number {
  return /^\d+$/.test(field) ? Number(field) : Number.NaN;
}

async function readRows(rootfs: Rootfs, path: string): Promise<readonly (readonly string[])[]> {
  const { entry, path: found } = rootfs.resolve(bytesOf(path), { followLast: true });
  if (entry?.kind !== "file") return [];
  const text = (await rootfs.read(found, { limit: fileLimitBytes })).toString("utf8");
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(":"));
}
