import { createHash } from "node:crypto";
import type { Attributes, ByteString } from "../../runtime-addon/index.ts";
import { type Digest, digestFromBytes, digestOf, isDigest, parseDigest } from "../digest.ts";
import { TsbuildError } from "../errors.ts";
import type { TreeEntry } from "./entry.ts";
import { checkEntryPath, quotePath } from "./entry-path.ts";

/** A layer's index: everything about it but the contents themselves. */
export interface Tree {
  /** sha256 of the plain tar. */
  readonly diffId: Digest;
  readonly contentId: Digest;
  /** Bytes of the plain tar. */
  readonly size: number;
  /** In the order of a walk, so parents first (sortEntries); an "opaque" directly behind its directory. */
  readonly entries: readonly TreeEntry[];
}

const formVersion = 2;

const typeNames = {
  directory: "dir",
  file: "reg",
  symlink: "symlink",
  hardlink: "hardlink",
  char: "char",
  block: "block",
  fifo: "fifo",
  whiteout: "whiteout",
  opaque: "opaque",
} as const satisfies Record<TreeEntry["kind"], string>;

/** One entry as it is on disk: field names of the eStargz TOC; absent numbers are 0. */
interface StoredEntry {
  readonly name: ByteString;
  readonly type: (typeof typeNames)[keyof typeof typeNames];
  readonly size?: number;
  /** Seconds; the TOC's own form is a date text, which cannot say every time. */
  readonly modtime?: number;
  readonly modtimeNsec?: number;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly linkName?: ByteString;
  readonly digest?: string;
  readonly offset?: number;
  readonly devMajor?: number;
  readonly devMinor?: number;
  /** Values in base64. */
  readonly xattrs?: Readonly<Record<string, string>>;
}

/**
 * JSON, one line an entry. Names stand in it as the bytes they are: valid UTF-8 wherever the names are. The last field is the sha256 of all bytes before it: lookups believe a tree without
 * reading its layer. In chunks, each of which is good until the next is asked for.
 */
export function* encodeTree(tree: Tree): Generator<Uint8Array, void, undefined> {
  const { diffId, contentId, size, entries } = tree;
  const hash = createHash("sha256");
  let memory = Buffer.allocUnsafeSlow(2 * chunkChars);
  const chunkOf = (text: string): Uint8Array => {
    if (text.length > memory.length) memory = Buffer.allocUnsafeSlow(2 * text.length);
    return memory.subarray(0, memory.write(text, "latin1"));
  };
  const hashed = (text: string): Uint8Array => {
    const chunk = chunkOf(text);
    hash.update(chunk);
    return chunk;
  };
  let text = `${JSON.stringify({ version: formVersion, diffId, contentId, size }).slice(0, -1)},"entries":[`;
  let separator = "\n";
  for (const entry of entries) {
    text += separator + storedEntry(entry);
    separator = ",\n";
    if (text.length > chunkChars) {
      yield hashed(text);
      text = "";
    }
  }
  yield hashed(`${text}${entries.length === 0 ? "\n" : ""}\n]`);
  yield chunkOf(checksumField(digestFromBytes(hash.digest())));
}

/** What is put together at once: strings of many pieces take several times their length. */
const chunkChars = 64 * 1024;

function checksumField(digest: Digest): string {
  return `,"checksum":"${digest}"}\n`;
}

const checksumBytes = checksumField(digestOf("")).length;

/** JSON of a StoredEntry, put together by hand: for tens of thousands of entries objects made only for JSON.stringify cost more than all else. */
function storedEntry(entry: TreeEntry): string {
  let text = `{"name":${JSON.stringify(entry.path)},"type":"${typeNames[entry.kind]}"`;
  if (entry.kind === "whiteout" || entry.kind === "opaque") return `${text}}`;
  if (entry.kind === "file") text += `,"size":${entry.size}`;
  text += `,"modtime":${entry.mtime}`;
  if (entry.mtimeNsec !== 0) text += `,"modtimeNsec":${entry.mtimeNsec}`;
  text += `,"mode":${entry.mode}`;
  if (entry.uid !== 0) text += `,"uid":${entry.uid}`;
  if (entry.gid !== 0) text += `,"gid":${entry.gid}`;
  if (entry.kind === "symlink" || entry.kind === "hardlink") text += `,"linkName":${JSON.stringify(entry.target)}`;
  if (entry.kind === "file") text += `,"digest":"${entry.digest}","offset":${entry.offset}`;
  if (entry.kind === "char" || entry.kind === "block") text += `,"devMajor":${entry.major},"devMinor":${entry.minor}`;
  if (entry.xattrs !== undefined) text += `,"xattrs":${JSON.stringify(mapValues(entry.xattrs, base64))}`;
  return `${text}}`;
}

function base64(value: ByteString): string {
  return Buffer.from(value, "latin1").toString("base64");
}

/** Throws INVALID_TREE for what encodeTree did not write. */
export function decodeTree(bytes: Uint8Array): Tree {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  const body = bytes.subarray(0, Math.max(0, bytes.length - checksumBytes));
  if (text.slice(body.length) !== checksumField(digestOf(body))) throw invalid("its checksum is not that of its bytes");
  let stored: { version?: unknown; diffId?: unknown; contentId?: unknown; size?: unknown; entries?: unknown };
  try {
    stored = JSON.parse(text);
  } catch (cause) {
    throw invalid("it is not JSON", cause);
  }
  if (stored?.version !== formVersion) throw invalid(`its version is ${JSON.stringify(stored?.version)}, not ${formVersion}`);
  if (
    typeof stored.diffId !== "string" ||
    typeof stored.contentId !== "string" ||
    !isCount(stored.size) ||
    !Array.isArray(stored.entries)
  ) {
    throw invalid("a field is missing");
  }
  const entries: TreeEntry[] = [];
  for (const entry of stored.entries) entries.push(treeEntry(entry));
  return { diffId: parseDigest(stored.diffId), contentId: parseDigest(stored.contentId), size: stored.size, entries };
}

function treeEntry(stored: StoredEntry): TreeEntry {
  const path = stored?.name;
  if (typeof path !== "string") throw invalid("an entry has no name");
  checkEntryPath(path, "reading a layer's tree");
  if (stored.type === "whiteout" || stored.type === "opaque") return { kind: stored.type, path };
  const { mode = 0, uid = 0, gid = 0, modtime = 0, modtimeNsec = 0, xattrs } = stored;
  if (!isCount(mode) || !isCount(uid) || !isCount(gid) || !Number.isSafeInteger(modtime) || !isCount(modtimeNsec)) throw badEntry(path);
  const attributes: Attributes = {
    mode,
    uid,
    gid,
    mtime: modtime,
    mtimeNsec: modtimeNsec,
    ...(xattrs !== undefined && { xattrs: mapValues(xattrs, (value) => Buffer.from(value, "base64").toString("latin1") as ByteString) }),
  };
  switch (stored.type) {
    case "dir":
      return { kind: "directory", path, ...attributes };
    case "reg": {
      const { size, digest, offset } = stored;
      if (!isCount(size) || !isCount(offset) || typeof digest !== "string" || !isDigest(digest)) throw badEntry(path);
      return { kind: "file", path, ...attributes, size, digest, offset };
    }
    case "symlink":
    case "hardlink":
      if (typeof stored.linkName !== "string") throw badEntry(path);
      return { kind: stored.type, path, ...attributes, target: stored.linkName };
    case "char":
    case "block":
      if (!isCount(stored.devMajor) || !isCount(stored.devMinor)) throw badEntry(path);
      return { kind: stored.type, path, ...attributes, major: stored.devMajor, minor: stored.devMinor };
    case "fifo":
      return { kind: "fifo", path, ...attributes };
    default:
      throw badEntry(path);
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function mapValues<From, To>(record: Readonly<Record<string, From>>, map: (value: From) => To): Record<string, To> {
  const result: Record<string, To> = {};
  for (const [key, value] of Object.entries(record)) result[key] = map(value);
  return result;
}

function badEntry(path: ByteString): TsbuildError {
  return invalid(`the entry ${quotePath(path)} is malformed`);
}

function invalid(problem: string, cause?: unknown): TsbuildError {
  return new TsbuildError("INVALID_TREE", `reading a layer's tree: ${problem}`, cause === undefined ? {} : { cause });
}
