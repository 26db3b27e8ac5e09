import { isDigest } from "../../store/digest.ts";
import { harmlessJson } from "../../store/unseen.ts";
import { quoted } from "../dockerfile/fault.ts";
import { nearest } from "../dockerfile/suggest.ts";
import { type JsonAt, parseJsonLines, type Refuse } from "./json-lines.ts";
import type { LockEntry, LockKind } from "./lock-entry.ts";

/** Of the file's form; grows when an older program would misread it. */
const version = 1;

const kinds: readonly LockKind[] = ["images", "git", "http"];
const fields: readonly string[] = ["version", ...kinds];

type Members = ReadonlyMap<string, JsonAt>;

/**
 * The text of a lock file: JSON, one entry a line, in the order of their names, so that the same entries are the same bytes and a change of one is a change of
 * one line.
 *
 *     { "version": 1,
 *       "images": { "docker.io/library/debian:12": { "linux/amd64": "sha256:…" } },
 *       "git":    { "https://host/lib.git": { "main": "<commit>" } },
 *       "http":   { "https://host/tool.tgz": "sha256:…" } }
 */
export function formatLock(entries: readonly LockEntry[]): string {
  const sorted = [...entries].sort((a, b) => compare(a.name, b.name) || compare(a.of, b.of));
  const sections = kinds.flatMap((kind) => {
    const own = sorted.filter((entry) => entry.kind === kind);
    return own.length === 0 ? [] : [`  "${kind}": ${kind === "http" ? flatSection(own) : nestedSection(own)}`];
  });
  return harmlessJson(`{\n${[`  "version": ${version}`, ...sections].join(",\n")}\n}\n`);
}

function flatSection(entries: readonly LockEntry[]): string {
  return block(
    entries.map(({ name, value }) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`),
    "  ",
  );
}

function nestedSection(entries: readonly LockEntry[]): string {
  const names = new Map<string, string[]>();
  for (const { name, of, value } of entries) {
    const lines = names.get(name) ?? [];
    names.set(name, lines);
    lines.push(`${JSON.stringify(of)}: ${JSON.stringify(value)}`);
  }
  return block(
    [...names].map(([name, lines]) => `${JSON.stringify(name)}: ${block(lines, "    ")}`),
    "  ",
  );
}

function block(lines: readonly string[], indent: string): string {
  return `{\n${lines.map((line) => `${indent}  ${line}`).join(",\n")}\n${indent}}`;
}

/** By code units: the same in every locale. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Reads what formatLock writes, in whatever layout; throws what `refuse` makes for the first thing that is wrong. */
export function parseLock(text: string, refuse: Refuse): readonly LockEntry[] {
  const top = members(parseJsonLines(text, refuse), "a lock file", refuse);
  checkVersion(top, refuse);
  for (const [name, { line }] of top) {
    if (fields.includes(name)) continue;
    const meant = nearest(name, fields);
    throw refuse(line, `a lock file has no field ${quoted(name)}`, meant === undefined ? undefined : `did you mean "${meant}"?`);
  }
  return kinds.flatMap((kind) => {
    const section = top.get(kind);
    return section === undefined ? [] : readSection(kind, members(section, `"${kind}"`, refuse), refuse);
  });
}

/** Looked at first: of another version nothing else is sure. */
function checkVersion(top: Members, refuse: Refuse): void {
  const found = top.get("version");
  if (found === undefined) throw refuse(1, "it has no version, and so is no lock file");
  if (found.value === version) return;
  const isLater = typeof found.value === "number" && found.value > version;
  throw refuse(
    found.line,
    `its version is ${shownValue(found)}, and this program reads version ${version}`,
    isLater ? "a later version of this program wrote it: use that one" : undefined,
  );
}

function readSection(kind: LockKind, section: Members, refuse: Refuse): readonly LockEntry[] {
  if (kind === "http") return [...section].map(([name, at]) => ({ kind, name, of: "", value: readEntryValue(kind, at, refuse) }));
  return [...section].flatMap(([name, at]) =>
    [...members(at, quoted(name), refuse)].map(([of, inner]) => ({ kind, name, of, value: readEntryValue(kind, inner, refuse) })),
  );
}

function readEntryValue(kind: LockKind, at: JsonAt, refuse: Refuse): string {
  const { value } = at;
  if (typeof value === "string" && (kind === "git" ? isCommit(value) : isDigest(value))) return value;
  throw refuse(
    at.line,
    `${shownValue(at)} is ${kind === "git" ? "no commit (40 or 64 hex digits)" : "no digest (sha256: and 64 hex digits)"}`,
  );
}

/** Full, of SHA-1 or SHA-256. */
function isCommit(text: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}

function members({ line, value }: JsonAt, what: string, refuse: Refuse): Members {
  if (typeof value === "object") return value;
  throw refuse(line, `${what} is an object in { }`);
}

function shownValue({ value }: JsonAt): string {
  return typeof value === "string" ? quoted(value) : typeof value === "number" ? String(value) : "an object";
}
