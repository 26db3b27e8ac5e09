import { TsbuildError } from "../../runtime-addon/index.ts";
import { quoted } from "./fault.ts";

/** One character: itself, or any. */
type Unit = string | typeof anyUnit;
const anyUnit = Symbol("?");
const maxPattern = 1024;

/** A pattern of `${v#p}` and its like: the runs of characters between its stars. `a*b` is two runs, `*` two empty ones. */
type ShellPattern = readonly (readonly Unit[])[];

/**
 * Reads `*` and `?`; there are no bracket classes. A backslash takes the meaning from `*`, `?` and itself, and protects `}` and `/`.
 * Throws INVALID_PATTERN for any other escape.
 */
function parsePattern(text: string): ShellPattern {
  // Matching takes value × pattern steps, and a value may be a million characters.
  if (text.length > maxPattern) throw new TsbuildError("INVALID_PATTERN", `reading a pattern: it is longer than ${maxPattern} characters`);
  let run: Unit[] = [];
  const runs = [run];
  const chars = [...text];
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i] as string;
    if (char === "*") {
      run = [];
      runs.push(run);
    } else if (char === "?") run.push(anyUnit);
    else if (char === "\\") {
      const next = chars[++i];
      if (next === undefined || !"*?\\}/".includes(next)) {
        throw new TsbuildError(
          "INVALID_PATTERN",
          `reading the pattern ${quoted(text)}: a backslash may stand before *, ?, /, } and itself only`,
        );
      }
      run.push(next);
    } else run.push(char);
  }
  return runs;
}

/** `value` without the shortest or longest beginning that the pattern matches. */
export function trimStartPattern(value: string, pattern: string, longest: boolean): string {
  const chars = [...value];
  const end = prefixEnd(chars, parsePattern(pattern), longest);
  return end === undefined ? value : chars.slice(end).join("");
}

/** `value` without the shortest or longest end that the pattern matches. */
export function trimEndPattern(value: string, pattern: string, longest: boolean): string {
  const backwards = parsePattern(pattern).map((run) => run.toReversed());
  const chars = [...value].reverse();
  const end = prefixEnd(chars, backwards.reverse(), longest);
  return end === undefined ? value : chars.slice(end).reverse().join("");
}

/**
 * `value` with the first match, or all, replaced: each the leftmost and longest. An empty match counts, but not right behind
 * another match. Throws WORD_TOO_LONG when the result would grow by more than `limit`.
 */
export function replacePattern(value: string, pattern: string, replacement: string, all: boolean, limit: number): string {
  const runs = parsePattern(pattern);
  const chars = [...value];
  const parts: string[] = [];
  let added = 0;
  let copied = 0;
  for (let at = 0; at <= chars.length; ) {
    const match = findMatch(chars, runs, at);
    if (match === undefined) break;
    parts.push(chars.slice(copied, match.start).join(""));
    if (match.end > copied || match.start === 0) {
      parts.push(replacement);
      added += replacement.length;
      if (added > limit) {
        throw new TsbuildError("WORD_TOO_LONG", `replacing ${quoted(pattern)}: the result grows by more than ${limit} characters`);
      }
    }
    copied = match.end;
    at = Math.max(match.end, at + 1);
    if (!all) break;
  }
  return parts.join("") + chars.slice(copied).join("");
}

/** Where the shortest or longest match that starts at 0 ends. Each run is looked for once, so time is value × pattern at most. */
function prefixEnd(chars: readonly string[], [first = [], ...others]: ShellPattern, longest: boolean): number | undefined {
  if (!runAt(chars, first, 0)) return undefined;
  return othersEnd(chars, others, first.length, longest);
}

function findMatch(
  chars: readonly string[],
  [first = [], ...others]: ShellPattern,
  from: number,
): { start: number; end: number } | undefined {
  // If any start fits, the first place of the first run does too: the stars behind it can take up the difference.
  const start = runAfter(chars, first, from);
  const end = start === undefined ? undefined : othersEnd(chars, others, start + first.length, true);
  return start === undefined || end === undefined ? undefined : { start, end };
}

function othersEnd(chars: readonly string[], others: ShellPattern, from: number, longest: boolean): number | undefined {
  let at = from;
  for (const [index, run] of others.entries()) {
    const isLast = index === others.length - 1;
    const found = isLast && longest ? runBefore(chars, run, at) : runAfter(chars, run, at);
    if (found === undefined) return undefined;
    at = found + run.length;
  }
  return at;
}

function runAfter(chars: readonly string[], run: readonly Unit[], from: number): number | undefined {
  for (let at = from; at + run.length <= chars.length; at++) if (runAt(chars, run, at)) return at;
  return undefined;
}

function runBefore(chars: readonly string[], run: readonly Unit[], from: number): number | undefined {
  for (let at = chars.length - run.length; at >= from; at--) if (runAt(chars, run, at)) return at;
  return undefined;
}

function runAt(chars: readonly string[], run: readonly Unit[], at: number): boolean {
  if (at + run.length > chars.length) return false;
  for (let i = 0; i < run.length; i++) if (run[i] !== anyUnit && run[i] !== chars[at + i]) return false;
  return true;
}
