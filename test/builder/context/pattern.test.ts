import { describe, expect, it } from "vitest";
import { compilePattern, hasWildcard, pathText } from "../../../builder/context/pattern.ts";
import { type ByteString, bytesOf } from "../../../runtime-addon/index.ts";
import { random } from "../dockerfile/random.ts";

const matches = (pattern: string, name: string) => compilePattern(bytesOf(pattern))(bytesOf(name));
const raw = (bytes: string) => bytes as ByteString;

describe("a pattern of COPY", () => {
  it.each([
    ["abc", "abc", true],
    ["abc", "abcd", false],
    ["abc", "ab", false],
    ["", "", true],
    ["", "a", false],
    ["*", "abc", true],
    ["*", "", true],
    ["*", ".hidden", true],
    ["*", "a/b", false],
    ["*c", "abc", true],
    ["a*", "a", true],
    ["a*", "abc", true],
    ["a*", "ab/c", false],
    ["a*/b", "abc/b", true],
    ["a*/b", "a/c/b", false],
    ["a*b*c*d*e*/f", "axbxcxdxe/f", true],
    ["a*b*c*d*e*/f", "axbxcxdxexxx/f", true],
    ["a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false],
    ["a*b?c*x", "abxbbxdbxebxczzx", true],
    ["a*b?c*x", "abxbbxdbxebxczzy", false],
    ["**", "a/b", false],
    ["**", "ab", true],
    ["a**b", "axxb", true],
    ["?", "a", true],
    ["?", "", false],
    ["?", "/", false],
    ["?", "é", true],
    ["?", "😀", true],
    ["??", "é", false],
    ["a?b", "a/b", false],
    ["ab[c]", "abc", true],
    ["ab[b-d]", "abc", true],
    ["ab[e-g]", "abc", false],
    ["ab[^c]", "abc", false],
    ["ab[^e-g]", "abc", true],
    ["[^a]", "/", true],
    ["[a-ζ]*", "α", true],
    ["*[a-ζ]", "A", false],
    ["a[!]b", "a!b", true],
    ["[[]", "[", true],
    ["[\\]]", "]", true],
    ["[\\-x]", "-", true],
    ["[x\\-]", "-", true],
    ["[x\\-]", "x", true],
    ["[^\\-]", "-", false],
    ["[*?]", "*", true],
    ["[*?]", "a", false],
    ["[z-a]", "m", false],
    ["a\\*b", "a*b", true],
    ["a\\*b", "axb", false],
    ["\\a", "a", true],
    ["\\\\", "\\", true],
    ["*.tar.gz", "x.tar.gz", true],
    ["*.gz", "x.gz.gz", true],
    ["*x", "xxx", true],
    ["*ab", "aab", true],
    ["]", "]", true],
    ["a]", "a]", true],
    ["-", "-", true],
  ])("%j and %j: %j", (pattern, name, expected) => {
    expect(matches(pattern, name)).toBe(expected);
  });

  it.each(["[", "[]", "[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "[^", "[^]", "[a", "a[", "[^bc", "\\", "a\\", "[\\", "[a-\\"])(
    "%j is malformed, whatever the name",
    (pattern) => {
      expect(() => compilePattern(bytesOf(pattern))).toThrowError(expect.objectContaining({ code: "INVALID_PATTERN" }));
    },
  );

  it.each([
    ["a", false],
    ["a*", true],
    ["?", true],
    ["[a]", true],
    ["a]", false],
    ["a\\*", false],
    ["a\\\\*", true],
    ["a\\[b\\?", false],
    ["a\\*b*", true],
    ["a\\", false],
  ])("%j is a pattern: %j", (word, expected) => {
    expect(hasWildcard(word)).toBe(expected);
  });
});

describe("names that are not UTF-8", () => {
  it("keep every byte apart", () => {
    expect(pathText(raw("a\xff"))).toBe("a\udcff");
    expect(pathText(raw("\xc3\xa9\xff\xc3"))).toBe("é\udcff\udcc3");
    expect(pathText(raw("\xed\xa0\x80"))).toBe("\udced\udca0\udc80");
    expect(pathText(raw("\xef\xbf\xbd"))).toBe("\ufffd");
    expect(pathText(raw("\xf0\x9f\x98\x80\x80"))).toBe("😀\udc80");
  });

  it("match byte by byte", () => {
    expect(compilePattern(raw("?\xff"))(raw("a\xff"))).toBe(true);
    expect(compilePattern(bytesOf("*?"))(raw("\xff"))).toBe(true);
    expect(compilePattern(raw("\xff"))(raw("\xfe"))).toBe(false);
    expect(compilePattern(bytesOf("é?"))(raw("\xc3\xa9\xfe"))).toBe(true);
  });
});

describe("hostile patterns", () => {
  it("many stars take no time", () => {
    expect(matches(`${"*a".repeat(200)}b`, "a".repeat(4000))).toBe(false);
    expect(matches(`${"a*".repeat(500)}b`, "a".repeat(4000))).toBe(false);
  });
});

describe("random patterns", () => {
  const cases = Number(process.env.TSBUILD_FUZZ ?? 500);

  it(`${cases} match what trying every possibility matches`, () => {
    const next = random(3);
    const pattern = () => Array.from({ length: next(7) }, () => ["a", "b", "/", "*", "?", "[ab]", "[^a]", "\\*", "é"][next(9)]).join("");
    const name = () => Array.from({ length: next(7) }, () => ["a", "b", "/", "*", "é"][next(5)]).join("");
    for (let i = 0; i < cases; i++) {
      const [p, n] = [pattern(), name()];
      // A class may match "/" as in Go, and there Go's greedy search and an exhaustive one differ.
      if (p.includes("[^")) continue;
      expect(matches(p, n), `${p} ${n}`).toBe(naive([...p], [...n]));
    }
  });
});

function naive(pattern: readonly string[], name: readonly string[]): boolean {
  const [head, ...tail] = pattern;
  const [first, ...rest] = name;
  if (head === undefined) return first === undefined;
  if (head === "*") return naive(tail, name) || (first !== undefined && first !== "/" && naive(pattern, rest));
  if (first === undefined) return false;
  if (head === "?") return first !== "/" && naive(tail, rest);
  if (head === "[") {
    const close = pattern.indexOf("]");
    return pattern.slice(1, close).includes(first) && naive(pattern.slice(close + 1), rest);
  }
  if (head === "\\") return pattern[1] === first && naive(pattern.slice(2), rest);
  return head === first && naive(tail, rest);
}
