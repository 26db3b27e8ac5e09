import { TsbuildError } from "../../runtime-addon/index.ts";
import { keywordOf } from "./arguments.ts";
import { quoted } from "./fault.ts";
import type { From, StageInstruction } from "./instruction.ts";
import { logicalLines } from "./logical-line.ts";
import { notInTriggers, parseInstruction } from "./parse-instruction.ts";

/**
 * Reads a trigger of ONBUILD as an image's config holds it: a Dockerfile of its own with one instruction, heredocs and all, and the escape character that is the
 * default. The instruction has the place of the FROM that fires it, and "ONBUILD " before its text. Throws INVALID_ONBUILD, and what is wrong with the instruction.
 */
export function parseTrigger(trigger: string, from: From): StageInstruction {
  const lines = logicalLines(trigger, "\\", (fault) => {
    throw fault;
  });
  const [line] = lines;
  if (line === undefined || lines.length > 1) {
    throw new TsbuildError("INVALID_ONBUILD", `a trigger is one instruction, and ${quoted(trigger)} has ${lines.length}`);
  }
  const { keyword } = keywordOf(line.text, 0);
  if (notInTriggers.includes(keyword)) throw new TsbuildError("INVALID_ONBUILD", `a trigger cannot be ${keyword}`);
  const parsed = parseInstruction(line, "\\");
  // A spread over a union loses the union; FROM is refused above.
  return { ...parsed, range: from.range, source: trigger, text: `ONBUILD ${line.text.trimStart()}` } as StageInstruction;
}
