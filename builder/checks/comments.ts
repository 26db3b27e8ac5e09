import type { Dockerfile, Instruction } from "../dockerfile/instruction.ts";

/** The comments that belong to one instruction. */
export interface Comments {
  /** In order, without `#` and the blanks around. */
  readonly texts: readonly string[];
  /** The last of them stands in the line right above the instruction. */
  readonly isAdjacent: boolean;
}

const none: Comments = { texts: [], isAdjacent: false };

/** The instructions of a file in order, those before the first FROM included. */
export function allInstructions({ globals, stages }: Dockerfile): readonly Instruction[] {
  return [...globals, ...stages.flatMap(({ from, instructions }) => [from, ...instructions])];
}

/**
 * The comments between each instruction and the one before it, by the instruction. Blank lines between them do not part them, a
 * lone `#` does, and parser directives are none (moby/buildkit, frontend/dockerfile/parser).
 */
export function commentsOf(dockerfile: Dockerfile): (instruction: Instruction) => Comments {
  const lines = dockerfile.text.split("\n");
  const found = new Map<Instruction, Comments>();
  let after = directiveLines(lines);
  for (const instruction of allInstructions(dockerfile)) {
    const { start, end } = instruction.range;
    let texts: string[] = [];
    for (let index = after; index < start.line - 1; index++) {
      const line = (lines[index] ?? "").trim();
      if (!line.startsWith("#")) continue;
      const text = line.slice(1).trim();
      if (text === "") texts = [];
      else texts.push(text);
    }
    const isAdjacent = texts.length > 0 && (lines[start.line - 2] ?? "").trimStart().startsWith("#");
    if (texts.length > 0) found.set(instruction, { texts, isAdjacent });
    after = end.line;
  }
  return (instruction) => found.get(instruction) ?? none;
}

/** What the comments say about a stage or argument: `# NAME text`. */
export function descriptionOf(name: string, { texts }: Comments): string | undefined {
  return texts.find((text) => text.startsWith(`${name} `))?.slice(name.length + 1);
}

const directive = /^#\s*(syntax|escape|check)\s*=\s*\S/i;

/** How many lines at the top are parser directives, a `#!` line included. */
function directiveLines(lines: readonly string[]): number {
  const first = lines[0]?.startsWith("#!") ? 1 : 0;
  let count = first;
  while (directive.test(lines[count] ?? "")) count++;
  return count;
}

/** The line of the directive, 1-based; undefined where the file has none. */
export function directiveLine(dockerfile: Dockerfile, name: string): number | undefined {
  const lines = dockerfile.text.split("\n", 8);
  const at = lines.slice(0, directiveLines(lines)).findIndex((line) => directive.exec(line)?.[1]?.toLowerCase() === name);
  return at < 0 ? undefined : at + 1;
}
