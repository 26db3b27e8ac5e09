import { posix } from "node:path";
import type { ByteString } from "../../runtime-addon/index.ts";
import { TsbuildError } from "../../store/errors.ts";
import { compileIgnorePattern, type IgnorePattern } from "./ignore-pattern.ts";
import { pathText } from "./pattern.ts";

/** What a .dockerignore says. Paths are relative to the context, without a leading slash; the context itself is never excluded. */
export interface IgnoreRules {
  /** Whether a COPY cannot see this path: the last rule that matches it or a directory above it decides. */
  excludes(path: ByteString): boolean;
  /** Of an excluded directory: whether a later `!` rule could match something below it, so that it must be walked all the same. */
  mayReincludeBelow(directory: ByteString): boolean;
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
  const rules = text
    .replace(/^\ufeff/, "")
    .split("\n")
    .flatMap((line, index) => (line.startsWith("#") || line.trim() === "" ? [] : [parseRule(line, file, index + 1)]));
  return rulesOf(rules);
}

function parseRule(line: string, file: string, lineNumber: number): Rule {
  try {
    return compileRule(line.trim());
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    throw new TsbuildError("INVALID_IGNORE_FILE", `${file}:${lineNumber}: ${error.message}`, {
      cause: error,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
}

function compileRule(written: string): Rule {
  const includes = written.startsWith("!");
  const path = includes ? written.slice(1).trim() : written;
  // Only one leading slash goes: "/" alone stays, and matches nothing.
  const cleaned = path === "" ? "" : cleanPath(path).replace(/^\/(?=.)/s, "");
  if (includes && (cleaned === "" || cleaned === "/")) {
    throw new TsbuildError("INVALID_PATTERN", 'reading the pattern "!": a path must follow the exclamation mark');
  }
  return { includes, pattern: compileIgnorePattern(cleaned) };
}

/** Go's filepath.Clean: like normalize, but without a trailing slash. */
function cleanPath(path: string): string {
  const cleaned = posix.normalize(path);
  return cleaned.length > 1 && cleaned.endsWith("/") ? cleaned.slice(0, -1) : cleaned;
}

function rulesOf(rules: readonly Rule[]): IgnoreRules {
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

  /** The index of the rule that decides about a path, or -1. */
  function deciding(path: string): number {
    const above = hitsOf(path.slice(0, Math.max(0, path.lastIndexOf("/"))));
    for (let i = rules.length - 1; i >= 0; i--) if (above?.[i] || rules[i]?.pattern.matches(path)) return i;
    return -1;
  }

  return {
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
