import { type ByteString, bytesOf, decodeScan, type ScanEntry, scan, statMany } from "../../runtime-addon/index.ts";
import { type Digest, digestOf } from "../../store/digest.ts";
import { TsbuildError } from "../../store/errors.ts";
import { baseName, joinPath, quotePath, rootPath } from "../../store/layer/entry-path.ts";
import type { SourceNode } from "../steps/copy-source.ts";
import { components, follow, statOne } from "./follow.ts";
import type { IgnoreLine, IgnoreRules } from "./ignore.ts";
import { missingSource } from "./missing-source.ts";
import { compilePattern, hasWildcard } from "./pattern.ts";
import { scanIncluded } from "./scan-included.ts";
import { scanNodes } from "./scan-nodes.ts";
import { type Selection, type SelectionFlags, selectionOf, splitPivot, unescaped } from "./selection.ts";
import { shownText } from "./shown-text.ts";

/** A source found in a directory of the host, with what stat(2) said of it. */
export interface ScannedSource {
  /** See CopySource. */
  readonly name: ByteString;
  /** Digest of all that the scan saw: equal means that nothing below the source changed (but for the racy last tick). */
  readonly fingerprint: Digest;
  /** Whether it is a directory in which nothing is taken. */
  readonly isEmpty: boolean;
  /** Whether all of it was asked for: what is not listed is not there, or ignored. */
  readonly isWhole: boolean;
  /** The source's nodes and what was scanned of each, in the same order; decoded at the first call, since a warm build needs neither. */
  list(): { readonly nodes: readonly SourceNode[]; readonly scanned: readonly ScanEntry[] };
}

/** A directory of the host that COPY reads from, without what its ignore file excludes. Nothing outside it is ever reached. */
export interface DirectoryContext {
  readonly root: string;
  /**
   * Finds what a source word names: one entry for a plain path, any number for a wildcard. `written` is how errors call a word whose ".." would lead above
   * the root. Throws COPY_SOURCE_NOT_FOUND, INVALID_PATTERN.
   */
  find(source: string, flags?: SelectionFlags, written?: string): Promise<readonly ScannedSource[]>;
  /**
   * Of a word for which there is nothing to copy: the first rule that leaves out what it means. Undefined where no rule does, and for a directory's name:
   * one in which nothing is left is a directory all the same; but the whole context hardly was to be empty.
   */
  leftOutBy(source: string, flags?: SelectionFlags): Promise<IgnoreLine | undefined>;
}

const wholeSources: SelectionFlags = { parents: false, exclude: [] };

/** A source word, and what errors call it where that differs. */
interface Word {
  readonly source: string;
  readonly written: string | undefined;
}

const climbingHint =
  '".." stops at the root of the context: build with a directory above it as context and say with -f where the Dockerfile is, or use --build-context';

/** `root` is a real path; `describe` is how errors call it. */
export function directoryContext(root: string, rules: IgnoreRules | undefined, describe = `the build context ${root}`): DirectoryContext {
  const isExcluded = (path: ByteString): boolean => rules?.excludes(path) ?? false;

  async function listed(name: ByteString, top: ScanEntry, selection: Selection | undefined): Promise<ScannedSource> {
    const { decode, isEmpty, fingerprint } = await listBelow(top, selection);
    const listingOf = ({ entries, leading }: ReturnType<typeof decode>) => {
      const scanned = [top, ...entries].filter((entry) => entry.type !== "socket");
      return { scanned, nodes: scanNodes(root, top.path, scanned, leading) };
    };
    // Either of the two: what is decoded takes as much memory as what comes of it.
    let listing: typeof decode | ReturnType<typeof listingOf> = decode;
    return {
      name,
      isEmpty: top.type === "directory" && isEmpty,
      isWhole: selection === undefined,
      fingerprint: digestOf(`${top.path} ${top.identity} ${fingerprint}`),
      list() {
        if (typeof listing === "function") listing = listingOf(listing());
        return listing;
      },
    };
  }

  async function listBelow(top: ScanEntry, selection: Selection | undefined) {
    const leading: ReadonlySet<ByteString> = new Set();
    if (top.type !== "directory") return { fingerprint: "", isEmpty: false, decode: () => ({ entries: [], leading }) };
    if (rules === undefined && selection === undefined) {
      const packed = await scan(root, [top.path], { recursive: true, xattrs: true });
      return { fingerprint: digestOf(packed), isEmpty: packed.length === 0, decode: () => ({ entries: decodeScan(packed), leading }) };
    }
    const included = await scanIncluded(root, top.path, {
      ...(rules === undefined ? {} : { rules }),
      ...(selection === undefined ? {} : { selection }),
    });
    const seen = included.entries.map(
      ({ path, identity, xattrs }) => `${path}\0${identity}${xattrs === undefined ? "" : JSON.stringify(xattrs)}`,
    );
    return { fingerprint: digestOf(seen.join("\0")), isEmpty: seen.length === 0, decode: () => included };
  }

  /** Paths that match a pattern, name by name: links to directories are not entered. */
  async function match(pattern: string): Promise<readonly ByteString[]> {
    let matched: readonly ByteString[] = [rootPath];
    let isLiteral = true;
    const parts = components(bytesOf(pattern));
    for (const [index, part] of parts.entries()) {
      isLiteral &&= !hasWildcard(part);
      const isLast = index === parts.length - 1;
      const found = isLiteral ? await present(matched.map((directory) => joinPath(directory, part))) : await matching(matched, part);
      matched = found.filter(({ type }) => isLast || type === "directory").map(({ path }) => path);
    }
    return matched;
  }

  async function present(paths: readonly ByteString[]): Promise<readonly ScanEntry[]> {
    return decodeScan(await statMany(root, paths, { xattrs: false }));
  }

  async function matching(directories: readonly ByteString[], pattern: ByteString): Promise<readonly ScanEntry[]> {
    const matches = compilePattern(pattern);
    const children = decodeScan(await scan(root, directories, { recursive: false, xattrs: false }));
    return children.filter(({ path }) => matches(baseName(path)));
  }

  /** What a path means to COPY; undefined where it sees nothing. An excluded directory is seen as far as something in it is re-included. */
  async function seen(path: ByteString, top: ScanEntry | undefined, selection: Selection | undefined): Promise<ScannedSource | undefined> {
    if (top === undefined || top.type === "socket" || (path !== top.path && isExcluded(path))) return undefined;
    if (!isExcluded(top.path)) return listed(baseName(path), top, selection);
    if (top.type !== "directory" || !rules?.mayReincludeBelow(top.path)) return undefined;
    const source = await listed(baseName(path), top, selection);
    const isSeen = source.list().nodes.length > 1 || (selection !== undefined && (await hasIncluded(top.path)));
    return isSeen ? source : undefined;
  }

  async function hasIncluded(directory: ByteString): Promise<boolean> {
    return rules === undefined || (await scanIncluded(root, directory, { rules })).entries.length > 0;
  }

  async function findNamed({ source, written }: Word, selection: Selection | undefined): Promise<ScannedSource> {
    const path = bytesOf(source);
    const top = await follow(root, path);
    const found = await seen(path, top, selection);
    if (found === undefined) throw await notFound({ source, written }, path, top);
    return found;
  }

  async function findMatching(source: string, selection: Selection | undefined): Promise<readonly ScannedSource[]> {
    const sources: ScannedSource[] = [];
    for await (const { path, top } of wanted(source, selection)) {
      const found = await seen(path, top, selection);
      if (found !== undefined) sources.push(found);
    }
    return sources;
  }

  /** What a wildcard matches and --exclude does not. A directory stands for what is in it; a file must get past the patterns itself, under its own name. */
  async function* wanted(source: string, selection: Selection | undefined) {
    for (const path of await match(source)) {
      const top = await follow(root, path);
      if (top?.type === "directory" || selection?.takes(baseName(path)) !== false) yield { path, top };
    }
  }

  /** Each directory that the part before the pivot means, with what the rest takes below it. */
  async function findWithParents(word: Word, exclude: readonly string[]): Promise<readonly ScannedSource[]> {
    const { base, pattern, isNamed } = splitPivot(word.source);
    const selection = selectionOf(exclude, pattern);
    const sources: ScannedSource[] = [];
    for (const path of hasWildcard(base) ? await match(base) : [bytesOf(base)]) {
      const top = await follow(root, path);
      // What is below a directory that is ignored is left out one by one; a link to it is no way round.
      if (top?.type !== "directory" || (path !== top.path && isExcluded(path))) {
        if (hasWildcard(base)) continue;
        throw await notFound(word, path, top);
      }
      if (isNamed) await requireNamed(word, top.path, pattern);
      sources.push(await listed(rootPath, top, selection));
    }
    return sources;
  }

  /** The paths that a word means, ignored ones too, as far as they are looked at one by one. */
  async function* meant(source: string, { parents, exclude }: SelectionFlags): AsyncGenerator<ByteString> {
    const isPattern = hasWildcard(source);
    if (parents && isPattern) {
      const { base, pattern } = splitPivot(source);
      const selection = selectionOf(exclude, pattern);
      for (const path of hasWildcard(base) ? await match(base) : [bytesOf(base)]) {
        const top = await follow(root, path);
        if (top?.type !== "directory") continue;
        const { entries, leading } = await scanIncluded(root, top.path, selection === undefined ? {} : { selection });
        for (const entry of entries) if (!leading.has(entry.path)) yield entry.path;
      }
    } else if (isPattern) {
      for await (const { path, top } of wanted(source, selectionOf(exclude))) yield* top === undefined ? [path] : [path, top.path];
    } else if (source === "") {
      const selection = selectionOf(exclude);
      for (const { path } of decodeScan(await scan(root, [rootPath], { recursive: false, xattrs: false }))) {
        if (selection?.takes(path) !== false) yield path;
      }
    }
  }

  /** A path without wildcards must be there, whatever --exclude leaves of it. No symlink on the way to it is followed. */
  async function requireNamed(word: Word, base: ByteString, pattern: string): Promise<void> {
    if (pattern === "") return;
    const path = joinPath(base, unescaped(bytesOf(pattern)));
    const top = await statOne(root, path);
    if (top === undefined && (await follow(root, path)) !== undefined) throw linked(word);
    if (top === undefined || top.type === "socket") throw await notFound(word, path, top);
    const isSeen = !isExcluded(path) || (top.type === "directory" && rules?.mayReincludeBelow(path) && (await hasIncluded(path)));
    if (!isSeen) throw await notFound(word, path, top);
  }

  function linked(word: Word): TsbuildError {
    return new TsbuildError("COPY_SOURCE_NOT_FOUND", `${lookingFor(word)}: a symlink leads there, which --parents does not follow`, {
      hint: "name what the symlink leads to",
    });
  }

  function lookingFor({ source, written = source }: Word): string {
    return `looking for ${quotePath(bytesOf(written))} in ${describe}`;
  }

  async function notFound(word: Word, path: ByteString, top: ScanEntry | undefined): Promise<TsbuildError> {
    const doing = lookingFor(word);
    if (top === undefined) {
      const { problem, hint } = await missingSource(root, path, isExcluded);
      const said = word.written === undefined ? hint : climbingHint;
      return new TsbuildError("COPY_SOURCE_NOT_FOUND", `${doing}: ${problem}`, said === undefined ? {} : { hint: said });
    }
    const rule = rules?.excludedBy(path) ?? rules?.excludedBy(top.path);
    if (rule !== undefined && top.type !== "socket") {
      return new TsbuildError("COPY_SOURCE_NOT_FOUND", `${doing}: excluded by ${rule.file}:${rule.line}: ${shownText(rule.text)}`, {
        hint: `re-include it with a line ${quotePath(bytesOf(`!${word.source}`))} in ${rule.file}`,
      });
    }
    return new TsbuildError(
      "COPY_SOURCE_NOT_FOUND",
      `${doing}: ${top.type === "socket" ? "a socket cannot be copied" : "it is not a directory"}`,
    );
  }

  return {
    root,
    async find(source, { parents, exclude } = wholeSources, written) {
      const word = { source, written };
      if (parents) return findWithParents(word, exclude);
      const selection = selectionOf(exclude);
      return hasWildcard(source) ? findMatching(source, selection) : [await findNamed(word, selection)];
    },
    async leftOutBy(source, flags = wholeSources) {
      if (rules === undefined) return undefined;
      for await (const path of meant(source, flags)) {
        const rule = rules.excludedBy(path);
        if (rule !== undefined) return rule;
      }
      return undefined;
    },
  };
}
