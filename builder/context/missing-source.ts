import { type ByteString, decodeScan, scan, textOf } from "../../runtime-addon/index.ts";
import { baseName, joinPath, parentPath, quotePath, rootPath } from "../../store/layer/entry-path.ts";
import { nearest } from "../dockerfile/suggest.ts";
import { components, follow, statOne } from "./follow.ts";

export interface MissingSource {
  readonly problem: string;
  readonly hint?: string;
}

/** How many directories are looked into for another file of the name: an error is not to take long. */
const maxDirectories = 2000;

/** Names in a repository's own files are nobody's sources. */
const neverMeant = ".git";

/** Why there is nothing at `path` in the context, and what may have been meant: nothing that is ignored. */
export async function missingSource(root: string, path: ByteString, isIgnored: (path: ByteString) => boolean): Promise<MissingSource> {
  const end = await lastSeen(root, path);
  if (end.link !== undefined) {
    const what = end.link.path === path ? "it" : quotePath(end.link.path);
    return { problem: `${what} is a symlink to ${quotePath(end.link.target)}, which is not in the context` };
  }
  const near = await nearName(root, end, isIgnored);
  const hint = near === undefined ? await sameName(root, baseName(path), isIgnored) : `did you mean ${quotePath(near)}?`;
  return { problem: "no such file or directory", ...(hint === undefined ? {} : { hint }) };
}

/** Where the way along a path ends. */
interface LastSeen {
  /** The directory, or what is in its place. */
  readonly at: ByteString;
  /** What is not in it: the names that are left. */
  readonly rest: readonly ByteString[];
  /** The symlink that leads to nothing. */
  readonly link?: { readonly path: ByteString; readonly target: ByteString };
}

async function lastSeen(root: string, path: ByteString, from = rootPath): Promise<LastSeen> {
  const names = components(path);
  let at = from;
  for (const [i, name] of names.entries()) {
    if (name === "..") {
      at = parentPath(at);
      continue;
    }
    const below = joinPath(at, name);
    const found = await statOne(root, below);
    if (found === undefined) return { at, rest: names.slice(i) };
    const led = await follow(root, below);
    if (led !== undefined) {
      at = led.path;
      if (led.type !== "directory") break;
    } else if (found.target !== undefined) {
      const { target } = found;
      // A link may lead to nothing because the next one does.
      const onward = await lastSeen(root, target as ByteString, target.startsWith("/") ? rootPath : at);
      return { at, rest: names.slice(i), link: onward.link ?? { path: below, target: target as ByteString } };
    }
  }
  return { at, rest: [] };
}

async function nearName(root: string, { at, rest }: LastSeen, isIgnored: (path: ByteString) => boolean): Promise<ByteString | undefined> {
  const [name, ...below] = rest;
  if (name === undefined) return undefined;
  const siblings = new Map<string, ByteString>();
  for (const { path, type } of decodeScan(await scan(root, [at], { recursive: false, xattrs: false }))) {
    if (type !== "socket" && !isIgnored(path)) siblings.set(textOf(baseName(path)), path);
  }
  const sibling = siblings.get(nearest(textOf(name), siblings.keys()) ?? "");
  const meant = sibling === undefined ? undefined : below.reduce(joinPath, sibling);
  return meant !== undefined && !isIgnored(meant) && (await follow(root, meant)) !== undefined ? meant : undefined;
}

/** Level by level, so that the one least deep is found first. */
async function sameName(root: string, name: ByteString, isIgnored: (path: ByteString) => boolean): Promise<string | undefined> {
  let left = maxDirectories;
  for (let level: readonly ByteString[] = [rootPath]; level.length > 0 && left > 0; ) {
    const looked = level.slice(0, left);
    left -= looked.length;
    const entries = decodeScan(await scan(root, looked, { recursive: false, xattrs: false })).filter(({ path }) => !isIgnored(path));
    const found = entries.find(({ path, type }) => type !== "socket" && baseName(path) === name);
    if (found !== undefined) return `there is ${quotePath(found.path)}`;
    level = entries.filter(({ path, type }) => type === "directory" && path !== neverMeant).map(({ path }) => path);
  }
  return undefined;
}
