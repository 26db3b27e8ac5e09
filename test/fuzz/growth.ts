import { parseIgnoreFile } from "../../builder/context/ignore.ts";
import { parseDockerfile } from "../../builder/dockerfile/parse.ts";
import { nearest } from "../../builder/dockerfile/suggest.ts";
import { expansionOf } from "../../builder/dockerfile/words.ts";
import { bytesOf, TsbuildError } from "../../runtime-addon/index.ts";
import { checkText } from "../builder/checks/check-text.ts";
import { random } from "../builder/dockerfile/random.ts";
import { planned } from "../builder/plan/planned.ts";
import { type Draw, dockerfileInput, ignoreInput, planInput, wordInput } from "./inputs.ts";
import type { stepCounter } from "./step-count.ts";

/** Twice the input may cost so many times the steps. */
export const mostGrowth = 2.5;

/** A piece of input said so often, between a beginning and an end; `work` must not depend on anything else. */
interface Family {
  readonly name: string;
  readonly piece: string;
  work(times: number): void;
}

const repeats = 150;

/** V8 may drop the counts of code while it collects garbage; work that grows too fast does so each time. */
const attempts = 4;

const families: readonly ((draw: Draw) => Family)[] = [
  (draw) => {
    const piece = cutFrom(draw, dockerfileInput(draw));
    return { name: "parser", piece, work: (times) => tolerant(() => parseDockerfile(`FROM a\nRUN x${piece.repeat(times)}`, "Dockerfile")) };
  },
  (draw) => {
    const piece = `\n${cutFrom(draw, dockerfileInput(draw))}`;
    return { name: "parser, lines", piece, work: (times) => tolerant(() => parseDockerfile(`FROM a${piece.repeat(times)}`, "Dockerfile")) };
  },
  (draw) => {
    const piece = cutFrom(draw, wordInput(draw).word);
    // A short value: what a word grows to is work that was asked for.
    const env = (name: string) => (name === "x" ? "ab" : undefined);
    return { name: "words", piece, work: (times) => tolerant(() => expansionOf(piece.repeat(times), env, { escape: "\\" })) };
  },
  (draw) => {
    const piece = planInput(draw).slice(1);
    // Each of a name of its own: what a stage has come to grows with each. A third as often: a line is much work.
    const work = (times: number) => void planned(numbered("FROM scratch", piece, times / 3));
    return { name: "planning", piece, work: (times) => tolerant(() => work(times)) };
  },
  (draw) => {
    const piece = cutFrom(draw, ignoreInput(draw).lines.join("/"));
    const path = bytesOf("a/b/ab/a.b/x/aaaaaaaaaaaaaaaa/b");
    return { name: "ignore, patterns", piece, work: (times) => tolerant(() => void parseIgnoreFile(piece.repeat(times)).excludes(path)) };
  },
  (draw) => {
    const { lines, paths } = ignoreInput(draw);
    // A deep path is as long as PATH_MAX at most; what grows is their number, and a name.
    const walk = (times: number) => {
      const rules = parseIgnoreFile(lines.join("\n"));
      for (let i = 0; i < times; i++) for (const path of paths) rules.excludes(bytesOf(`${i}/${path}`));
    };
    return { name: "ignore, paths", piece: JSON.stringify({ lines, paths }), work: (times) => tolerant(() => walk(times)) };
  },
  (draw) => {
    const { lines } = ignoreInput(draw);
    const piece = ["a", "ab", "é", "b.a", "x "][draw(5)] as string;
    const work = (times: number) => tolerant(() => void parseIgnoreFile(lines.join("\n")).excludes(bytesOf(piece.repeat(times))));
    return { name: "ignore, names", piece: JSON.stringify({ lines, piece }), work };
  },
];

/** Those that chance would hardly find: each is tried once. */
export const knownFamilies: readonly Family[] = [
  ...["ENV e%=v\nRUN r%", "ENV e%=v f%=w\nRUN --mount=type=cache,target=/c% r", "RUN r%\nENV e=$e%"].map((piece) => ({
    name: "planning, variables of RUN",
    piece,
    work: (times: number) => void planned(numbered("FROM scratch", piece, times)),
  })),
  // More names than there are suggestions.
  ...["ENV abcdef%=v g=$abcfed%", "ENV VARIABLE_%=v\nWORKDIR /$VARIABLES_%", "LABEL l%=$HOEM\nENV HOME%=v"].map((piece) => ({
    name: "checks, misspelt names",
    piece,
    work: (times: number) => void checkText(numbered("FROM scratch", piece, times)),
  })),
  ...["a", "ab", "aB"].map((piece) => ({
    name: "suggestions, long names",
    piece,
    work: (times: number) => void nearest(`x${piece.repeat(times)}`, [piece.repeat(times), `${piece.repeat(times)}x`]),
  })),
];

/** Tries one seed in every family. Throws where the steps grow faster than the input. */
export function runGrowthSeed(counter: ReturnType<typeof stepCounter>, seed: number): void {
  for (const family of families) runFamily(counter, family(random(seed)), `, seed ${seed}`);
}

/** Throws where the steps grow faster than the input. */
export function runFamily(counter: ReturnType<typeof stepCounter>, { name, piece, work }: Family, drawn = ""): void {
  // Once before: what is compiled or made lazily is not counted.
  work(1);
  for (let attempt = 0; attempt < attempts; attempt++) {
    const once = counter.count(() => work(repeats));
    const twice = counter.count(() => work(2 * repeats));
    if (twice <= mostGrowth * once) break;
    const counted = `${once} steps for ${repeats} times ${JSON.stringify(piece)}, ${twice} for ${2 * repeats} times`;
    if (attempt === attempts - 1) throw new Error(`${name}${drawn}: ${counted}`);
  }
}

/** Lines with a number in place of each "%". */
function numbered(first: string, piece: string, times: number): string {
  return [first, ...Array.from({ length: times }, (_, i) => piece.replaceAll("%", `${i}`))].join("\n");
}

function cutFrom(draw: Draw, text: string): string {
  const from = draw(text.length + 1);
  return text.slice(from, from + 1 + draw(20)) || "a";
}

/** Broken input is as good as any: only the steps count. */
function tolerant(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
  }
}
