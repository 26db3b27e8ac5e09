import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { expandDocument, expandWord, expandWords, expansionOf } from "../../../builder/dockerfile/words.ts";
import { TsbuildError } from "../../../runtime-addon/index.ts";
import { random } from "./random.ts";

const table = readFileSync(new URL("../../../fixtures/dockerfile/words.txt", import.meta.url), "utf8");
const variables = new Map<string, string>();
const rows: (readonly [word: string, expected: string])[] = [];
for (const line of table.split("\n")) {
  if (line === "" || line.startsWith("# ")) continue;
  if (line.startsWith("env ")) {
    const equals = line.indexOf("=");
    variables.set(line.slice(4, equals), line.slice(equals + 1));
    continue;
  }
  const arrow = line.lastIndexOf(" => ");
  rows.push([line.slice(0, arrow), line.slice(arrow + 4)]);
}
const env = (name: string) => variables.get(name);
const backslash = { escape: "\\" } as const;

describe("words of the table", () => {
  it("is a table of hundreds of rows", () => {
    expect(rows.length).toBeGreaterThan(200);
  });

  it.each(rows)("%s => %s", (word, expected) => {
    if (expected.startsWith("!")) {
      const [code, ...message] = expected.slice(1).split(" ");
      const error = thrownBy(() => expandWord(word, env, backslash));
      expect({ code: error.code, message: error.message }).toEqual({ code, message: message.join(" ") });
    } else if (word.startsWith("words:")) {
      expect(expandWords(word.slice("words:".length), env, backslash)).toEqual(JSON.parse(expected));
    } else {
      expect(expandWord(word, env, backslash)).toBe(expected === '""' ? "" : expected);
    }
  });
});

describe("with the backtick as escape character", () => {
  it.each([
    ["C:\\dir\\$v", "C:\\dir\\value"],
    ["`$v", "$v"],
    ["``", "`"],
    ['"`""', '"'],
    ['"a\\"', "a\\"],
    ["a` b", "a b"],
    ["\\$v", "\\value"],
  ])("%s => %s", (word, expected) => {
    expect(expandWord(word, env, { escape: "`" })).toBe(expected);
  });
});

describe("heredoc bodies", () => {
  it.each([
    ["quotes are text", "a \"$v\" 'b' it's\n", "a \"value\" 'b' it's\n"],
    ["a single-quoted variable expands", "'$v'", "'value'"],
    ["an escaped dollar is text", "\\$v\n", "$v\n"],
    ["an escape character goes", "\\\n", "\n"],
    ["an escaped escape character stays", "\\\\\n", "\\\n"],
    ["unset is empty", "[$unset]", "[]"],
    ["defaults work over lines", "${unset:-a\nb}", "a\nb"],
  ])("%s", (_, content, expected) => {
    expect(expandDocument(content, env)).toBe(expected);
  });
});

describe("what a word used", () => {
  it.each([
    ["$v$unset$v", ["v"], ["unset"]],
    ["${unset:-$nothing}", [], ["nothing"]],
    ["${v:+x}${unset+y}", ["v"], []],
    ["${v#$empty}${unset%x}", ["empty", "v"], ["unset"]],
    ["'$v' \\$v", [], []],
    ["$@", [], ["@"]],
  ])("%s", (word, used, unset) => {
    const expansion = expansionOf(word, env, backslash);
    expect({ used: expansion.used, unset: expansion.unset }).toEqual({ used, unset });
  });
});

/** What takes exponential time does not end before the test runner ends it. */
describe("hostile words", () => {
  it("a pattern of many stars takes no time", () => {
    const value = "a".repeat(20_000);
    for (const form of ["#", "##", "%", "%%"]) expect(expandWord(`\${x${form}${"*a".repeat(300)}b}`, () => value, backslash)).toBe(value);
    expect(expandWord(`\${x//${"*a".repeat(300)}b/c}`, () => value, backslash)).toBe(value);
  });

  it("a variable that doubles itself ends in an error, not in all memory", () => {
    let value = "x".repeat(1000);
    const error = thrownBy(() => {
      for (let i = 0; i < 60; i++) value = expandWord("$x$x", () => value, backslash);
    });
    expect(error.code).toBe("WORD_TOO_LONG");
    expect(value.length).toBeLessThan(1 << 21);
  });

  it("replacing every character by a long text ends in an error", () => {
    const env = (name: string) => (name === "x" ? "x".repeat(100_000) : "y".repeat(100_000));
    expect(thrownBy(() => expandWord("${x//?/$y}", env, backslash)).code).toBe("WORD_TOO_LONG");
  });

  it("nesting without end is refused", () => {
    const error = thrownBy(() => expandWord("${a:-".repeat(100_000), () => undefined, backslash));
    expect(error.message).toContain("nested more than 200 deep");
    expect(expandWord(`${"${a:-".repeat(200)}x${"}".repeat(200)}`, () => undefined, backslash)).toBe("x");
  });

  it("a long pattern is refused", () => {
    expect(thrownBy(() => expandWord(`\${x#${"a".repeat(2000)}}`, () => "a", backslash)).code).toBe("INVALID_PATTERN");
  });

  it("a message quotes a long word only in part", () => {
    expect(thrownBy(() => expandWord(`'${"x".repeat(100_000)}`, env, backslash)).message.length).toBeLessThan(200);
  });
});

describe("random words", () => {
  const cases = Number(process.env.TSBUILD_FUZZ ?? 500);

  it(`${cases} mean what bash takes them for`, () => {
    const next = random(20260101);
    const words = Array.from({ length: cases }, () => shellWord(next, 0));
    const assignments = { v: "value", path: "/usr/local/lib/x.tar.gz", empty: "", star: "a*b", ab: "abab" };
    const script = [
      "shopt -u patsub_replacement 2>/dev/null",
      ...Object.entries(assignments).map(([name, value]) => `${name}='${value}'`),
      ...words.map((word) => `x=${word}; printf '%s\\0' "$x"`),
    ].join("\n");
    const bash = execFileSync("bash", ["--norc", "--noprofile"], {
      input: script,
      env: { LC_ALL: "C.UTF-8" },
      encoding: "utf8",
      maxBuffer: 1 << 24,
    }).split("\0");
    const known = new Map(Object.entries(assignments));
    const ours = words.map((word) => expandWord(word, (name) => known.get(name), backslash));
    expect(words.map((word, i) => `${word} => ${ours[i]}`)).toEqual(words.map((word, i) => `${word} => ${bash[i]}`));
  });

  it(`${cases} texts of anything expand or fail with a known code`, () => {
    const next = random(42);
    const pieces = [
      "$",
      "{",
      "}",
      "v",
      "unset",
      ":",
      "-",
      "+",
      "?",
      "#",
      "%",
      "/",
      "*",
      "\\",
      "'",
      '"',
      " ",
      "a",
      "é",
      "😀",
      "\n",
      "`",
      "@",
      "${v:-",
      "${v//",
    ];
    const codes = new Set(["BAD_SUBSTITUTION", "UNTERMINATED_QUOTE", "REQUIRED_VARIABLE", "INVALID_PATTERN"]);
    for (let i = 0; i < cases; i++) {
      const word = Array.from({ length: next(20) }, () => pieces[next(pieces.length)]).join("");
      try {
        const { text, words } = expansionOf(word, env, backslash);
        // Whatever the quoting, the words hold the same characters as the text, blanks aside.
        expect(words.join("").replace(/\s/g, ""), JSON.stringify(word)).toBe(text.replace(/\s/g, ""));
      } catch (error) {
        if (!(error instanceof TsbuildError)) throw error;
        expect(codes, JSON.stringify(word)).toContain(error.code);
      }
    }
  });
});

/** A word that bash and the Dockerfile language both define: no blanks or operators outside quotes, no bracket patterns. */
function shellWord(next: (below: number) => number, depth: number): string {
  const names = ["v", "path", "empty", "star", "ab", "unset"];
  const name = () => names[next(names.length)];
  // Bash leaves an unset variable alone where the Dockerfile language replaces the empty text.
  const setName = () => names[next(names.length - 1)];
  const literal = () => ["a", "b", "x", "/", ".", "lib", "-", "_", "u"][next(9)];
  const pattern = () => Array.from({ length: 1 + next(4) }, () => ["*", "?", "a", "b", "l", ".", "u", "e"][next(8)]).join("");
  const part = (): string => {
    switch (next(depth > 2 ? 6 : 11)) {
      case 0:
        return `$${name()}${literal() === "/" ? "/" : "."}`;
      case 1:
        return `\${${name()}}`;
      case 2:
        return `'${literal()} $v "x" ${literal()}'`;
      case 3:
        return `"${literal()} \${${name()}} ${literal()}"`;
      case 4:
        return ["\\$v", "\\\\", "\\'", '\\"', "\\a"][next(5)] as string;
      case 5:
        return literal() as string;
      case 6:
        return `\${${name()}${["-", ":-", "+", ":+"][next(4)]}${shellWord(next, depth + 1)}}`;
      case 7:
        return `\${${name()}${["#", "##", "%", "%%"][next(4)]}${pattern()}}`;
      case 8:
        return `\${${setName()}/${pattern()}/${["r", "", "$v", "x.y"][next(4)]}}`;
      case 9:
        return `\${${setName()}//${pattern()}/${["r", "", "$v", "x.y"][next(4)]}}`;
      default:
        return `"\${${name()}:-${literal()}}"`;
    }
  };
  return Array.from({ length: 1 + next(4) }, part).join("");
}

function thrownBy(body: () => unknown): TsbuildError {
  try {
    body();
  } catch (error) {
    if (error instanceof TsbuildError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
