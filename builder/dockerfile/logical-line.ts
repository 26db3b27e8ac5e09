import { Fault, quoted } from "./fault.ts";
import { type HeredocOpening, heredocBody, heredocOpenings } from "./heredoc.ts";
import type { Heredoc, Position, SourceRange } from "./instruction.ts";
import { withoutCarriageReturns } from "./line-end.ts";

/** Where one physical line's part of a logical line came from. */
interface Piece {
  /** Offset in the logical line's text. */
  readonly at: number;
  readonly line: number;
  readonly column: number;
}

/** One instruction: its lines joined, comments and blank lines inside dropped, blanks at its end trimmed. */
export interface LogicalLine {
  readonly text: string;
  readonly pieces: readonly Piece[];
  readonly heredocs: readonly Heredoc[];
  /** From the first character to the end of the last line, heredocs included. */
  readonly range: SourceRange;
  /** The same as offsets of the file's text. */
  readonly from: number;
  readonly to: number;
}

/** The place of an offset of a logical line's text in the file. */
export function positionAt(line: LogicalLine, offset: number): Position {
  let found = line.pieces[0] as Piece; // there is always one
  for (const piece of line.pieces) {
    if (piece.at > offset) break;
    found = piece;
  }
  return { line: found.line, column: found.column + offset - found.at };
}

/** The range between two offsets; its end stays on the line that holds the last character. */
export function rangeAt(line: LogicalLine, from: number, to: number): SourceRange {
  const last = positionAt(line, Math.max(from, to - 1));
  return { start: positionAt(line, from), end: { line: last.line, column: last.column + (to > from ? 1 : 0) } };
}

/**
 * Splits a text into instructions. An unterminated heredoc goes to `onFault` with the line that opens it, and is the last:
 * what follows it cannot be told apart from its body.
 */
export function logicalLines(text: string, escapeChar: string, onFault: (fault: Fault, line: LogicalLine) => void): LogicalLine[] {
  const physical = text.split("\n");
  const offsets: number[] = [];
  for (let i = 0, at = 0; i < physical.length; i++) {
    offsets.push(at);
    at += (physical[i] ?? "").length + 1;
  }
  const found: LogicalLine[] = [];
  for (let next = 0; next < physical.length; ) {
    const first = content(physical, next);
    const indent = first.length - first.trimStart().length;
    if (indent === first.length || first[indent] === "#") {
      next++;
      continue;
    }
    const start = next;
    const pieces: Piece[] = [];
    const parts: string[] = [];
    let length = 0;
    let last = start;
    for (let continues = true; continues && next < physical.length; next++) {
      const line = content(physical, next);
      if (next > start && /^\s*(#|$)/.test(line)) continue;
      const skipped = next === start ? indent : 0;
      const cut = continuationAt(line, escapeChar);
      const part = line.slice(skipped, cut);
      pieces.push({ at: length, line: next + 1, column: skipped + 1 });
      parts.push(part);
      length += part.length;
      last = next;
      continues = cut !== undefined;
    }
    const joined = parts.join("").trimEnd();
    // Only an escape character and blank lines up to the end of the file.
    if (joined.trim() === "") continue;
    const heredocs: Heredoc[] = [];
    const build = (lastLine: number): LogicalLine => {
      const end = content(physical, lastLine);
      const to = (offsets[lastLine] ?? 0) + end.length;
      const from = (offsets[start] ?? 0) + indent;
      const range = { start: { line: start + 1, column: indent + 1 }, end: { line: lastLine + 1, column: end.length + 1 } };
      return { text: joined, pieces, heredocs, range, from, to };
    };
    for (const opening of heredocOpenings(joined)) {
      const body = heredocBody(opening, physical, next);
      if (body === undefined) {
        onFault(unterminated(opening, physical.slice(next)), build(last));
        return found;
      }
      heredocs.push(body.heredoc);
      next = body.next;
      last = next - 1;
    }
    found.push(build(last));
  }
  return found;
}

function content(physical: readonly string[], index: number): string {
  return withoutCarriageReturns(physical[index] ?? "");
}

/**
 * Where the escape character stands that continues the line; undefined where none does. Blanks may follow it, and an escape
 * character before it takes its meaning away.
 */
function continuationAt(line: string, escapeChar: string): number | undefined {
  let end = line.length;
  while (end > 0 && (line[end - 1] === " " || line[end - 1] === "\t")) end--;
  return line[end - 1] === escapeChar && line[end - 2] !== escapeChar ? end - 1 : undefined;
}

function unterminated({ name, stripTabs, from, to }: HeredocOpening, rest: readonly string[]): Fault {
  const near = rest.find((line) => line.trim() === name);
  return new Fault("UNTERMINATED_HEREDOC", `heredoc ${quoted(name)} has no end: no line below is exactly that word`, from, to, {
    hint:
      near === undefined
        ? `end its body with a line ${quoted(name)}`
        : `the closing ${quoted(name)} must stand alone in its line${stripTabs ? ", after tabs only" : `; <<-${name} allows tabs before it`}`,
  });
}
