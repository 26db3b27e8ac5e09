import { columnsOf } from "./terminal-text.ts";

const hideCursor = "\x1b[?25l";
const showCursor = "\x1b[?25h";
// Synchronised output: terminals that know it show the picture at once, others ignore it.
const beginPicture = "\x1b[?2026h";
const endPicture = "\x1b[?2026l";
const eraseBelow = "\x1b[0J";

/** Screen size of the moment, in characters. */
export interface Screen {
  readonly columns: number;
  readonly rows: number;
}

/** Lines at the bottom of a terminal that are drawn anew as things change. */
export interface LivePicture {
  /** A harmless line that goes above the picture for good, with the next drawing. */
  say(line: string): void;
  /** Replaces the picture; each line fits in the screen's columns. Writes nothing where nothing changed. */
  draw(lines: readonly string[]): void;
  /** Takes the picture away; what was said stays. Idempotent. */
  close(): void;
}

/** `columns` answers how wide the terminal is at the moment. */
export function livePicture(write: (text: string) => void, columns: () => number): LivePicture {
  let said: string[] = [];
  let shown: readonly string[] = [];
  let open = false;

  const draw = (lines: readonly string[]): void => {
    if (said.length === 0 && lines.join("\n") === shown.join("\n")) return;
    // The terminal has rewrapped what it shows if it was made narrower.
    const width = Math.max(columns(), 1);
    const rows = shown.reduce((sum, line) => sum + Math.max(1, Math.ceil(columnsOf(line) / width)), 0);
    const up = rows === 0 ? "\r" : `\x1b[${rows}A\r`;
    const begin = open ? beginPicture : `${beginPicture}${hideCursor}`;
    open = true;
    write(`${begin}${up}${eraseBelow}${[...said, ...lines].map((line) => `${line}\n`).join("")}${endPicture}`);
    said = [];
    shown = lines;
  };

  return {
    say: (line) => said.push(line),
    draw,
    close() {
      if (said.length > 0 || shown.length > 0) draw([]);
      if (open) write(showCursor);
      open = false;
    },
  };
}
