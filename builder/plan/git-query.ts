import { quoted } from "../dockerfile/fault.ts";
import { nearest } from "../dockerfile/suggest.ts";
import { invalidSource } from "./invalid-source.ts";

/** What the query of a git URL says (moby/buildkit frontend/dockerfile/dfgitutil). */
export interface GitQuery {
  readonly ref?: string;
  readonly subdir?: string;
  readonly checksum?: string;
  readonly keepGitDir?: boolean;
  readonly submodules?: boolean;
  readonly fetchByCommit?: boolean;
}

/** Key → whether it may stand without a value, which then is "true". */
const keys: ReadonlyMap<string, boolean> = new Map([
  ["ref", false],
  ["tag", false],
  ["branch", false],
  ["subdir", false],
  ["checksum", false],
  ["commit", false],
  ["keep-git-dir", true],
  ["submodules", true],
  ["fetch-by-commit", true],
  ["mtime", false],
]);

const truths: ReadonlyMap<string, boolean> = new Map([
  ...["1", "t", "T", "TRUE", "true", "True"].map((word) => [word, true] as const),
  ...["0", "f", "F", "FALSE", "false", "False"].map((word) => [word, false] as const),
]);

/** `source` is for errors. Throws INVALID_SOURCE for an unknown key, one that comes twice, a value that is none, and keys that contradict each other. */
export function parseGitQuery(query: string, source: string): GitQuery {
  const values = valuesOf(query, source);
  const flag = (key: string): boolean | undefined => {
    const value = values.get(key);
    const truth = value === undefined ? undefined : truths.get(value);
    if (value !== undefined && truth === undefined) throw invalidSource(source, `${key}=${quoted(value)} is neither true nor false`);
    return truth;
  };
  // The files of a commit always have its time: "checkout" would be the clock's.
  const mtime = values.get("mtime");
  if (mtime !== undefined && mtime !== "checkout" && mtime !== "commit") {
    throw invalidSource(source, `mtime=${quoted(mtime)} is neither checkout nor commit`);
  }
  const ref = one(source, "refs", [
    values.get("ref"),
    prefixed("refs/tags/", values.get("tag")),
    prefixed("refs/heads/", values.get("branch")),
  ]);
  const checksum = one(source, "checksums", [values.get("checksum"), values.get("commit")]);
  const keepGitDir = flag("keep-git-dir");
  const submodules = flag("submodules");
  const fetchByCommit = flag("fetch-by-commit");
  const subdir = values.get("subdir");
  return {
    ...(ref !== undefined && { ref }),
    ...(subdir !== undefined && { subdir }),
    ...(checksum !== undefined && { checksum }),
    ...(keepGitDir !== undefined && { keepGitDir }),
    ...(submodules !== undefined && { submodules }),
    ...(fetchByCommit !== undefined && { fetchByCommit }),
  };
}

function valuesOf(query: string, source: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const [key, value] of new URLSearchParams(query)) {
    const mayBeBare = keys.get(key);
    if (mayBeBare === undefined) throw unknownKey(key, source);
    if (values.has(key)) throw invalidSource(source, `"${key}" is given twice`);
    if (value === "" && !mayBeBare) throw invalidSource(source, `"${key}" has no value`);
    values.set(key, value === "" ? "true" : value);
  }
  return values;
}

function unknownKey(key: string, source: string): Error {
  const meant = nearest(key, keys.keys());
  const known = `known are ${[...keys.keys()].join(", ")}`;
  // What looks like no word may be a secret that stands alone.
  const shown = /^[a-z-]{1,20}$/i.test(key) ? ` "${key}"` : " of that name";
  return invalidSource(source, `a git URL has no query${shown}`, meant === undefined ? known : `did you mean "${meant}"? ${known}`);
}

function prefixed(prefix: string, name: string | undefined): string | undefined {
  return name === undefined || name.startsWith(prefix) ? name : `${prefix}${name}`;
}

/** The one value of several ways to say it. */
export function one(source: string, what: string, values: readonly (string | undefined)[]): string | undefined {
  const [first, ...others] = values.filter((value) => value !== undefined);
  const other = others.find((value) => value !== first);
  if (other === undefined) return first;
  throw invalidSource(source, `it names two ${what}, ${quoted(first ?? "")} and ${quoted(other)}`);
}
