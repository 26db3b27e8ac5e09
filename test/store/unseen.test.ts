import { describe, expect, it } from "vitest";
import { quotePath } from "../../store/layer/entry-path.ts";
import { harmlessJson, replaceUnseen } from "../../store/unseen.ts";

describe("characters that act or are not seen", () => {
  it.each([
    ["an escape", "\x1b"],
    ["C1", "\x9b"],
    ["delete", "\x7f"],
    ["a soft hyphen", "\xad"],
    ["an Arabic letter mark", "\u061c"],
    ["a Mongolian vowel separator", "\u180e"],
    ["a space without width", "\u200b"],
    ["a line separator", "\u2028"],
    ["a right-to-left override", "\u202e"],
    ["inhibited symmetric swapping", "\u206a"],
    ["a byte order mark", "\ufeff"],
    ["a tag", "\u{e0041}"],
  ])("are replaced and escaped: %s", (_name, character) => {
    expect(replaceUnseen(`a${character}b`, () => "?")).toBe("a?b");
    const json = harmlessJson(JSON.stringify({ a: `x${character}` }));
    expect(json).toMatch(/^[\x20-\x7e]+$/);
    expect(JSON.parse(json)).toEqual({ a: `x${character}` });
  });

  it("blanks between the values of JSON stay", () => {
    expect(harmlessJson(JSON.stringify({ a: ["ü"] }, undefined, 2))).toBe('{\n  "a": [\n    "ü"\n  ]\n}');
  });

  it("a quoted path hides nothing", () => {
    expect(quotePath(Buffer.from("a\u200bb\u202ec").toString("latin1"))).toBe('"a\\u200bb\\u202ec"');
  });
});
