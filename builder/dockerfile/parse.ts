import { TsbuildError } from "../../runtime-addon/index.ts";
import { keywordOf } from "./arguments.ts";
import { parseDirectives } from "./directives.ts";
import { byPosition, DockerfileError, DockerfileErrors, located, type Source } from "./errors.ts";
import { Fault } from "./fault.ts";
import { refuseOtherFrontend } from "./frontend.ts";
import type { Arg, Dockerfile, From, Instruction, SourceRange, Stage, StageInstruction } from "./instruction.ts";
import { type LogicalLine, logicalLines, rangeAt } from "./logical-line.ts";
import { nearestKeyword, parseInstruction } from "./parse-instruction.ts";

/**
 * Reads a Dockerfile; `file` is its name in errors. Every instruction and flag of the language is read, also those that a builder
 * may refuse later. `syntax`: the frontend that was asked for, over the file's own `# syntax=`. Throws DockerfileErrors with all that is wrong; UNSUPPORTED_FRONTEND
 * alone for a file in the language of another frontend.
 */
export function parseDockerfile(text: string, file: string, syntax?: string): Dockerfile {
  const source: Source = { file, text: text.replace(/^\ufeff/, "") };
  refuseOtherFrontend(source, syntax);
  const errors: DockerfileError[] = [];
  const report = (error: unknown, range: SourceRange): void => {
    const placed = located(error, source, range);
    if (!(placed instanceof DockerfileError)) throw placed;
    errors.push(placed);
  };
  const { escape: escapeChar, values } = parseDirectives(source.text, report);
  const globals: Arg[] = [];
  const stages: { readonly from: From; readonly instructions: StageInstruction[] }[] = [];
  let count = 0;
  // After a FROM that could not be read, its stage's instructions are no further errors.
  let isInStage = false;
  const reportFault = (fault: Fault, line: LogicalLine): void => {
    if (meansFrom(line)) isInStage = true;
    report(fault, rangeAt(line, fault.from, fault.to));
  };
  for (const line of logicalLines(source.text, escapeChar, reportFault)) {
    // So many mean that this is no Dockerfile.
    if (errors.length >= maxErrors) break;
    const instruction = parseLine(line, source.text, escapeChar, reportFault);
    if (instruction === undefined) continue;
    if (++count > maxInstructions) {
      report(new TsbuildError("TOO_LARGE", `the file has more than ${maxInstructions} instructions`), line.range);
      break;
    }
    if (instruction.keyword === "FROM") {
      stages.push({ from: instruction, instructions: [] });
      isInStage = true;
    } else if (stages.length > 0) stages.at(-1)?.instructions.push(instruction);
    else if (instruction.keyword === "ARG") globals.push(instruction);
    else if (!isInStage) {
      const { keyword } = instruction;
      const error = new TsbuildError("INSTRUCTION_BEFORE_FROM", `${keyword} stands before the first FROM`, {
        hint: "only ARG may stand there: begin with FROM IMAGE, or FROM scratch",
      });
      const name = keywordOf(line.text, 0);
      report(error, rangeAt(line, name.from, name.to));
    }
  }
  if (stages.length === 0 && errors.length === 0) report(noStages(globals), globals.at(-1)?.range ?? startOfFile);
  if (errors.length > 0) throw new DockerfileErrors(errors.sort(byPosition));
  return { file, text: source.text, escape: escapeChar, directives: values, globals, stages: stages satisfies readonly Stage[] };
}

const maxErrors = 10_000;

/** Planning looks back at each step; a file that people write has some hundred of them. */
const maxInstructions = 10_000;

const startOfFile: SourceRange = { start: { line: 1, column: 1 }, end: { line: 1, column: 1 } };

function parseLine(
  line: LogicalLine,
  text: string,
  escapeChar: string,
  report: (fault: Fault, line: LogicalLine) => void,
): Instruction | undefined {
  try {
    const nul = line.text.indexOf("\0");
    if (nul >= 0)
      throw new Fault(
        "NUL_CHARACTER",
        "a NUL character stands in the instruction: no path, argument or variable can have one",
        nul,
        nul + 1,
      );
    const base = { range: line.range, source: text.slice(line.from, line.to), text: line.text.trimStart() };
    return { ...parseInstruction(line, escapeChar), ...base } as Instruction; // a spread over a union loses the union
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    report(error, line);
    return undefined;
  }
}

function meansFrom({ text }: LogicalLine): boolean {
  const { keyword } = keywordOf(text, 0);
  return keyword === "FROM" || nearestKeyword(keyword) === "FROM";
}

function noStages(globals: readonly Arg[]): TsbuildError {
  return globals.length === 0
    ? new TsbuildError("NO_STAGES", "the file has no instructions", { hint: "begin with FROM IMAGE, or FROM scratch" })
    : new TsbuildError("NO_STAGES", "the file has no FROM", { hint: "add FROM IMAGE, or FROM scratch, after the ARGs" });
}
