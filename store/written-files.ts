import {
  type ByteString,
  bufferOf,
  decodeScan,
  isSystemError,
  openPatterns,
  type Pattern,
  removePaths,
  type ScanEntry,
  scan,
  statMany,
} from "../runtime-addon/index.ts";
import { clockLagMs } from "./clock-lag.ts";
import type { Abortable } from "./file-bytes.ts";
import { rootPath } from "./layer/entry-path.ts";

/** Bytes of a path: a command may make directories deeper than a system call can say, and what is listed of them takes memory. */
const longestPath = 64 * 1024;

/** What to look for, in what of a directory. */
export interface SearchRequest {
  readonly directory: string;
  /** Only what was written since is looked through, by its ctime, which no program can set: milliseconds. */
  readonly sinceMs: number;
  readonly patterns: readonly Pattern[];
}

/** A file that has a pattern: in its content, or in its name, link target or attributes. The directory itself is the root path. */
export interface FoundPattern {
  readonly path: ByteString;
  readonly isContent: boolean;
  /** Which of the request's. */
  readonly pattern: number;
}

/** See DirectoryWork.search. */
export async function searchWritten(
  { directory, sinceMs, patterns }: SearchRequest,
  { signal }: Abortable = {},
): Promise<readonly FoundPattern[]> {
  signal?.throwIfAborted();
  const itself = decodeScan(await statMany(directory, [rootPath], { xattrs: true }));
  const entries = itself.concat(decodeScan(await scan(directory, [rootPath], { recursive: true, xattrs: true, longestPath })));
  const written = entries.filter(({ ctime, ctimeNsec }) => ctime * 1000 + ctimeNsec / 1e6 >= sinceMs - clockLagMs);
  const set = openPatterns(patterns.map((pattern, index) => ({ ...pattern, index })));
  const inNames = written.flatMap((entry) =>
    textsOf(entry)
      .flatMap((text) => set.find(bufferOf(text), true).matches)
      .map(({ pattern: { index } }) => ({ path: entry.path, isContent: false, pattern: index })),
  );
  const files = written.filter(({ type }) => type === "file").map(({ path }) => path);
  const inContents = await set.searchFiles(directory, files, signal);
  return [...inContents.map(({ path, pattern: { index } }) => ({ path, isContent: true, pattern: index })), ...inNames];
}

/** See DirectoryWork.removeBelow. */
export async function removeBelow(directory: string, paths: readonly ByteString[]): Promise<void> {
  const doomed = new Set<string>(paths);
  const isDoomed = (path: string): boolean => {
    for (let end = path.length; end > 0; end = path.lastIndexOf("/", end - 1)) if (doomed.has(path.slice(0, end))) return true;
    return false;
  };
  const all = decodeScan(await scan(directory, [rootPath], { recursive: true, xattrs: false, longestPath }));
  // What is in a directory goes before it.
  for (const { path } of all.filter((entry) => isDoomed(entry.path)).reverse()) {
    await removePaths(directory, [path]).catch((error: unknown) => {
      if (!isSystemError(error, "ENOENT")) throw error;
    });
  }
}

function textsOf({ path, target, xattrs = {} }: ScanEntry): readonly ByteString[] {
  const attributes = Object.entries(xattrs).flatMap(([name, value]) => [name as ByteString, value]);
  return [path, ...(target === undefined ? [] : [target]), ...attributes];
}
