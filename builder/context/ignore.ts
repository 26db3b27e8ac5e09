import { posix } from "node:path";
import type { ByteString } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../../store/errors.ts";
import { compileIgnorePattern, type IgnorePattern } from "./ignore-pattern.ts";
import { pathText } from "./pattern.ts";

/** Patterns of which the last that matches a path, or a directory above it, decides. Paths are relative, without a leading slash; "" is never excluded. */
export interface PathRules {
  excludes(path: ByteString): boolean;
  /** Of an excluded directory: whether a later `!` rule could match something below it, so that it must be walked all the same. */
  mayReincludeBelow(directory: ByteString): boolean;
}

/** What a .dockerignore says. Paths are relative to the context. */
export interface IgnoreRules extends PathRules {
  /** Of an excluded path: the rule that decides. */
  excludedBy(path: ByteString): IgnoreLine | undefined;
}

/** A rule as it is written. */
export interface IgnoreLine {
  /** The ignore file's name. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly text: string;
}

interface Rule {
  readonly pattern: IgnorePattern;
  /** It begins with `!`. */
  readonly includes: boolean;
}

/** A directory of the last path asked about, and for each rule whether it matches the directory or one above. */
interface Level {
  readonly directory: string;
  readonly hits: Uint8Array;
}

/**
 * Reads an ignore file: a comment has its `#` in the first column, blanks around a pattern and behind `!` do not count, paths are
 * cleaned and lose a leading slash. Throws INVALID_IGNORE_FILE with the line's number; `file` is its name in errors.
 */
export function parseIgnoreFile(text: string, file = ".dockerignore"): IgnoreRules {
  const lines = text
    .replace(/^\ufeff/, "")
    .split("\n")
    .flatMap((line, index) => (line.startsWith("#") || trim(line) === "" ? [] : [{ file, line: index + 1, text: trim(line) }]));
  const { deciding, ...rules } = compileRules(lines.map(parseLine));
  return {
    ...rules,
    excludedBy(path) {
      const rule = path === "" ? -1 : deciding(pathText(path));
      return rules.excludes(path) ? lines[rule] : undefined;
    },
  };
}

/** The patterns of `--exclude`: those of an ignore file, but that a leading slash stays, and so matches nothing. Throws INVALID_PATTERN. */
export function excludeRules(patterns: readonly string[]): PathRules {
  return compileRules(patterns.map(trim).flatMap((pattern) => (pattern === "" ? [] : [compileRule(pattern, (path) => path)])));
}

/** Leaves out all but what the pattern matches, and what is below that. Throws INVALID_PATTERN. */
export function allowRules(pattern: string): PathRules {
  return compileRules([
    { includes: false, pattern: compileIgnorePattern("**") },
    { includes: true, pattern: compileIgnorePattern(pattern) },
  ]);
}

function parseLine({ file, line, text }: IgnoreLine): Rule {
  try {
    // Only one leading slash goes: "/" alone stays, and matches nothing.
    return compileRule(text, (path) => path.replace(/^\/(?=.)/s, ""));
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    throw new TsbuildError("INVALID_IGNORE_FILE", `${file}:${line}: ${error.message}`, {
      cause: error,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
}

function compileRule(written: string, finish: (path: string) => string): Rule {
  const includes = written.startsWith("!");
  const path = includes ? trim(written.slice(1)) : written;
  const cleaned = path === "" ? "" : finish(cleanPath(path));
  if (includes && (cleaned === "" || cleaned === "/")) {
    throw new TsbuildError("INVALID_PATTERN", 'reading the pattern "!": a path must follow the exclamation mark');
  }
  return { includes, pattern: compileIgnorePattern(cleaned) };
}

const blank = /^\p{White_Space}$/u;

/** Unicode's white space, as Go trims it; JavaScript takes U+FEFF for a blank too, and U+0085 for none. */
function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && blank.test(text.charAt(start))) start++;
  while (end > start && blank.test(text.charAt(end - 1))) end--;
  return text.slice(start, end);
}

/** Go's filepath.Clean: like normalize, but without a trailing slash. */
function cleanPath(path: string): string {
  const cleaned = posix.normalize(path);
  return cleaned.length > 1 && cleaned.endsWith("/") ? cleaned.slice(0, -1) : cleaned;
}

function compileRules(rules: readonly Rule[]): PathRules & { deciding(path: string): number } {
  // A walk asks about neighbours, so what the rules say about the directories above is kept from one path to the next.
  const levels: Level[] = [];

  function hitsOf(directory: string): Uint8Array | undefined {
    if (directory === "") return undefined;
    while (levels.length > 0 && !isWithin(directory, (levels.at(-1) as Level).directory)) levels.pop();
    let known = levels.at(-1);
    for (let at = known?.directory.length ?? -1; at < directory.length; ) {
      const next = directory.indexOf("/", at + 1);
      at = next < 0 ? directory.length : next;
      const above: Level | undefined = known;
      const below = directory.slice(0, at);
      known = { directory: below, hits: Uint8Array.from(rules, ({ pattern }, i) => (above?.hits[i] || pattern.matches(below) ? 1 : 0)) };
      levels.push(known);
    }
    return known?.hits;
  }

  /** The index of the rule that decides about a path's text, or -1. */
  function deciding(path: string): number {
    const above = hitsOf(path.slice(0, Math.max(0, path.lastIndexOf("/"))));
    for (let i = rules.length - 1; i >= 0; i--) if (above?.[i] || rules[i]?.pattern.matches(path)) return i;
    return -1;
  }

  return {
    deciding,
    excludes(path) {
      if (path === "" || rules.length === 0) return false;
      const rule = rules[deciding(pathText(path))];
      return rule !== undefined && !rule.includes;
    },
    mayReincludeBelow(directory) {
      const text = pathText(directory);
      const after = deciding(text);
      return rules.some(({ includes, pattern }, i) => includes && i > after && pattern.mayMatchBelow(text));
    },
  };
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || (path.startsWith(directory) && path[directory.length] === "/");
}
