import { columnsOf } from "./terminal-text.ts";

const hideCursor = "\x1b[?25l";
const showCursor = "\x1b[?25h";
// Synchronised output: terminals that know it show the picture at once, others ignore it.
const beginPicture = "\x1b[?2026h";
const endPicture = "\x1b[?2026l";
const eraseBelow = "\x1b[0J";

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
  let shownColumns = 0;
  let open = false;

  /** A line was one row where it was drawn; a terminal that was made narrower since has rewrapped it. What stands above the picture is not ours to erase. */
  const rowsOf = (line: string, width: number): number => (width >= shownColumns ? 1 : Math.max(1, Math.ceil(columnsOf(line) / width)));

  const draw = (lines: readonly string[]): void => {
    if (said.length === 0 && lines.join("\n") === shown.join("\n")) return;
    const width = columns();
    const rows = shown.reduce((sum, line) => sum + rowsOf(line, width), 0);
    const up = rows === 0 ? "\r" : `\x1b[${rows}A\r`;
    const begin = open ? beginPicture : `${beginPicture}${hideCursor}`;
    open = true;
    write(`${begin}${up}${eraseBelow}${[...said, ...lines].map((line) => `${line}\n`).join("")}${endPicture}`);
    said = [];
    shown = lines;
    shownColumns = width;
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
