import { nativeAddon } from "./binding.ts";
import type { ByteString } from "./bytes.ts";
import { packPaths } from "./message.ts";
import { finishJob } from "./native-job.ts";
import { usableCpus } from "./usable-cpus.ts";

/** A byte string that is looked for. */
export interface Pattern {
  /** Four at least. */
  readonly bytes: Uint8Array;
  /** ASCII characters that do not count inside it, up to three of them in a row: what encodes breaks its lines. None of them is in `bytes`. */
  readonly breaks: string;
  /** Of what it is a form. */
  readonly id: string;
}

export interface Match<P extends Pattern> {
  readonly begin: number;
  readonly end: number;
  readonly pattern: P;
}

/** Patterns that are looked for together, in one pass. */
export interface PatternSet<P extends Pattern> {
  /**
   * The matches in a text, in the order in which they begin: at each place the longest of an id, but none that lies within another of its id. They may overlap. `end` is
   * where one may begin of which the text has only the beginning: behind it nothing was looked for, though a match may reach there. `last`: the text has no continuation,
   * and is looked through whole.
   */
  find(text: Uint8Array, last: boolean): { readonly end: number; readonly matches: readonly Match<P>[] };
  /** Those in a file of any size, on another thread; no more than `most` of an id. Rejects with `signal.reason` when aborted. */
  searchFile(path: string, most: number, signal?: AbortSignal): Promise<readonly Match<P>[]>;
  /**
   * Which regular files below `root` have some, on other threads: of each id one, in the order of the paths. No symlink is followed, and what has gone meanwhile
   * or is no file any more is passed over; holes of files cost nothing. Rejects with `signal.reason` when aborted.
   */
  searchFiles(
    root: string,
    paths: readonly ByteString[],
    signal?: AbortSignal,
  ): Promise<readonly { readonly path: ByteString; readonly pattern: P }[]>;
}

export function openPatterns<P extends Pattern>(patterns: readonly P[]): PatternSet<P> {
  const short = patterns.find(({ bytes }) => bytes.length < 4);
  if (short !== undefined) throw new RangeError(`a pattern has ${short.bytes.length} bytes`);
  const ids = [...new Set(patterns.map(({ id }) => id))];
  const native = new (nativeAddon().PatternSet)(
    patterns.map(({ bytes }) => bytes),
    patterns.map(({ breaks }) => breaks),
    patterns.map(({ id }) => ids.indexOf(id)),
  );
  const named = (numbers: readonly number[]): readonly Match<P>[] => {
    const matches: Match<P>[] = [];
    for (let i = 0; i < numbers.length; i += 3) {
      const [begin = 0, end = 0, index = 0] = numbers.slice(i, i + 3);
      const pattern = patterns[index];
      if (pattern !== undefined) matches.push({ begin, end, pattern });
    }
    return matches;
  };
  return {
    find(text, last) {
      const { end, matches } = native.find(text, last);
      return { end, matches: named(matches) };
    },
    searchFile: async (path, most, signal) => named(await finishJob(() => native.searchFile(path, most), signal)),
    async searchFiles(root, paths, signal) {
      const { numbers, text } = packPaths(paths);
      const found = await finishJob(() => native.searchFiles(root, numbers, text, usableCpus()), signal);
      return Array.from({ length: found.length / 2 }, (_, i) => ({
        path: paths[found[2 * i] ?? 0] as ByteString,
        pattern: patterns[found[2 * i + 1] ?? 0] as P,
      }));
    },
  };
}
