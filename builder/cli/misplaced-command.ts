import { isCommandName } from "./command-names.ts";

/** The hint for a command's name that stands behind flags, where it is an operand: the same words with the name first. */
export function commandFirst(argv: readonly string[], operand: string | undefined): string | undefined {
  if (operand === undefined || !isCommandName(operand)) return undefined;
  const at = argv.lastIndexOf(operand);
  return `write tsbuild ${[operand, ...argv.toSpliced(at, 1)].join(" ")}`;
}
