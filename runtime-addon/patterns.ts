import { nativeAddon } from "./binding.ts";

/** A byte string that is looked for. */
export interface Pattern {
  /** Four at least. */
  readonly bytes: Uint8Array;
  /** Line breaks inside it do not count: what encodes breaks its lines. */
  readonly wrapped: boolean;
}

export interface Match<P extends Pattern> {
  readonly begin: number;
  readonly end: number;
  readonly pattern: P;
}

/** Patterns that are looked for together, in one pass. */
export interface PatternSet<P extends Pattern> {
  /**
   * The matches in a text from left to right; none overlaps another, and of those that begin at one place the longest counts. `end` is where one may begin of which the
   * text has only the beginning: behind it nothing was looked for. `last`: the text has no continuation, and is looked through whole.
   */
  find(text: Uint8Array, last: boolean): { readonly end: number; readonly matches: readonly Match<P>[] };
  /** Those in a file of any size, on another thread; no more than `most`. */
  searchFile(path: string, most: number): Promise<readonly Match<P>[]>;
}

export function openPatterns<P extends Pattern>(patterns: readonly P[]): PatternSet<P> {
  const short = patterns.find(({ bytes }) => bytes.length < 4);
  if (short !== undefined) throw new RangeError(`a pattern has ${short.bytes.length} bytes`);
  const native = new (nativeAddon().PatternSet)(
    patterns.map(({ bytes }) => bytes),
    patterns.map(({ wrapped }) => wrapped),
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
    searchFile: async (path, most) => named(await native.searchFile(path, most)),
  };
}
