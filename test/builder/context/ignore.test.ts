import { describe, expect, it } from "vitest";
import { parseIgnoreFile } from "../../../builder/context/ignore.ts";
import { type ByteString, bytesOf, TsbuildError } from "../../../runtime-addon/index.ts";
import { random } from "../dockerfile/random.ts";
import { naiveExcludes } from "./naive-ignore.ts";

const excludes = (file: string, path: string) => parseIgnoreFile(file).excludes(bytesOf(path));

describe("one pattern", () => {
  // Pattern, paths that it excludes, paths that it does not.
  it.each<[string, string[], string[]]>([
    ["foo", ["foo", "foo/a", "foo/a/b"], ["a/foo", "foob", "fo", "Foo"]],
    ["/foo", ["foo"], ["a/foo"]],
    ["foo/", ["foo", "foo/a"], ["a/foo"]],
    ["./foo", ["foo"], ["a/foo"]],
    ["a/../foo", ["foo"], ["a", "a/foo"]],
    ["foo//bar/.", ["foo/bar", "foo/bar/x"], ["foo", "bar"]],
    ["  foo  ", ["foo"], []],
    ["\tfoo\t", ["foo"], []],
    ["\u0085\u00a0\u3000foo\u2028\v", ["foo"], []],
    ["\ufefffoo", ["foo"], []],
    [" \ufefffoo", ["\ufefffoo"], ["foo"]],
    ["a\\\\b", ["a\\b"], ["ab"]],
    ["[[]", ["["], ["a"]],
    ["foo bar", ["foo bar"], ["foo"]],
    ["*", ["a", "a/b", ".a"], []],
    ["*.md", ["a.md", ".md", "a.md/b"], ["a.mdx", "a/b.md"]],
    ["*/b", ["a/b", "c/b/d"], ["b", "a/c/b"]],
    ["a/*", ["a/b", "a/b/c", "a/.x"], ["a", "b"]],
    ["a*", ["a", "ab", "a/b", "ab/c"], ["ba"]],
    ["*b*", ["b", "abc", "xb/y"], ["a/b", "a"]],
    ["?", ["a", "é", "a/b"], ["ab", ""]],
    ["a?c", ["abc"], ["a/c", "ac"]],
    ["**", ["a", "a/b/c", ".x"], []],
    ["**/", ["a", "a/b"], []],
    ["**/*", ["a", "a/b"], []],
    ["**/foo", ["foo", "a/foo", "a/b/foo", "a/foo/b"], ["afoo", "foob", "a/afoo"]],
    ["/**/foo", ["foo", "a/foo"], ["afoo"]],
    ["**foo", ["foo", "afoo", "a/foo", "a/bfoo"], ["foob"]],
    ["**.log", [".log", "a.log", "a/b.log"], ["a.logs", "log"]],
    ["**/*.log", ["a.log", "a/b.log", "a/b/.log"], ["a.logs"]],
    ["foo/**", ["foo/a", "foo/a/b"], ["foo", "foob", "a/foo/b"]],
    ["foo**", ["foo", "foob", "foo/a"], ["a/foo"]],
    ["foo/**/bar", ["foo/bar", "foo/a/bar", "foo/a/b/bar", "foo/bar/x"], ["foo", "foobar", "foo/abar"]],
    ["a**/b", ["ab", "a/b", "ax/b", "ax/y/b"], ["a", "axb", "b"]],
    ["a**b", ["ab", "a/b", "ax/b"], ["axb", "a/xb"]],
    ["**/a/**", ["a/b", "x/a/b", "x/y/a/b/c"], ["a", "x/a", "xa/b"]],
    ["**/a/**/b", ["a/b", "x/a/y/b"], ["a", "b", "xa/b"]],
    ["*/**", ["a/b", "a/b/c"], ["a"]],
    ["**/.git", [".git", "a/.git", ".git/config"], [".gitignore"]],
    ["[ab]", ["a", "b", "a/x"], ["c", "ab"]],
    ["[a-c]x", ["bx"], ["dx"]],
    ["[^a]", ["b"], ["a"]],
    ["[^a]x", ["bx"], ["ax"]],
    ["[!a]", ["!", "a"], ["b"]],
    ["foo.[ch]", ["foo.c", "foo.h"], ["foo.o", "fooxc"]],
    ["\\*", ["*"], ["a"]],
    ["\\!foo", ["!foo"], ["foo"]],
    ["\\#foo", ["#foo"], ["foo"]],
    ["a\\?b", ["a?b"], ["axb"]],
    ["a.b", ["a.b"], ["axb"]],
    ["a+(b)|{c}$^", ["a+(b)|{c}$^"], ["aab"]],
    ["*.a+", ["x.a+"], ["x.aa"]],
    [" #foo", ["#foo"], ["foo"]],
    ["grüße/*.é", ["grüße/a.é"], ["grüße/a.e"]],
    [".", [], ["a", ".a"]],
    ["/", [], ["a"]],
    ["..", [], ["a"]],
    ["../a", [], ["a"]],
    ["# foo", [], ["# foo", "foo"]],
    ["", [], ["a"]],
  ])("%j", (pattern, inside, outside) => {
    expect({ in: inside.filter((path) => excludes(pattern, path)), out: outside.filter((path) => !excludes(pattern, path)) }).toEqual({
      in: inside,
      out: outside,
    });
  });
});

describe("several patterns", () => {
  it.each<[name: string, file: string, string[], string[]]>([
    ["the last that matches decides", "*.md\n!README.md", ["a.md"], ["README.md"]],
    ["the last that matches decides, in the other order", "!README.md\n*.md", ["a.md", "README.md"], []],
    ["excluded again", "*.md\n!README*.md\nREADME-secret.md", ["a.md", "README-secret.md"], ["README.md"]],
    ["re-included below an excluded directory", "a\n!a/b", ["a", "a/c", "a/bc"], ["a/b", "a/b/c"]],
    ["re-included deep below", "a\n!a/b/c/d", ["a", "a/b", "a/b/c", "a/b/c/e"], ["a/b/c/d", "a/b/c/d/e"]],
    ["everything but", "*\n!src\n!package.json", ["a", "a/src", "package.json5"], ["src", "src/a/b", "package.json"]],
    ["everything but, with **", "**\n!src/**", ["a", "src"], ["src/a", "src/a/b"]],
    ["excluded below a re-included directory", "*\n!src\nsrc/secret", ["src/secret", "src/secret/a"], ["src", "src/b"]],
    ["a directory above that is excluded later wins", "a\n!a/b/c\na/b", ["a/b", "a/b/c", "a/b/c/d"], []],
    ["a blank behind the exclamation mark", "*\n! a", ["b"], ["a"]],
    ["a slash behind the exclamation mark", "*\n!/a", ["b"], ["a"]],
    ["CRLF", "*\r\n!a\r\n", ["b"], ["a"]],
    ["a byte order mark", "\ufeff*\n!a", ["b"], ["a"]],
    ["comments and blank lines", "# c\n\n  \n*\n#!a", ["a", "b"], []],
    ["wildcards re-included", "**\n!**/*.ts", ["a", "a/b.js"], ["a.ts", "a/b.ts", "a/b/c.ts"]],
    ["nothing is left in by ! alone", "!a", [], ["a", "b"]],
  ])("%s", (_, file, inside, outside) => {
    const rules = parseIgnoreFile(file);
    // Asked in both orders: what is kept from one path to the next must not show.
    for (const paths of [[...inside, ...outside], [...inside, ...outside].reverse()]) {
      expect(paths.filter((path) => rules.excludes(bytesOf(path))).sort()).toEqual([...inside].sort());
    }
  });

  it("the context itself is never excluded", () => {
    for (const file of ["*", "**", ".", "/"]) expect(excludes(file, "")).toBe(false);
  });
});

describe("whether something below an excluded directory may be re-included", () => {
  it.each([
    ["a", "a", false],
    ["a\n!b", "a", false],
    ["a\n!a/b", "a", true],
    ["a\n!a/b", "a/c", false],
    ["a\n!a/b/c", "a/b", true],
    ["a\n!a/bc", "a/b", false],
    ["!a/b\na", "a", false],
    ["a\n!a/*", "a", true],
    ["a\n!*/b", "a", true],
    ["a\n!*/b", "a/c", false],
    ["a\n!a/*/c", "a/b", true],
    ["a\n!**/*.ts", "a/b/c", true],
    ["a\n!**.ts", "a/b/c", true],
    ["a\n!b/**", "a", false],
    ["a\n!a/b/**", "a", true],
    ["a\n!a/b/**", "a/c", false],
    ["a\n!?/b", "a", true],
    ["ab\n!?/b", "ab", false],
    ["a\n!a", "b", false],
    ["*\n!src/main", "node_modules", false],
    ["*\n!src/main", "src", true],
    ["a\n!a/b\na/b", "a/b", false],
  ])("%j, %s: %j", (file, directory, expected) => {
    expect(parseIgnoreFile(file).mayReincludeBelow(bytesOf(directory))).toBe(expected);
  });
});

describe("malformed files", () => {
  it.each([
    ["a\n!", '.dockerignore:2: reading the pattern "!": a path must follow the exclamation mark'],
    ["!  ", '.dockerignore:1: reading the pattern "!": a path must follow the exclamation mark'],
    ["!/", '.dockerignore:1: reading the pattern "!": a path must follow the exclamation mark'],
    ["# c\n\n[", '.dockerignore:3: reading the pattern "[": a "[" is not closed'],
    ["a[b-", '.dockerignore:1: reading the pattern "a[b-": a "[" is not closed'],
    ["[]", '.dockerignore:1: reading the pattern "[]": a class holds a bare "]"'],
    ["a\\", '.dockerignore:1: reading the pattern "a\\": it ends in a backslash'],
    ["![", '.dockerignore:1: reading the pattern "[": a "[" is not closed'],
  ])("%j", (text, message) => {
    let thrown: unknown;
    try {
      parseIgnoreFile(text);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(TsbuildError);
    expect(thrown).toMatchObject({ code: "INVALID_IGNORE_FILE", message });
  });
});

describe("the rule that decides", () => {
  const rules = parseIgnoreFile("\ufeff# c\n*.log\r\n\n !keep.log \n a/b\n", "x.dockerignore");

  it.each<[path: string, expected: { line: number; text: string } | undefined]>([
    ["a.log", { line: 2, text: "*.log" }],
    ["a.log/below", { line: 2, text: "*.log" }],
    ["keep.log", undefined],
    ["a/b/c", { line: 5, text: "a/b" }],
    ["other", undefined],
    ["", undefined],
  ])("about %j", (path, expected) => {
    expect(rules.excludedBy(bytesOf(path))).toEqual(expected && { file: "x.dockerignore", ...expected });
  });
});

describe("names that are not UTF-8", () => {
  it("are matched by wildcards and never mixed up", () => {
    const rules = parseIgnoreFile("a?\n*.bin\nx\ufffd");
    expect(rules.excludes("a\xff" as ByteString)).toBe(true);
    expect(rules.excludes("\xfe\xff.bin" as ByteString)).toBe(true);
    expect(rules.excludes("x\xff" as ByteString)).toBe(false);
    expect(rules.excludes(bytesOf("x\ufffd"))).toBe(true);
  });

  it("a line end in a name does not hide it", () => {
    expect(excludes("**/secret", "a\nb/secret")).toBe(true);
    expect(excludes("a*b", "a\nb")).toBe(true);
  });
});

describe("speed", () => {
  it("hostile patterns take no time", () => {
    const rules = parseIgnoreFile(`${"**/a*".repeat(50)}b\n${"*a".repeat(100)}b\n${"?*".repeat(100)}b`);
    const path = bytesOf(`${"aaaaaaaa/".repeat(100)}c`);
    for (let i = 0; i < 5; i++) expect(rules.excludes(path)).toBe(false);
  });

  it("thirty thousand paths take no time", () => {
    const rules = parseIgnoreFile(
      "node_modules\n**/*.log\n.git\n*.md\n!README.md\n**/dist\n**/.cache/**\ndocs/*.txt\ntmp*\n**/__pycache__",
    );
    const paths = Array.from({ length: 30_000 }, (_, i) => bytesOf(`src/part${i % 50}/module${i % 1000}/file${i}.ts`)).sort();
    expect(paths.filter((path) => rules.excludes(path))).toEqual([]);
  });
});

describe("random rules", () => {
  const cases = Number(process.env.TSBUILD_FUZZ ?? 500);
  const next = random(11);
  const pieces = ["a", "b", "/", "*", "**", "?", "[ab]", "a/", "**/", "/**", "é"];
  const pattern = () => (next(4) === 0 ? "!" : "") + Array.from({ length: 1 + next(5) }, () => pieces[next(pieces.length)]).join("");
  const names = ["a", "b", "ab", "é", "ba"];
  const path = () => Array.from({ length: 1 + next(4) }, () => names[next(names.length)]).join("/");

  it(`${cases} agree with a matcher that tries the plain definition`, () => {
    for (let i = 0; i < cases; i++) {
      const patterns = Array.from({ length: 1 + next(4) }, pattern).filter((p) => !/^!\/*$/.test(p));
      const rules = parseIgnoreFile(patterns.join("\n"));
      for (let j = 0; j < 10; j++) {
        const asked = path();
        expect(rules.excludes(bytesOf(asked)), `${JSON.stringify(patterns)} ${asked}`).toBe(naiveExcludes(patterns, asked));
      }
    }
  });

  it(`${cases} never say that nothing is re-included below where something is`, () => {
    for (let i = 0; i < cases; i++) {
      const patterns = Array.from({ length: 1 + next(4) }, pattern).filter((p) => !/^!\/*$/.test(p));
      const rules = parseIgnoreFile(patterns.join("\n"));
      for (let j = 0; j < 20; j++) {
        const asked = path();
        if (rules.excludes(bytesOf(asked))) continue;
        for (let at = asked.indexOf("/"); at > 0; at = asked.indexOf("/", at + 1)) {
          const above = bytesOf(asked.slice(0, at));
          if (rules.excludes(above)) expect(rules.mayReincludeBelow(above), `${JSON.stringify(patterns)} ${above} ${asked}`).toBe(true);
        }
      }
    }
  });
});
