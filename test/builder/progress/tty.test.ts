import { describe, expect, it } from "vitest";
import type { BuildEvent } from "../../../builder/progress/event.ts";
import { ttyRenderer } from "../../../builder/progress/tty.ts";
import { end, image, output, plan, play, start } from "./script.ts";

const begin = "\x1b[?2026h";
const finish = "\x1b[?2026l";

function tty(script: readonly (BuildEvent | number)[], screen = { columns: 40, rows: 12 }, colors = false): string[] {
  return play((io) => ttyRenderer(io, { colors, screen: () => screen }), script);
}

/** What a terminal of this many columns shows after these writes, without blank lines at the end. */
function onScreen(written: readonly string[], columns: number): string[] {
  const lines: string[] = [""];
  let row = 0;
  let column = 0;
  for (const [piece] of written.join("").matchAll(/\x1b\[[0-?]*[@-~]|[\s\S]/gu)) {
    const up = /^\x1b\[(\d+)A$/.exec(piece)?.[1];
    if (up !== undefined) {
      row -= Number(up);
      if (row < 0) throw new Error("the cursor left the picture");
    } else if (piece === "\x1b[0J") {
      lines[row] = (lines[row] ?? "").slice(0, column);
      lines.length = row + 1;
    } else if (piece === "\r") column = 0;
    else if (piece === "\n") {
      row++;
      column = 0;
      lines[row] ??= "";
    } else if (!piece.startsWith("\x1b")) {
      if (column === columns) {
        row++;
        column = 0;
      }
      lines[row] = `${(lines[row] ?? "").slice(0, column)}${piece}`;
      column++;
    }
  }
  while (lines.at(-1) === "") lines.pop();
  return lines;
}

describe("terminal progress", () => {
  const script = [
    plan("[1/3] FROM debian", "[2/3] RUN npm ci", "[3/3] RUN a title that is far too long for this screen"),
    start(1),
    end(1, "cached"),
    start(2, 0),
    start(3, 0),
    output(2, "one\ntwo\nthree\nfour\nfive\nsix\nseven\nlast"),
    200,
  ];

  it("shows running steps with their time and last output", () => {
    expect(onScreen(tty(script).slice(0, -2), 40)).toEqual([
      "= [1/3] FROM debian cached",
      "building 1/3 0.2 s",
      "▸ [2/3] RUN npm ci 0.2 s",
      "  five",
      "  six",
      "  seven",
      "  last",
      "▸ [3/3] RUN a title that is far t… 0.2 s",
    ]);
  });

  it("leaves one line for each ended step", () => {
    const written = tty([...script, end(2, "done", 1500), 100, end(3, "failed", 2000), image]);
    expect(onScreen(written, 200)).toEqual([
      "= [1/3] FROM debian cached",
      "✓ [2/3] RUN npm ci done 1.5 s",
      "✗ [3/3] RUN a title that is far too long for this screen failed 2.0 s",
      `image sha256:${"1a".repeat(32)}, 45.2 MB: app:latest, app:v1`,
    ]);
  });

  it("writes a picture in one piece, hides the cursor first and shows it last", () => {
    const written = tty([plan("a"), start(1), 100, end(1, "done", 100), 100]);
    expect(written).toEqual([
      `${begin}\x1b[?25l\r\x1b[0Jbuilding 0/1 0.1 s\n▸ a 0.1 s\n${finish}`,
      `${begin}\x1b[2A\r\x1b[0J✓ a done 0.1 s\n${finish}`,
      "\x1b[?25h",
    ]);
  });

  it("draws by the clock, ten times a second, not by events, and not at all when nothing has changed", () => {
    const renderer = ttyRenderer({ write: () => {}, now: () => 0 }, { colors: false, screen: () => ({ columns: 80, rows: 24 }) });
    expect(renderer.tickMs).toBe(100);
    const still: string[] = [];
    const quiet = ttyRenderer(
      { write: (text) => void still.push(text), now: () => 0 },
      { colors: false, screen: () => ({ columns: 80, rows: 24 }) },
    );
    quiet.handle(plan("a"));
    quiet.handle(start(1));
    for (let line = 0; line < 1000; line++) quiet.handle(output(1, `${line}\n`));
    expect(still.length).toBe(0);
    quiet.tick();
    quiet.tick();
    quiet.tick();
    expect(still.length).toBe(1);
  });

  it("restores the cursor once, and writes nothing when nothing was shown", () => {
    const written: string[] = [];
    const renderer = ttyRenderer(
      { write: (text) => void written.push(text), now: () => 0 },
      { colors: false, screen: () => ({ columns: 80, rows: 24 }) },
    );
    renderer.close();
    expect(written).toEqual([]);
    renderer.handle(plan("a"));
    renderer.handle(start(1));
    renderer.tick();
    renderer.close();
    renderer.close();
    expect(written.filter((text) => text.includes("\x1b[?25h")).length).toBe(1);
    expect(onScreen(written, 80)).toEqual([]);
  });

  it("never is higher than the screen", () => {
    const titles = Array.from({ length: 20 }, (_, step) => `step ${step}`);
    const events = titles.flatMap((_, step) => [start(step + 1), output(step + 1, "1\n2\n3\n4\n5\n6\n")]);
    for (const rows of [1, 2, 5, 24]) {
      const lines = onScreen(tty([plan(...titles), ...events, 100], { columns: 40, rows }).slice(0, -2), 40);
      expect(lines.length).toBeLessThanOrEqual(Math.max(rows - 1, 2));
    }
  });

  it("finds its lines again when the terminal was made narrower", () => {
    const screen = { columns: 80, rows: 24 };
    const written: string[] = [];
    let nowMs = 0;
    const renderer = ttyRenderer({ write: (text) => void written.push(text), now: () => nowMs }, { colors: false, screen: () => screen });
    renderer.handle(plan("x".repeat(60)));
    renderer.handle(start(1));
    renderer.tick();
    screen.columns = 20;
    nowMs = 1000;
    renderer.tick();
    // The head is one line, the title's 68 columns are now four.
    expect(written[1]?.startsWith(`${begin}\x1b[5A\r\x1b[0J`)).toBe(true);
  });

  it("is not disturbed by what a step prints", () => {
    const evil = "\x1b[2J\x1b[10A\x1b]0;title\x07\x1b[?25hdone\r\x1b[1A#\n";
    const written = tty([plan("a"), start(1), output(1, evil), 100]);
    expect(onScreen(written.slice(0, 1), 40)).toEqual(["building 0/1 0.1 s", "▸ a 0.1 s", "  #"]);
    expect(written[0]).not.toContain("\x1b[10A");
    expect(written[0]).not.toContain("title");
  });

  it("has colours only where they are wanted", () => {
    const colored = tty([plan("a"), start(1), 100, end(1, "failed", 100)], undefined, true).join("");
    expect(colored).toContain("\x1b[31m✗\x1b[39m a \x1b[2mfailed 0.1 s\x1b[22m\n");
    expect(tty([plan("a"), start(1), 100, end(1, "failed", 100)]).join("")).not.toMatch(/\x1b\[\d*m/);
  });
});
