import { harmless } from "../progress/terminal-text.ts";
import type { CliIo } from "./cli-io.ts";

/** Says something beside the result. The message may quote images, registries and files. */
export function note({ stderr }: Pick<CliIo, "stderr">, message: string): void {
  stderr.write(`note: ${harmless(message, { colors: false })}\n`);
}
