import { describe, expect, it } from "vitest";
import { openDisplay } from "../../../builder/progress/display.ts";
import { canDraw, screenOf } from "../../../builder/progress/screen.ts";
import { plan, start } from "./script.ts";

describe("a terminal's screen", () => {
  it.each<[name: string, size: { columns?: number; rows?: number }, screen: ReturnType<typeof screenOf>]>([
    ["of a known size", { columns: 100, rows: 30 }, { columns: 100, rows: 30 }],
    ["that was never told its size", { columns: 0, rows: 0 }, { columns: 80, rows: 24 }],
    ["without a size", {}, { columns: 80, rows: 24 }],
    ["of one column", { columns: 1, rows: 3 }, { columns: 20, rows: 3 }],
  ])("%s", (_name, size, screen) => expect(screenOf(size)).toEqual(screen));

  it.each<[name: string, stream: Parameters<typeof canDraw>[0], term: string, expected: boolean]>([
    ["a terminal", { isTTY: true, columns: 80, rows: 24 }, "xterm", true],
    ["one of unknown size", { isTTY: true, columns: 0, rows: 0 }, "xterm", true],
    ["one that is too narrow", { isTTY: true, columns: 19, rows: 24 }, "xterm", false],
    ["one that knows no escapes", { isTTY: true, columns: 80, rows: 24 }, "dumb", false],
    ["a file", {}, "xterm", false],
  ])("takes a picture on %s: %#", (_name, stream, term, expected) => expect(canDraw(stream, { TERM: term })).toBe(expected));

  it.each([0, 1])("of %i columns keeps what stands above the picture", async (columns) => {
    const written: string[] = [];
    const stderr = { isTTY: true, columns, rows: 0, write: (text: string) => written.push(text) };
    const display = openDisplay("tty", { stdout: stderr, stderr, env: {} });
    for (const event of [plan("a title that is long enough for several rows"), start(1)]) display.onEvent(event);
    await expect.poll(() => written.length).toBeGreaterThan(1);
    display.close();
    let lines = 0;
    for (const [piece] of written.join("").matchAll(/\x1b\[\d+A|\n/g)) {
      if (piece === "\n") lines++;
      else lines -= Number(piece.slice(2, -1));
      expect(lines).toBeGreaterThanOrEqual(0);
    }
  });
});
