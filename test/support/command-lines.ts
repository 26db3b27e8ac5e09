import { isCommandName } from "../../builder/cli/command-names.ts";
import type { Code } from "./markdown.ts";

/** A call of tsbuild in a page. */
export interface CommandLine {
  readonly line: number;
  readonly command: string;
  readonly argv: readonly string[];
}

/** Words of a command line of a shell, up to where another command, a redirection or a comment begins. */
function wordsOf(text: string): string[] {
  const words = [...text.matchAll(/(?:'[^']*'|[^\s'])+/g)].map(([word]) => word.replaceAll("'", ""));
  const end = words.findIndex((word) => /^(?:[|<>#;]|&&$)/.test(word));
  return end === -1 ? words : words.slice(0, end);
}

/** Calls that are written out, `tsbuild …`, and those that begin with a command and have flags, `prune --all`. `tsbuild COMMAND` stands for all of them and is none. */
export function commandLines(code: readonly Code[]): CommandLine[] {
  return code.flatMap(({ line, text }) => {
    const written = [...text.matchAll(/(?<![\w/.-]|# .*)tsbuild +(.*)/g)].map(([, rest = ""]) => wordsOf(rest));
    const [first = ""] = text.split(" ");
    const calls = written.length === 0 && isCommandName(first) && text.includes(" --") ? [wordsOf(text)] : written;
    return calls.flatMap(([word = "", ...rest]) => {
      if (/^[A-Z]+$/.test(word)) return [];
      return [word.startsWith("-") ? { line, command: "build", argv: [word, ...rest] } : { line, command: word, argv: rest }];
    });
  });
}
