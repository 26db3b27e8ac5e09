import { existsSync } from "node:fs";
import { nearest } from "../dockerfile/suggest.ts";
import { isCommandName, summaries } from "./command-names.ts";

/**
 * The hint for a word that was read as a build's context: a command's name that stands behind flags is to go first; what is not there may be a misspelt command. Undefined for what
 * is there, and for what is written as a path.
 */
export function misplacedCommand(argv: readonly string[], word: string): string | undefined {
  if (isCommandName(word)) return `write tsbuild ${[word, ...argv.toSpliced(argv.lastIndexOf(word), 1)].join(" ")}`;
  if (existsSync(word)) return undefined;
  const command = nearest(word, [...Object.keys(summaries), "help"]);
  if (command !== undefined) return `did you mean the command ${command}?`;
  return word.includes("/") ? undefined : `${word} is no command either: tsbuild --help lists them`;
}
