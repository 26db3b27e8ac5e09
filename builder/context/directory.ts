import { type ByteString, bytesOf, decodeScan, type ScanEntry, scan, statMany, textOf } from "../../runtime-addon/index.ts";
import { type Digest, digestOf } from "../../store/digest.ts";
import { TsbuildError } from "../../store/errors.ts";
import type { NodeEntry } from "../../store/layer/entry.ts";
import { baseName, joinPath, parentPath } from "../../store/layer/entry-path.ts";
import type { SourceNode } from "../steps/copy-source.ts";
import type { IgnoreRules } from "./ignore.ts";
import { compilePattern, hasWildcard } from "./pattern.ts";

/** A source found in a directory of the host, with what stat(2) said of it. */
export interface ScannedSource {
  /** See CopySource. */
  readonly name: ByteString;
  /** Digest of all that the scan saw: equal means that nothing below the source changed (but for the racy last tick). */
  readonly fingerprint: Digest;
  /** The source's nodes and what was scanned of each, in the same order; decoded at the first call, since a warm build needs neither. */
  list(): { readonly nodes: readonly SourceNode[]; readonly scanned: readonly ScanEntry[] };
}

/** A directory of the host that COPY reads from, without what its ignore file excludes. Nothing outside it is ever reached. */
export interface DirectoryContext {
  readonly root: string;
  /** Finds what a source word names: one entry for a plain path, any number for a wildcard. Throws COPY_SOURCE_NOT_FOUND. */
  find(source: string): Promise<readonly ScannedSource[]>;
}

const maxLinks = 255;

export function directoryContext(root: string, rules: IgnoreRules | undefined): DirectoryContext {
  const isExcluded = (path: ByteString): boolean => path !== "" && rules !== undefined && rules.excludes(path);

  async function children(directory: ByteString): Promise<readonly ScanEntry[]> {
    return decodeScan(await scan(root, [directory], { recursive: false, xattrs: false }));
  }

  /** Follows symlinks, all within the root; undefined where nothing is. */
  async function follow(path: ByteString): Promise<ScanEntry | undefined> {
    let rest = components(path);
    let at = "" as ByteString;
    let entry = await one("" as ByteString);
    for (let links = 0; rest.length > 0; ) {
      const [next, ...others] = rest;
      rest = others;
      if (next === "..") {
        at = parentPath(at);
        entry = await one(at);
        continue;
      }
      if (entry?.type !== "directory") return undefined;
      const below = joinPath(at, next as ByteString);
      const found = await one(below);
      if (found?.type === "symlink" && found.target !== undefined) {
        if (++links > maxLinks)
          throw new TsbuildError("SYMLINK_LOOP", `following ${textOf(path)} in the build context: too many levels of symbolic links`);
        if (found.target.startsWith("/")) at = "" as ByteString;
        rest = [...components(found.target), ...rest];
        entry = await one(at);
        continue;
      }
      if (found === undefined) return undefined;
      at = below;
      entry = found;
    }
    return entry;
  }

  async function one(path: ByteString): Promise<ScanEntry | undefined> {
    const [entry] = decodeScan(await statMany(root, [path], { xattrs: true }));
    return entry;
  }

  async function listed(name: ByteString, top: ScanEntry): Promise<ScannedSource> {
    const below = await listBelow(top);
    const list = () => {
      const scanned = [top, ...below.entries()].filter((entry) => entry.type !== "socket");
      return { scanned, nodes: toNodes(root, top.path, scanned) };
    };
    let listing: ReturnType<typeof list> | undefined;
    return {
      name,
      fingerprint: digestOf(`${top.path} ${top.identity} ${below.fingerprint}`),
      list() {
        listing ??= list();
        return listing;
      },
    };
  }

  async function listBelow(top: ScanEntry): Promise<{ fingerprint: string; entries(): readonly ScanEntry[] }> {
    if (top.type !== "directory") return { fingerprint: "", entries: () => [] };
    if (rules === undefined) {
      const packed = await scan(root, [top.path], { recursive: true, xattrs: true });
      return { fingerprint: digestOf(packed), entries: () => decodeScan(packed) };
    }
    const entries = await scanIncluded(root, top.path, rules);
    return {
      fingerprint: digestOf(
        entries.map(({ path, identity, xattrs }) => `${path}\0${identity}${xattrs === undefined ? "" : JSON.stringify(xattrs)}`).join("\0"),
      ),
      entries: () => entries,
    };
  }

  async function match(pattern: string): Promise<readonly ByteString[]> {
    let matched: ByteString[] = ["" as ByteString];
    const parts = components(bytesOf(pattern));
    for (const [index, component] of parts.entries()) {
      const next: ByteString[] = [];
      const matches = hasWildcard(component) ? compilePattern(component) : undefined;
      for (const directory of matched) {
        if (matches === undefined) next.push(joinPath(directory, component));
        else for (const entry of await children(directory)) if (matches(baseName(entry.path))) next.push(entry.path);
      }
      // A literal component may not exist; a component that is not a real directory ends the walk, since links are not entered.
      const present = decodeScan(await statMany(root, next, { xattrs: false }));
      const isLast = index === parts.length - 1;
      matched = present.filter(({ type }) => isLast || type === "directory").map(({ path }) => path);
    }
    return matched;
  }

  /** What a path means to COPY; undefined where it sees nothing. An excluded directory is seen as far as something in it is re-included. */
  async function seen(path: ByteString, top: ScanEntry | undefined): Promise<ScannedSource | undefined> {
    if (top === undefined || top.type === "socket" || (path !== top.path && isExcluded(path))) return undefined;
    if (!isExcluded(top.path)) return listed(baseName(path), top);
    if (top.type !== "directory" || !rules?.mayReincludeBelow(top.path)) return undefined;
    const source = await listed(baseName(path), top);
    return source.list().nodes.length > 1 ? source : undefined;
  }

  return {
    root,
    async find(source) {
      if (hasWildcard(source)) {
        const sources: ScannedSource[] = [];
        for (const path of await match(source)) {
          const found = await seen(path, await follow(path));
          if (found !== undefined) sources.push(found);
        }
        return sources;
      }
      const path = bytesOf(source);
      const top = await follow(path);
      const found = await seen(path, top);
      if (found !== undefined) return [found];
      const isIgnored = top !== undefined && top.type !== "socket";
      const problem = isIgnored
        ? "the ignore file excludes it"
        : top === undefined
          ? "no such file or directory"
          : "a socket cannot be copied";
      throw new TsbuildError(
        "COPY_SOURCE_NOT_FOUND",
        `looking for "${source}" in the build context ${root}: ${problem}`,
        isIgnored ? { hint: `re-include it with a line "!${source}" in .dockerignore` } : {},
      );
    },
  };
}

/** Everything below a directory that the rules leave in: parents first, an excluded directory only where something below it is re-included. */
async function scanIncluded(root: string, top: ByteString, rules: IgnoreRules): Promise<readonly ScanEntry[]> {
  const kept: ScanEntry[] = [];
  const excludedParents = new Map<ByteString, ScanEntry>();
  for (let level: readonly ByteString[] = [top]; level.length > 0; ) {
    const below: ByteString[] = [];
    for (const entry of decodeScan(await scan(root, level, { recursive: false, xattrs: true }))) {
      const excluded = rules.excludes(entry.path);
      if (!excluded) {
        for (let parent = parentPath(entry.path); excludedParents.has(parent); parent = parentPath(parent)) {
          kept.push(excludedParents.get(parent) as ScanEntry);
          excludedParents.delete(parent);
        }
        kept.push(entry);
      }
      if (entry.type !== "directory") continue;
      if (excluded && !rules.mayReincludeBelow(entry.path)) continue;
      if (excluded) excludedParents.set(entry.path, entry);
      below.push(entry.path);
    }
    level = below;
  }
  return kept.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** Nodes relative to the source, owned by root as everything from a context is. Of one inode the first name is the file, as in a layer. */
function toNodes(root: string, top: ByteString, entries: readonly ScanEntry[]): readonly SourceNode[] {
  const cut = top === "" ? 0 : top.length + 1;
  const firstNames = new Map<string, ByteString>();
  for (const { type, nlink, inode, path } of entries) {
    if (type !== "file" || nlink === 1) continue;
    const first = firstNames.get(inode);
    if (first === undefined || path < first) firstNames.set(inode, path);
  }
  return entries.map((entry) => {
    const path = entry.path.slice(cut) as ByteString;
    const attributes = {
      path,
      // The context's own directory is a checkout's accident; its mode would differ from machine to machine.
      mode: entry.path === "" ? 0o755 : entry.mode,
      uid: 0,
      gid: 0,
      mtime: entry.mtime,
      mtimeNsec: entry.mtimeNsec,
      ...portableXattrs(entry),
    };
    const first = firstNames.get(entry.inode) ?? entry.path;
    if (first !== entry.path) return { ...attributes, kind: "hardlink", target: first.slice(cut) as ByteString };
    return { ...attributes, ...kindOf(entry, root) } as NodeEntry;
  });
}

function kindOf(entry: ScanEntry, root: string) {
  switch (entry.type) {
    case "file":
      return { kind: "file", size: entry.size, content: { at: "path", root, path: entry.path } } as const;
    case "symlink":
      return { kind: "symlink", target: entry.target ?? ("" as ByteString) } as const;
    case "char":
    case "block":
      return { kind: entry.type, major: entry.major, minor: entry.minor } as const;
    default:
      return { kind: entry.type };
  }
}

/** Labels of the host's security modules and overlay markers mean nothing in an image. */
function portableXattrs(entry: ScanEntry): { xattrs?: Readonly<Record<string, ByteString>> } {
  if (entry.xattrs === undefined) return {};
  const kept = Object.entries(entry.xattrs).filter(
    ([name]) => (name.startsWith("user.") && !name.startsWith("user.overlay.")) || name === "security.capability",
  );
  return kept.length === 0 ? {} : { xattrs: Object.fromEntries(kept) };
}

function components(path: string): ByteString[] {
  return path.split("/").filter((part) => part !== "" && part !== ".") as ByteString[];
}
