import type { SourceRange, StageInstruction } from "../dockerfile/instruction.ts";

/** A command or list that was meant as JSON and is none, which the language takes for plain words. */
export interface FalseJson {
  readonly range: SourceRange;
  readonly message: string;
}

/** What looks like JSON among the instructions of stages, and is read as a shell command or as words instead. */
export function falseJson(stages: readonly { readonly instructions: readonly StageInstruction[] }[]): readonly FalseJson[] {
  return stages.flatMap(({ instructions }) =>
    instructions.flatMap((instruction) => {
      const text = plainText(instruction);
      if (text === undefined || !looksLikeJson(text)) return [];
      const meaning = instruction.keyword === "VOLUME" ? "so these are the names of volumes" : "so it is a shell command";
      return [{ range: instruction.range, message: `this is no JSON, ${meaning}: ${problemOf(text)}` }];
    }),
  );
}

function plainText(instruction: StageInstruction): string | undefined {
  switch (instruction.keyword) {
    case "RUN":
    case "CMD":
    case "ENTRYPOINT":
    case "HEALTHCHECK":
      return instruction.command?.form === "shell" ? instruction.command.script : undefined;
    case "VOLUME":
      return instruction.values.join(" ");
    default:
      return undefined;
  }
}

/** The program "[" has a blank behind its name, and no commas between its words. */
function looksLikeJson(text: string): boolean {
  return /^\[["'“”‘’]/.test(text) || /^\[\s+(["'“”‘’]).*["'“”‘’]\s*,\s*["'“”‘’\]]/s.test(text);
}

function problemOf(text: string): string {
  const bare = text.replace(/"(?:[^"\\]|\\.)*"/gs, '""').trimEnd();
  if (/['“”‘’]/.test(bare)) return 'strings stand in double quotes (")';
  if (!bare.endsWith("]")) return bare.includes("]") ? 'something stands behind the "]"' : 'the "]" is missing';
  if (/,\s*\]$/.test(bare)) return 'a comma stands in front of the "]"';
  return /""\s*""/.test(bare) ? "a comma is missing between two strings" : String.raw`a backslash that means itself is written \\`;
}
