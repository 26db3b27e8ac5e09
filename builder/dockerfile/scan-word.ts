import { TsbuildError } from "../../runtime-addon/index.ts";
import { replacePattern, trimEndPattern, trimStartPattern } from "./shell-pattern.ts";

/** The value of a variable; undefined when it is not set. */
export type Lookup = (name: string) => string | undefined;

export interface Expansion {
  readonly text: string;
  /** The text split at blanks that were neither quoted nor escaped; blanks from variables split too. */
  readonly words: readonly string[];
  /** Names looked up and found, in order of first use. */
  readonly used: readonly string[];
  /** Names looked up in vain, but for those whose form says what to do then (`-`, `+`, `?`). */
  readonly unset: readonly string[];
}

/** By how many UTF-16 units a word may grow. A few lines that double a variable would fill all memory; nothing can use so long a word. */
const maxGrowth = 1 << 20;
const maxDepth = 200;

interface Scan {
  readonly source: string;
  readonly env: Lookup;
  readonly escape: string;
  readonly quotes: boolean;
  readonly used: Set<string>;
  readonly unset: Set<string>;
  at: number;
  depth: number;
}

/** Reads a whole word or, without `quotes`, a text in which quotes are text. Throws as `expandWord` says. */
export function scanWord(start: Pick<Scan, "source" | "env" | "escape" | "quotes">): Expansion {
  const scan: Scan = { ...start, used: new Set(), unset: new Set(), at: 0, depth: 0 };
  const { text, words } = scanUntil(scan, undefined, false);
  return { text, words, used: [...scan.used], unset: [...scan.unset] };
}

/** Reads up to `stop`, which it consumes, or to the end. `raw` keeps escape characters: patterns read them later. */
function scanUntil(scan: Scan, stop: string | undefined, raw: boolean): { text: string; words: string[] } {
  const out = new Output(scan);
  while (scan.at < scan.source.length) {
    const char = scan.source[scan.at] as string;
    if (char === stop) {
      scan.at++;
      return out.finished();
    }
    if (char === "$") out.split(dollar(scan));
    else if (scan.quotes && char === "'") out.keep(singleQuoted(scan));
    else if (scan.quotes && char === '"') out.keep(doubleQuoted(scan, raw));
    else if (char === scan.escape) {
      if (raw) out.keep(char);
      const next = scan.source[scan.at + 1];
      scan.at += 2;
      if (next !== undefined) out.keep(next);
    } else {
      const end = plainEnd(scan, stop);
      out.split(scan.source.slice(scan.at, end));
      scan.at = end;
    }
  }
  if (stop === undefined) return out.finished();
  throw stop === "}" ? unclosed(scan) : bad(scan, `the "${stop}" that ends the pattern is missing`);
}

/** The end of the run of characters from here on that mean themselves. */
function plainEnd({ source, at, escape: escapeChar, quotes }: Scan, stop: string | undefined): number {
  for (let end = at + 1; end < source.length; end++) {
    const char = source[end] as string;
    if (char === "$" || char === escapeChar || char === stop || (quotes && (char === "'" || char === '"'))) return end;
  }
  return source.length;
}

function singleQuoted(scan: Scan): string {
  const close = scan.source.indexOf("'", scan.at + 1);
  if (close < 0) throw unterminated(scan, "'");
  const text = scan.source.slice(scan.at + 1, close);
  scan.at = close + 1;
  return text;
}

function doubleQuoted(scan: Scan, raw: boolean): string {
  const { source, escape: escapeChar } = scan;
  let text = "";
  let from = ++scan.at;
  while (scan.at < source.length) {
    const char = source[scan.at] as string;
    if (char === '"') {
      text += source.slice(from, scan.at++);
      return text;
    }
    if (char === "$") {
      text += source.slice(from, scan.at);
      text += dollar(scan);
      from = scan.at;
    } else if (char === escapeChar) {
      const next = source[scan.at + 1];
      const isEscape = next === '"' || next === "$" || next === escapeChar;
      // Before anything else the escape character is text, and in a pattern it is kept for the pattern, which then reads it doubled.
      if (isEscape || raw) text += source.slice(from, scan.at) + (raw ? escapeChar : "");
      if (isEscape || raw) from = isEscape ? scan.at + 1 : scan.at;
      scan.at += isEscape ? 2 : 1;
    } else scan.at++;
    checkGrowth(scan, text);
  }
  throw unterminated(scan, '"');
}

function dollar(scan: Scan): string {
  scan.at++;
  if (scan.source[scan.at] !== "{") {
    const name = readName(scan);
    return name === "" ? "$" : (lookup(scan, name, false) ?? "");
  }
  if (++scan.depth > maxDepth) throw bad(scan, `it is nested more than ${maxDepth} deep`);
  scan.at++;
  const value = braced(scan);
  scan.depth--;
  return value;
}

function braced(scan: Scan): string {
  const { source } = scan;
  const name = readName(scan);
  const mark = source[scan.at];
  if (mark === undefined) throw unclosed(scan);
  scan.at++;
  if (name === "") throw bad(scan, "a name must follow ${");
  if (mark === "}") return lookup(scan, name, false) ?? "";
  if (mark === ":") {
    const modifier = source[scan.at];
    if (modifier === undefined) throw unclosed(scan);
    scan.at++;
    if (modifier === "-" || modifier === "+" || modifier === "?") return conditional(scan, name, modifier, true);
    throw bad(scan, `there is no modifier ":${printable(modifier)}"`);
  }
  if (mark === "-" || mark === "+" || mark === "?") return conditional(scan, name, mark, false);
  if (mark === "#" || mark === "%") {
    const written = scanUntil(scan, "}", true).text;
    const longest = written.startsWith(mark);
    const value = lookup(scan, name, false) ?? "";
    const pattern = longest ? written.slice(1) : written;
    return mark === "#" ? trimStartPattern(value, pattern, longest) : trimEndPattern(value, pattern, longest);
  }
  if (mark === "/") {
    const all = source[scan.at] === "/";
    if (all) scan.at++;
    const pattern = scanUntil(scan, "/", true).text;
    const replacement = scanUntil(scan, "}", true).text;
    const value = lookup(scan, name, false) ?? "";
    return replacePattern(value, pattern, replacement, all, maxGrowth);
  }
  throw bad(scan, `there is no modifier "${printable(mark)}"`);
}

function conditional(scan: Scan, name: string, modifier: "-" | "+" | "?", emptyIsUnset: boolean): string {
  // The word is read whether it is used or not: it must be well-formed, and its variables are used by this text.
  const word = scanUntil(scan, "}", false).text;
  const value = lookup(scan, name, true);
  const isSet = value !== undefined && !(emptyIsUnset && value === "");
  if (modifier === "-") return isSet ? value : word;
  if (modifier === "+") return isSet ? word : "";
  if (isSet) return value;
  const problem = word === "" ? `is not allowed to be ${value === undefined ? "unset" : "empty"}` : word;
  throw new TsbuildError("REQUIRED_VARIABLE", `${name}: ${problem}`, { hint: `set it with ARG, ENV or --build-arg ${name}=VALUE` });
}

/** A name: letters, digits and `_`; or digits only where it begins with one; or one of the shell's special parameters. */
function readName(scan: Scan): string {
  const pattern = /\p{Nd}+|[@*#?\-$!]|[\p{L}_][\p{L}\p{Nd}_]*/uy;
  pattern.lastIndex = scan.at;
  const name = pattern.exec(scan.source)?.[0] ?? "";
  scan.at += name.length;
  return name;
}

function lookup(scan: Scan, name: string, mayBeUnset: boolean): string | undefined {
  const value = scan.env(name);
  if (value !== undefined) scan.used.add(name);
  else if (!mayBeUnset) scan.unset.add(name);
  return value;
}

function bad({ source }: Scan, problem: string, hint = "a $ that is meant as text is written \\$"): TsbuildError {
  return new TsbuildError("BAD_SUBSTITUTION", `expanding ${shown(source)}: ${problem}`, { hint });
}

function unclosed(scan: Scan): TsbuildError {
  return bad(
    scan,
    'the closing "}" is missing',
    "words end at blanks: one with blanks in it stands in double quotes; a $ that is meant as text is written \\$",
  );
}

function unterminated({ source }: Scan, quote: string): TsbuildError {
  return new TsbuildError("UNTERMINATED_QUOTE", `expanding ${shown(source)}: the closing ${quote} is missing`);
}

function shown(source: string): string {
  return JSON.stringify(source.length > 80 ? `${source.slice(0, 80)}…` : source);
}

function printable(char: string): string {
  return char < " " ? "\ufffd" : char;
}

function checkGrowth({ source }: Scan, text: string): void {
  if (text.length <= source.length + maxGrowth) return;
  throw new TsbuildError("WORD_TOO_LONG", `expanding ${shown(source)}: it grows by more than ${maxGrowth} characters`);
}

/** The text of one level, and the same split into words. */
class Output {
  private readonly scan: Scan;
  private text = "";
  private word = "";
  private readonly words: string[] = [];

  constructor(scan: Scan) {
    this.scan = scan;
  }

  /** Adds text whose blanks end words. */
  split(text: string): void {
    this.grow(text);
    let from = 0;
    for (const blank of text.matchAll(/\s+/g)) {
      this.word += text.slice(from, blank.index);
      this.endWord();
      from = blank.index + blank[0].length;
    }
    this.word += text.slice(from);
  }

  /** Adds text whose blanks do not. */
  keep(text: string): void {
    this.grow(text);
    this.word += text;
  }

  finished(): { text: string; words: string[] } {
    this.endWord();
    return { text: this.text, words: this.words };
  }

  private grow(text: string): void {
    this.text += text;
    checkGrowth(this.scan, this.text);
  }

  private endWord(): void {
    if (this.word !== "") this.words.push(this.word);
    this.word = "";
  }
}
