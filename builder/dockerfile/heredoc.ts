import { argumentsFrom, keywordOf } from "./arguments.ts";
import type { Heredoc, ShellCommand } from "./instruction.ts";
import { jsonForm } from "./json-form.ts";
import { withoutCarriageReturns } from "./line-end.ts";

/** A `<<WORD` of an instruction, with its offsets in the logical line. */
export interface HeredocOpening {
  readonly name: string;
  /** False when any part of the word is quoted. */
  readonly expand: boolean;
  /** `<<-` */
  readonly stripTabs: boolean;
  readonly from: number;
  readonly to: number;
}

/** The heredocs that an instruction opens, in order: RUN, COPY and ADD only (also behind ONBUILD), and not in the exec form. */
export function heredocOpenings(text: string): readonly HeredocOpening[] {
  if (!text.includes("<<")) return [];
  let { keyword, next } = keywordOf(text, 0);
  if (keyword === "ONBUILD") ({ keyword, next } = keywordOf(text, next));
  if (keyword !== "RUN" && keyword !== "COPY" && keyword !== "ADD") return [];
  if (jsonForm(text.slice(argumentsFrom(text, next))) !== undefined) return [];
  const openings: HeredocOpening[] = [];
  for (const [from, to] of shellWords(text)) {
    const opening = heredocWord(text.slice(from, to), keyword === "RUN");
    if (opening !== undefined) openings.push({ ...opening, from, to });
  }
  return openings;
}

/** Reads one word as `<<NAME`: undefined when it is none. In a RUN the name ends where the shell would end it. */
export function heredocWord(word: string, inShell: boolean): Omit<HeredocOpening, "from" | "to"> | undefined {
  const match = /^\d*<<(-?)([^<]+)$/.exec(word);
  if (match === null) return undefined;
  const [, dash, written = ""] = match;
  let name = "";
  let expand = true;
  for (let i = 0; i < written.length; i++) {
    const char = written[i] as string;
    if (char === "\\" && i + 1 < written.length) {
      name += written[++i];
      expand = false;
    } else if (char === "'" || char === '"') {
      const close = written.indexOf(char, i + 1);
      if (close < 0) return undefined;
      name += written.slice(i + 1, close);
      i = close;
      expand = false;
    } else if (inShell && ";&|()>".includes(char)) break;
    else name += char;
  }
  return name === "" ? undefined : { name, expand, stripTabs: dash === "-" };
}

/** Reads the body that starts at line `from`. Undefined when the file ends before the terminator. */
export function heredocBody(
  { name, expand, stripTabs }: HeredocOpening,
  physical: readonly string[],
  from: number,
): { heredoc: Heredoc; next: number } | undefined {
  for (let at = from; at < physical.length; at++) {
    const line = withoutCarriageReturns(physical[at] ?? "");
    if ((stripTabs ? line.replace(/^\t+/, "") : line) !== name) continue;
    const raw = physical
      .slice(from, at)
      .map((bodyLine) => `${bodyLine}\n`)
      .join("");
    return { heredoc: { name, expand, raw, content: stripTabs ? raw.replace(/(^|\n)\t+/g, "$1") : raw }, next: at + 1 };
  }
  return undefined;
}

/** What a RUN in shell form runs. */
export type ShellScript =
  /** For the shell's -c. */
  | { readonly kind: "script"; readonly script: string }
  /** A program of its own: the body starts with `#!`. */
  | { readonly kind: "program"; readonly name: string; readonly content: string };

/**
 * A RUN of nothing but one heredoc runs the body; with anything beside it the shell gets the text and the bodies as written,
 * and reads its heredocs itself.
 */
export function shellScript({ script, heredocs }: ShellCommand): ShellScript {
  const [first] = heredocs;
  if (first === undefined) return { kind: "script", script };
  if (heredocs.length === 1 && heredocWord(script, false)?.name === first.name) {
    return first.content.startsWith("#!")
      ? { kind: "program", name: first.name, content: first.content }
      : { kind: "script", script: first.content };
  }
  return { kind: "script", script: [script, ...heredocs.map(({ raw, name }) => raw + name)].join("\n") };
}

/** Offsets of the words of a shell command line: quotes, escapes and `${…}` hold a word together. None when a quote stays open. */
function shellWords(text: string): readonly (readonly [number, number])[] {
  const words: [number, number][] = [];
  let start = -1;
  let braces = 0;
  for (let i = 0; i <= text.length; i++) {
    const char = text[i];
    if (char === undefined || (braces === 0 && /\s/.test(char))) {
      if (start >= 0) words.push([start, i]);
      start = -1;
      continue;
    }
    if (start < 0) start = i;
    if (char === "\\") i++;
    else if (char === "'" || char === '"') {
      const close = closingQuote(text, i);
      if (close === undefined) return [];
      i = close;
    } else if (char === "$" && text[i + 1] === "{") {
      braces++;
      i++;
    } else if (char === "}" && braces > 0) braces--;
  }
  return braces > 0 ? [] : words;
}

function closingQuote(text: string, open: number): number | undefined {
  const quote = text[open];
  for (let i = open + 1; i < text.length; i++) {
    if (text[i] === quote) return i;
    if (text[i] === "\\" && quote === '"') i++;
  }
  return undefined;
}
