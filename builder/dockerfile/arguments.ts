/** A piece of a logical line, with its offset there. */
export interface Token {
  readonly text: string;
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

const blank = /[\t\v\f\r ]/;

/** The instruction's name in upper case, and the offset of what follows it. */
export function keywordOf(text: string, from: number): { keyword: string; from: number; to: number; next: number } {
  const start = skipBlanks(text, from);
  let to = start;
  while (to < text.length && !blank.test(text[to] as string)) to++;
  return { keyword: text.slice(start, to).toUpperCase(), from: start, to, next: skipBlanks(text, to) };
}

export function skipBlanks(text: string, from: number): number {
  let at = from;
  while (at < text.length && blank.test(text[at] as string)) at++;
  return at;
}

/** The words between blanks, as written: quotes do not hold a word together in FROM, COPY, EXPOSE and their like. */
export function blankSeparated(text: string, from: number): Token[] {
  const tokens: Token[] = [];
  const pattern = /[^\t\v\f\r ]+/g;
  pattern.lastIndex = from;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    tokens.push({ text: match[0], from: match.index, to: pattern.lastIndex });
  }
  return tokens;
}

/**
 * The leading words that begin with `--`, without their outer quotes and escapes, up to the first other word or a lone `--`.
 * `rest` is the offset of what follows.
 */
export function leadingFlags(text: string, from: number): { flags: readonly Token[]; rest: number } {
  const flags: Token[] = [];
  let at = skipBlanks(text, from);
  while (text.startsWith("--", at)) {
    const start = at;
    let word = "";
    let quote: string | undefined;
    for (; at < text.length; at++) {
      const char = text[at] as string;
      if (quote === undefined && blank.test(char)) break;
      if (char === quote) quote = undefined;
      else if (quote === undefined && (char === "'" || char === '"')) quote = char;
      else if (char !== "\\") word += char;
      else if (at + 1 < text.length) word += text[++at];
    }
    const to = at;
    at = skipBlanks(text, at);
    if (word === "--") break;
    flags.push({ text: word, from: start, to });
  }
  return { flags, rest: at };
}

/** The offset of the first argument behind an instruction's flags. */
export function argumentsFrom(text: string, from: number): number {
  return leadingFlags(text, from).rest;
}
