import { withoutCarriageReturns } from "../../dockerfile/line-end.ts";
import { type LogicalLine, logicalLines } from "../../dockerfile/logical-line.ts";
import { allInstructions } from "../comments.ts";
import type { Rule } from "../rule.ts";

export const noEmptyContinuation: Rule = {
  name: "NoEmptyContinuation",
  description: "Empty continuation lines will become errors in a future release",
  page: {
    why: "An instruction that goes on behind an empty line looks as if it ended there. Where the escape character at a line's end was a slip, the next instruction is swallowed.",
    bad: "FROM alpine\nEXPOSE \\\n\n80",
    good: "FROM alpine\n# a comment may stand inside an instruction\nEXPOSE \\\n# http\n80",
  },
  *file({ dockerfile }) {
    if (!/\n[ \t\r]*(\n|$)/.test(dockerfile.text)) return;
    const lines = dockerfile.text.split("\n");
    // What follows the last line end is no line.
    if (lines.at(-1) === "") lines.pop();
    const byLine = new Map(allInstructions(dockerfile).map((instruction) => [instruction.range.start.line, instruction]));
    for (const logical of logicalLines(dockerfile.text, dockerfile.escape, () => undefined)) {
      const last = lastEmptyContinuation(logical, lines, dockerfile.escape);
      const instruction = byLine.get(logical.range.start.line);
      if (last === undefined || instruction === undefined) continue;
      const range = { start: { line: last, column: 1 }, end: { line: last, column: contentOf(lines, last).length + 1 } };
      yield { message: "Empty continuation line", range, instructions: [instruction] };
    }
  },
};

/** The line that ends the instruction's own text, which is where BuildKit reports it; undefined where no line inside is empty. */
function lastEmptyContinuation({ pieces, heredocs }: LogicalLine, lines: readonly string[], escapeChar: string): number | undefined {
  const first = pieces[0]?.line ?? 0;
  const end = pieces.at(-1)?.line ?? 0;
  const written = contentOf(lines, end).trimEnd();
  const runsOut = heredocs.length === 0 && written.endsWith(escapeChar) && !written.endsWith(escapeChar.repeat(2));
  const last = runsOut ? lines.length : end;
  for (let line = first + 1; line <= last; line++) if (contentOf(lines, line).trim() === "") return last;
  return undefined;
}

function contentOf(lines: readonly string[], line: number): string {
  return withoutCarriageReturns(lines[line - 1] ?? "");
}
