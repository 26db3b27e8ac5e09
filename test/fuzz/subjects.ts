import { parseIgnoreFile } from "../../builder/context/ignore.ts";
import { DockerfileError, DockerfileErrors, formatDockerfileError } from "../../builder/dockerfile/errors.ts";
import { parseDockerfile } from "../../builder/dockerfile/parse.ts";
import { expansionOf } from "../../builder/dockerfile/words.ts";
import { bytesOf, TsbuildError } from "../../runtime-addon/index.ts";
import { naiveExcludes } from "../builder/context/naive-ignore.ts";
import { random } from "../builder/dockerfile/random.ts";
import { type Draw, dockerfileInput, type IgnoreInput, ignoreInput, type WordInput, wordInput } from "./inputs.ts";

/** What is fuzzed. `check` says whether the input was well-formed, and throws when something is wrong with us. */
export interface Subject<Input = unknown> {
  readonly name: string;
  input(draw: Draw): Input;
  check(input: Input): boolean;
}

const parser: Subject<string> = {
  name: "parser",
  input: dockerfileInput,
  check(text) {
    try {
      const { stages, globals, text: parsed } = parseDockerfile(text, "Dockerfile");
      for (const { source, keyword, text: line } of [...globals, ...stages.flatMap(({ from, instructions }) => [from, ...instructions])]) {
        must(parsed.includes(source), "an instruction's source is not in the file");
        must(line.toUpperCase().startsWith(keyword), "an instruction does not begin with its keyword");
      }
      return true;
    } catch (error) {
      // A file for another frontend is not read further: that is all that is said of it.
      const errors = error instanceof DockerfileErrors ? error.errors : error instanceof DockerfileError ? [error] : undefined;
      if (errors === undefined || errors.length === 0) throw error;
      must(
        errors.every((one) => /^Dockerfile:\d+:\d+: error: /.test(formatDockerfileError(one))),
        "an error has no place",
      );
      const lines = text.split("\n").length;
      for (const { range } of errors) must(range.start.line >= 1 && range.end.line <= lines + 1, "an error stands outside of the file");
      return false;
    }
  },
};

const words: Subject<WordInput> = {
  name: "words",
  input: wordInput,
  check({ word, escape: escapeChar, env }) {
    try {
      const { text, words } = expansionOf(word, (name) => (Object.hasOwn(env, name) ? env[name] : undefined), { escape: escapeChar });
      must(words.join("").replace(/\s/g, "") === text.replace(/\s/g, ""), "the words are not the text");
      return true;
    } catch (error) {
      if (error instanceof TsbuildError) return false;
      throw error;
    }
  },
};

const ignore: Subject<IgnoreInput> = {
  name: "ignore",
  input: ignoreInput,
  check({ lines, paths }) {
    let rules: ReturnType<typeof parseIgnoreFile>;
    try {
      rules = parseIgnoreFile(lines.join("\n"));
    } catch (error) {
      if (error instanceof TsbuildError) return false;
      throw error;
    }
    for (const path of paths) {
      const expected = naiveExcludes(lines, path);
      must(rules.excludes(bytesOf(path)) === expected, `${JSON.stringify(path)} is ${expected ? "" : "not "}excluded by the naive matcher`);
      // What a walk would leave out must be excluded with everything below it.
      const parts = path.split("/");
      for (let i = 1; i < parts.length; i++) {
        const directory = bytesOf(parts.slice(0, i).join("/"));
        if (rules.excludes(directory) && !rules.mayReincludeBelow(directory))
          must(expected, `a walk would not find ${JSON.stringify(path)}`);
      }
    }
    return true;
  },
};

export const subjects: readonly Subject[] = [parser, words, ignore] as unknown as readonly Subject[];

/** Runs one seed; an input that breaks something is in the error's message, with the seed. */
export function runSeed(subject: Subject, seed: number): boolean {
  const input = subject.input(random(seed));
  try {
    return subject.check(input);
  } catch (cause) {
    throw new Error(`${subject.name}, seed ${seed}, ${JSON.stringify(input)}: ${(cause as Error).message}`, { cause });
  }
}

function must(holds: boolean, problem: string): void {
  if (!holds) throw new Error(problem);
}
