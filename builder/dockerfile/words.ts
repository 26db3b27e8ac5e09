import { type Expansion, type Lookup, scanWord } from "./scan-word.ts";

export interface ExpandOptions {
  readonly escape: "\\" | "`";
}

/**
 * Expands variables and removes quotes and escapes, as the Dockerfile reference says under "Environment replacement":
 * $v ${v} ${v-w} ${v:-w} ${v+w} ${v:+w} ${v?w} ${v:?w} ${v#p} ${v##p} ${v%p} ${v%%p} ${v/p/r} ${v//p/r}, nested.
 * Throws BAD_SUBSTITUTION, UNTERMINATED_QUOTE, REQUIRED_VARIABLE (the `?` forms), INVALID_PATTERN, WORD_TOO_LONG.
 */
export function expandWord(word: string, env: Lookup, options: ExpandOptions): string {
  return isPlain(word, options) ? word : expansionOf(word, env, options).text;
}

/** As `expandWord`, but split into words: none for an empty result. */
export function expandWords(word: string, env: Lookup, options: ExpandOptions): readonly string[] {
  return expansionOf(word, env, options).words;
}

/** Expands the body of a heredoc: quotes are text there, and the escape character is always a backslash. */
export function expandDocument(content: string, env: Lookup): string {
  return scanWord({ source: content, env, escape: "\\", quotes: false }).text;
}

/** As `expandWord`, with everything there is to know about it. */
export function expansionOf(word: string, env: Lookup, options: ExpandOptions): Expansion {
  return scanWord({ source: word, env, escape: options.escape, quotes: true });
}

function isPlain(word: string, options: ExpandOptions): boolean {
  return !/[$'"]/.test(word) && !word.includes(options.escape);
}
