import { type ByteString, bufferOf, textOf } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../../store/errors.ts";
import { shownText } from "./shown-text.ts";

/** A character class: `[a-z]`, `[^ab]`. */
export interface CharacterClass {
  readonly kind: "class";
  readonly negated: boolean;
  /** Code points, both ends included. */
  readonly ranges: readonly (readonly [number, number])[];
}

type Unit = { readonly kind: "char"; readonly char: string } | { readonly kind: "any" } | CharacterClass;

/** Whether a COPY source names files by pattern: it holds `*`, `?` or `[` that no backslash takes the meaning from. */
export function hasWildcard(word: string): boolean {
  return /^(?:[^\\*?[]|\\.)*[*?[]/s.test(word);
}

/**
 * Compiles a pattern of Go's filepath.Match: `*` is any run without `/`, `?` one character but `/`, `[…]` a class, `\` an escape.
 * A character is a code point; a byte that is not UTF-8 is one too. Throws INVALID_PATTERN.
 */
export function compilePattern(pattern: ByteString): (name: ByteString) => boolean {
  const runs = parsePattern(pathText(pattern));
  return (name) => matchRuns(runs, [...pathText(name)]);
}

/** Throws INVALID_PATTERN for what filepath.Match calls a bad pattern. */
export function checkPattern(pattern: string): void {
  parsePattern(pattern);
}

/** The text of a path; bytes that are not UTF-8 become the lone surrogates U+DC80 to U+DCFF, so that no two paths become equal. */
export function pathText(path: ByteString): string {
  const text = textOf(path);
  if (!text.includes("\ufffd")) return text;
  return path.replace(characters, (bytes) =>
    bytes.length === 1 ? String.fromCharCode(0xdc00 + bytes.charCodeAt(0)) : bufferOf(bytes as ByteString).toString("utf8"),
  );
}

/** Well-formed UTF-8 sequences (Unicode standard, table 3-7), and any other byte. */
const characters =
  /[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|[\x80-\xff]/g;

/** The runs between the stars: `a*b` gives two. */
function parsePattern(pattern: string): readonly (readonly Unit[])[] {
  const chars = [...pattern];
  let run: Unit[] = [];
  const runs = [run];
  for (let at = 0; at < chars.length; ) {
    const char = chars[at] as string;
    if (char === "*") {
      run = [];
      runs.push(run);
      at++;
    } else if (char === "?") {
      run.push({ kind: "any" });
      at++;
    } else if (char === "[") {
      const { unit, next } = parseClass(chars, at, pattern);
      run.push(unit);
      at = next;
    } else if (char === "\\") {
      const escaped = chars[at + 1];
      if (escaped === undefined) throw badPattern(pattern, "it ends in a backslash");
      run.push({ kind: "char", char: escaped });
      at += 2;
    } else {
      run.push({ kind: "char", char });
      at++;
    }
  }
  return runs;
}

/** Reads the class that opens at `open`; `next` is behind its bracket. Throws INVALID_PATTERN. */
export function parseClass(chars: readonly string[], open: number, pattern: string): { unit: CharacterClass; next: number } {
  let at = open + 1;
  const negated = chars[at] === "^";
  if (negated) at++;
  const ranges: [number, number][] = [];
  const one = (): number => {
    const char = chars[at];
    if (char === undefined) throw badPattern(pattern, 'a "[" is not closed');
    if (char === "-" || char === "]") throw badPattern(pattern, `a class holds a bare "${char}"`);
    if (char === "\\") at++;
    const point = chars[at++]?.codePointAt(0);
    if (point === undefined) throw badPattern(pattern, 'a "[" is not closed');
    return point;
  };
  while (chars[at] !== "]" || ranges.length === 0) {
    const low = one();
    if (chars[at] !== "-") ranges.push([low, low]);
    else {
      at++;
      ranges.push([low, one()]);
    }
  }
  return { unit: { kind: "class", negated, ranges }, next: at + 1 };
}

export function inClass({ negated, ranges }: CharacterClass, char: string): boolean {
  const point = char.codePointAt(0) ?? 0;
  return ranges.some(([low, high]) => low <= point && point <= high) !== negated;
}

/** Each run is put at the first place where it fits, the last at the end: no choice is ever taken back, so time is name × pattern. */
function matchRuns([first = [], ...others]: readonly (readonly Unit[])[], name: readonly string[]): boolean {
  if (!runAt(first, name, 0)) return false;
  let at = first.length;
  const last = others.pop();
  if (last === undefined) return at === name.length;
  for (const run of others) {
    while (!runAt(run, name, at)) if (at >= name.length || name[at++] === "/") return false;
    at += run.length;
  }
  const end = name.length - last.length;
  return end >= at && runAt(last, name, end) && !name.slice(at, end).includes("/");
}

function runAt(run: readonly Unit[], name: readonly string[], at: number): boolean {
  if (at + run.length > name.length) return false;
  for (let i = 0; i < run.length; i++) {
    const unit = run[i] as Unit;
    const char = name[at + i] as string;
    if (unit.kind === "char" ? unit.char !== char : unit.kind === "any" ? char === "/" : !inClass(unit, char)) return false;
  }
  return true;
}

function badPattern(pattern: string, problem: string): TsbuildError {
  return new TsbuildError("INVALID_PATTERN", `reading the pattern "${shownText(pattern)}": ${problem}`, {
    hint: "a character that is meant as itself is written with a backslash before it",
  });
}
