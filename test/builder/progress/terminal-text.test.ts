import { describe, expect, it } from "vitest";
import { afterReturns, clip, columnsOf, harmless } from "../../../builder/progress/terminal-text.ts";

describe("harmless text", () => {
  it.each<[attack: string, text: string, expected: string]>([
    ["plain text", "npm ci", "npm ci"],
    ["umlauts", "größe ✓", "größe ✓"],
    ["colours", "\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m\x1b[0m"],
    ["cursor movement", "a\x1b[2Ab\x1b[10;10Hc", "abc"],
    ["clearing the screen", "a\x1b[2J\x1b[3Jb", "ab"],
    ["the alternate screen", "\x1b[?1049hx\x1b[?25l", "x"],
    ["a window title", "\x1b]0;evil\x07x", "x"],
    ["a window title with string terminator", "\x1b]0;evil\x1b\\x", "x"],
    ["a title without end", "x\x1b]0;evil", "x"],
    ["writing the clipboard", "\x1b]52;c;ZXZpbA==\x07x", "x"],
    ["a hyperlink", "\x1b]8;;http://x\x07link\x1b]8;;\x07", "link"],
    ["a device control string", "\x1bPq#0;2;0;0;0\x1b\\x", "x"],
    ["asking for the terminal's answer", "\x1b[c\x1b[6n\x05x", "x"],
    ["a terminal reset", "\x1bcx", "x"],
    ["another character set", "\x1b(0lqk", "lqk"],
    ["8-bit sequences", "\x9b2Jx\x9d0;t\x9cy", "xy"],
    ["a sequence cut off at the end", "x\x1b[12", "x"],
    ["bell, backspace and delete", "a\x07b\x08c\x7fd", "abcd"],
    ["line ends", "a\nb\rc", "a bc"],
    ["tabs", "a\tb", "a    b"],
    ["reordered text", "safe\u202Elive\u2066x", "safelivex"],
    ["other reordered text, and line ends of Unicode", "a\u061cb\u2028c\u2029d\ufeffe\u206a", "abcde"],
    ["text that is not seen", "a\u200bb\u180ec\u2060d\u00ade\u{e0041}f", "abcdef"],
    ["colour parameters that are none", "\x1b[38:5:1mx\x1b[>4;2mq", "\x1b[38:5:1mxq\x1b[0m"],
  ])("%s", (_attack, text, expected) => {
    expect(harmless(text, { colors: true })).toBe(expected);
  });

  it("has no colours where none are wanted", () => {
    expect(harmless("\x1b[1;31mred\x1b[0m", { colors: false })).toBe("red");
  });

  it("takes time in proportion to its length", () => {
    const hostile = "\x1b]".repeat(200_000);
    const started = performance.now();
    harmless(hostile, { colors: true });
    harmless("\x1b[".repeat(200_000), { colors: true });
    harmless(`\x1b[${"1;".repeat(400_000)}`, { colors: true });
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe("width", () => {
  it.each<[text: string, columns: number]>([
    ["", 0],
    ["abc", 3],
    ["\x1b[31mabc\x1b[0m", 3],
    ["größe", 5],
    ["e\u0301", 1],
    ["日本", 4],
    ["한글", 4],
    ["🚀", 2],
    ["✓ x", 3],
  ])("of %o is %i", (text, columns) => {
    expect(columnsOf(text)).toBe(columns);
  });

  it.each<[text: string, columns: number, expected: string]>([
    ["abcdef", 6, "abcdef"],
    ["abcdef", 5, "abcd…"],
    ["日本語", 5, "日本…"],
    ["日本語", 4, "日…"],
    ["\x1b[31mabcdef\x1b[0m", 4, "\x1b[31mabc…\x1b[0m"],
    ["abc", 1, "…"],
    ["abc", 0, ""],
    ["abc", -3, ""],
  ])("cuts %o at %i", (text, columns, expected) => {
    expect(clip(text, columns)).toBe(expected);
  });
});

it.each<[line: string, shown: string]>([
  ["a", "a"],
  ["10%\r20%\r30%", "30%"],
  ["10%\r20%\r", "20%"],
  ["\r", ""],
])("of a line %o that carriage returns overwrite, %o is left", (line, shown) => {
  expect(afterReturns(line)).toBe(shown);
});
