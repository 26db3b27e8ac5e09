import type { Token } from "./arguments.ts";
import { Fault, quoted } from "./fault.ts";
import type { KeyValue, Word } from "./instruction.ts";

/** Splits at blanks outside quotes; quotes and escapes stay in the words. */
export function quotedWords(text: string, from: number, escapeChar: string): Token[] {
  const tokens: Token[] = [];
  let word = "";
  let start = -1;
  let quote: string | undefined;
  for (let at = from; at <= text.length; at++) {
    const char = text[at];
    if (char === undefined || (quote === undefined && /\s/.test(char))) {
      if (word !== "") tokens.push({ text: word, from: start, to: at });
      [word, start] = ["", -1];
      continue;
    }
    if (start < 0) start = at;
    if (char === escapeChar && quote !== "'") {
      // An escape character at the very end means nothing.
      if (at + 1 === text.length) continue;
      word += char + text[++at];
      continue;
    }
    if (quote === undefined && (char === "'" || char === '"')) quote = char;
    else if (char === quote) quote = undefined;
    word += char;
  }
  return tokens;
}

/** `KEY=value KEY2=value2 …`, or the old form `KEY the rest of the line`. */
export function keyValues(keyword: string, text: string, from: number, escapeChar: string): readonly KeyValue[] {
  const words = quotedWords(text, from, escapeChar);
  const [first] = words;
  if (first === undefined) throw new Fault("MISSING_ARGUMENT", `${keyword} needs at least one key=value`, 0, text.length);
  if (!first.text.includes("=")) {
    const [, key = "", value] = /^(\S+)[\t\v\f\r ]+(.*)$/s.exec(text.slice(from)) ?? [];
    if (value !== undefined) return [{ key, value }];
    throw new Fault("MISSING_ARGUMENT", `${keyword} ${quoted(first.text)} has no value`, first.from, first.to, {
      hint: `write ${keyword} ${first.text}=VALUE`,
    });
  }
  return words.map((word) => {
    const equals = word.text.indexOf("=");
    if (equals < 0) {
      throw new Fault("INVALID_KEY_VALUE", `${keyword} has a word without "=": ${quoted(word.text)}`, word.from, word.to, {
        hint: "a value with blanks in it needs quotes",
      });
    }
    if (equals === 0) throw new Fault("INVALID_KEY_VALUE", `${keyword} has a blank name before "="`, word.from, word.to);
    return { key: word.text.slice(0, equals), value: word.text.slice(equals + 1) };
  });
}

/** `NAME` or `NAME=default`, any number of them. */
export function argDeclarations(text: string, from: number, escapeChar: string): readonly { readonly name: Word; readonly value?: Word }[] {
  const words = quotedWords(text, from, escapeChar);
  if (words.length === 0) throw new Fault("MISSING_ARGUMENT", "ARG needs at least one name", 0, text.length);
  return words.map((word) => {
    const equals = word.text.indexOf("=");
    if (equals === 0) throw new Fault("INVALID_KEY_VALUE", 'ARG has a blank name before "="', word.from, word.to);
    return equals < 0 ? { name: word.text } : { name: word.text.slice(0, equals), value: word.text.slice(equals + 1) };
  });
}
