import { argumentsFrom, blankSeparated, keywordOf } from "../dockerfile/arguments.ts";
import type { From, Instruction } from "../dockerfile/instruction.ts";

/** An instruction's keyword, in the letters of the file. */
export function writtenKeyword(instruction: Instruction): string {
  const { text } = instruction;
  const { from, to } = keywordOf(text, keywordAt(instruction));
  return text.slice(from, to);
}

/** Where an instruction's arguments begin in its text, behind keyword and flags. */
export function argumentsAt(instruction: Instruction): number {
  return argumentsFrom(instruction.text, keywordOf(instruction.text, keywordAt(instruction)).next);
}

/** A trigger of a base has ONBUILD before its own keyword. */
function keywordAt({ keyword, text }: Instruction): number {
  const first = keywordOf(text, 0);
  return first.keyword === "ONBUILD" && keyword !== "ONBUILD" ? first.next : 0;
}

/** The AS of a FROM, in the letters of the file. */
export function asOfFrom(from: From): string | undefined {
  return blankSeparated(from.text, argumentsAt(from))[1]?.text;
}
