/**
 * The candidate that `word` was most likely meant to be: at most two edits (insert, delete, replace, swap of neighbours) away,
 * letter case aside, and not more edits than half its length. Undefined when none is; the first of equally near ones.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = word.toLowerCase();
  let best: string | undefined;
  let bestEdits = Math.min(2, Math.floor(wanted.length / 2)) + 1;
  for (const candidate of candidates) {
    if (bestEdits === 0) break;
    if (Math.abs(candidate.length - wanted.length) >= bestEdits) continue;
    const edits = editDistance(wanted, candidate.toLowerCase(), bestEdits - 1);
    if (edits < bestEdits) [best, bestEdits] = [candidate, edits];
  }
  return best;
}

/** As nearest. Undefined too for a word for which nothing is looked up any more. */
export type Suggest = (word: string, candidates: () => Iterable<string>) => string | undefined;

/** Nobody reads more of them, and each looks at all candidates. */
const mostSuggestions = 100;

/** Suggestions for the first hundred words of a file that may have thousands, each with as many candidates. */
export function firstSuggestions(): Suggest {
  let left = mostSuggestions;
  return (word, candidates) => (left-- > 0 ? nearest(word, candidates()) : undefined);
}

/**
 * Optimal string alignment distance; infinite where it is more than `most`. Only places of `b` at most so far from that of `a` are
 * looked at (Ukkonen's band), so that the work grows with the length and not with its square.
 */
function editDistance(a: string, b: string, most: number): number {
  // The column of row i at index k is i + k - most.
  const width = 2 * most + 1;
  let beforeLast: readonly number[] = [];
  let last: readonly number[] = Array.from({ length: width }, (_, k) => (k < most ? Number.POSITIVE_INFINITY : k - most));
  for (let i = 1; i <= a.length; i++) {
    const row: number[] = [];
    for (let k = 0; k < width; k++) {
      const j = i + k - most;
      row.push(j > 0 && j <= b.length ? edits(i, j, k, row) : j === 0 ? i : Number.POSITIVE_INFINITY);
    }
    if (Math.min(...row) > most) return Number.POSITIVE_INFINITY;
    [beforeLast, last] = [last, row];
  }
  return at(last, b.length - a.length + most);

  function edits(i: number, j: number, k: number, row: readonly number[]): number {
    const replace = at(last, k) + (a[i - 1] === b[j - 1] ? 0 : 1);
    const least = Math.min(replace, at(last, k + 1) + 1, at(row, k - 1) + 1);
    const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
    return isSwap ? Math.min(least, at(beforeLast, k) + 1) : least;
  }
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
