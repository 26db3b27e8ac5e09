import { existsSync } from "node:fs";
import { nearest } from "../dockerfile/suggest.ts";
import { isCommandName, summaries } from "./command-names.ts";

const foreground = "containers run in the foreground until their command ends; tsbuild ps lists those that run --keep left";

/** Words that Docker has, and what stands for them here. */
const dockerWords: ReadonlyMap<string, string> = new Map([
  ["image", "commands about images stand alone: images, inspect, history, tag, rmi, prune, save, load, pull, push"],
  ["container", "commands about containers stand alone: run, ps, rm, commit"],
  ["system", "these stand alone: df, prune, info"],
  ["builder", "these stand alone: build, prune, df"],
  ["bud", "leave the word out: tsbuild build"],
  ["build-using-dockerfile", "leave the word out: tsbuild build"],
  ["buildx", "leave the word out: tsbuild build"],
  ["manifest", "tsbuild inspect and tsbuild ls-remote look at what is there, tsbuild copy moves it"],
  ...["create", "exec", "kill", "logs", "restart", "start", "stop", "wait"].map((word) => [word, foreground] as const),
]);

/**
 * The hint for a word that was read as a build's context: a command's name that stands behind flags is to go first; what is not there may be a misspelt command. Undefined for what
 * is there, and for what is written as a path.
 */
export function misplacedCommand(argv: readonly string[], word: string): string | undefined {
  if (isCommandName(word)) return `write tsbuild ${[word, ...argv.toSpliced(argv.lastIndexOf(word), 1)].join(" ")}`;
  if (existsSync(word)) return undefined;
  const known = dockerWords.get(word);
  if (known !== undefined) return known;
  const command = nearest(word, [...Object.keys(summaries), "help"]);
  if (command !== undefined) return `did you mean the command ${command}?`;
  return word.includes("/") ? undefined : `${word} is no command either: tsbuild --help lists them`;
}
