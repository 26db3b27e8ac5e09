import { TsbuildError } from "../store/errors.ts";
import type { Dockerfile, StageInstruction } from "./dockerfile/instruction.ts";

/** A place in a Dockerfile: by a line, or by a step's number as the progress shows it ("[builder 2/5]"). */
export interface StepPlace {
  readonly at: { readonly line: number } | { readonly step: number; readonly stage?: string };
  /** Before the instruction has been followed. */
  readonly before: boolean;
}

const shownSteps = 20;
const stepKeywords: ReadonlySet<string> = new Set(["RUN", "COPY", "ADD", "WORKDIR"]);

/** The Dockerfile as far as an instruction, with it or without: its stage is the last. Throws UNKNOWN_STEP. Pure. */
export function cutAt(dockerfile: Dockerfile, { at, before }: StepPlace): Dockerfile {
  const { stage, count } = "line" in at ? byLine(dockerfile, at.line) : byStep(dockerfile, at.step, at.stage);
  const kept = Math.max(0, before ? count - 1 : count);
  const stages = dockerfile.stages
    .slice(0, stage + 1)
    .map((one, i) => (i === stage ? { ...one, instructions: one.instructions.slice(0, kept) } : one));
  return { ...dockerfile, stages };
}

/** The stage, and how many of its instructions are needed; none: its FROM. */
interface Found {
  readonly stage: number;
  readonly count: number;
}

function byLine({ stages, file }: Dockerfile, line: number): Found {
  const spans = ({ range }: Pick<StageInstruction, "range">): boolean => range.start.line <= line && line <= range.end.line;
  for (const [stage, { from, instructions }] of stages.entries()) {
    const index = instructions.findIndex(spans);
    if (index >= 0) return { stage, count: index + 1 };
    if (spans(from)) return { stage, count: 0 };
  }
  throw new TsbuildError("UNKNOWN_STEP", `looking for line ${line} of ${file}: there is no instruction of a stage`, {
    hint: nearestTo(
      line,
      stages.flatMap(({ from, instructions }) => [from, ...instructions]),
    ),
  });
}

/** The instructions on both sides of a line. */
function nearestTo(line: number, instructions: readonly { readonly keyword: string; readonly range: StageInstruction["range"] }[]): string {
  const before = instructions.findLast(({ range }) => range.end.line < line);
  const after = instructions.find(({ range }) => range.start.line > line);
  const places = [before, after].flatMap((one) => (one === undefined ? [] : [`${one.keyword} on line ${one.range.start.line}`]));
  return `the nearest: ${places.join(", ")}`;
}

function byStep({ stages, file }: Dockerfile, step: number, name: string | undefined): Found {
  const named = stages.findIndex(({ from }) => from.stage?.toLowerCase() === name?.toLowerCase());
  const stage = name === undefined ? stages.length - 1 : named >= 0 ? named : /^\d+$/.test(name) ? Number(name) : -1;
  const where = name === undefined ? file : `the stage ${JSON.stringify(name)} of ${file}`;
  const found = stages[stage];
  if (found === undefined)
    throw new TsbuildError("UNKNOWN_STEP", `looking for a step: there is no stage ${JSON.stringify(name)} in ${file}`, {
      hint: `stages: ${stages.map(({ from }, i) => from.stage ?? i).join(", ")}`,
    });
  // FROM is the first.
  if (step === 1) return { stage, count: 0 };
  let seen = 1;
  for (const [i, { keyword }] of found.instructions.entries()) {
    if (stepKeywords.has(keyword) && ++seen === step) return { stage, count: i + 1 };
  }
  const steps = found.instructions.filter(({ keyword }) => stepKeywords.has(keyword));
  const there = [found.from, ...steps].map(({ keyword, range }, i) => `${i + 1} ${keyword} on line ${range.start.line}`);
  throw new TsbuildError("UNKNOWN_STEP", `looking for step ${step} of ${where}: there are ${seen}`, {
    hint: `${there.slice(0, shownSteps).join(", ")}${there.length > shownSteps ? " and so on" : ""}; steps are numbered as in the progress of a build; a number alone is a line`,
  });
}
