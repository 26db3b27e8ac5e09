import { replaceUnseen } from "../../store/unseen.ts";
import type { SourceRange } from "./instruction.ts";
import { withoutCarriageReturns } from "./line-end.ts";

/** A message about a place in a file. */
export interface Diagnostic {
  readonly severity: "error" | "warning";
  readonly file: string;
  /** The whole file. */
  readonly text: string;
  readonly range: SourceRange;
  readonly message: string;
  /** Error code or name of the rule. */
  readonly code?: string;
  readonly hint?: string;
}

const maxLines = 8;
/** Longer source lines are cut around the place, so that a minified file does not flood the terminal. */
const maxColumns = 160;

/** The printed form of an error or warning, without a line end. What it quotes cannot control a terminal. */
export function formatDiagnostic({ severity, file, text, range, message, code, hint }: Diagnostic): string {
  const { line, column } = range.start;
  const lines = [`${file}:${line}:${column}: ${severity}: ${message}${code === undefined ? "" : ` [${code}]`}`, ...excerpt(text, range)];
  if (hint !== undefined) lines.push(`  hint: ${hint}`);
  return lines.map(visible).join("\n");
}

function excerpt(text: string, { start, end }: SourceRange): string[] {
  const all = text.split("\n", end.line).map(withoutCarriageReturns);
  // An exclusive end at the start of a line does not show that line.
  const lastLine = end.line > start.line && end.column === 1 ? end.line - 1 : end.line;
  const isShort = lastLine - start.line <= maxLines;
  const last = isShort ? lastLine : start.line + maxLines - 1;
  const width = String(last).length;
  const rows: string[] = [];
  for (let line = start.line; line <= last; line++) {
    const whole = all[line - 1] ?? "";
    const from = line === start.line ? start.column - 1 : 0;
    const { shown, cut } = window(whole, from);
    rows.push(`    ${String(line).padStart(width)} │ ${shown}`);
    if (line > start.line) continue;
    const to = end.line === start.line ? end.column - 1 : whole.length;
    const caret = "~".repeat(Math.max(1, Math.min(to, cut + shown.length) - from));
    const bar = last === start.line && lastLine === last ? "╵" : "│";
    // Tabs stay tabs, so that the mark stands under its place whatever their width.
    rows.push(`    ${" ".repeat(width)} ${bar} ${shown.slice(0, from - cut).replace(/[^\t]/g, " ")}${caret}`);
  }
  if (lastLine > last) rows.push(`    ${" ".repeat(width)} ╵ … and ${lastLine - last} more lines`);
  return rows;
}

function window(line: string, from: number): { shown: string; cut: number } {
  const cut = from < maxColumns / 2 ? 0 : Math.max(0, Math.min(from - maxColumns / 4, line.length - maxColumns));
  return { shown: line.slice(cut, cut + maxColumns), cut };
}

/** No character that could make an excerpt read as what it is not. As long as before, so that marks stand under their places. */
function visible(text: string): string {
  return replaceUnseen(text, (character) => (character === "\t" ? character : "\ufffd".repeat(character.length)));
}
