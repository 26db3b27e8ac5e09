import type { Source } from "../dockerfile/errors.ts";
import type { SourceRange } from "../dockerfile/instruction.ts";

/** A place as BuildKit's JSON has it (pb.Location): lines from 1, the last one included. */
export function locationJson(...ranges: readonly SourceRange[]): unknown {
  return { ranges: ranges.map(({ start, end }) => ({ start: { line: start.line }, end: { line: end.line } })) };
}

/** A file as BuildKit's JSON has it (pb.SourceInfo). */
export function sourceJson({ file, text }: Source): unknown {
  return { filename: file, language: "Dockerfile", data: base64(text) };
}

export function base64(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}
