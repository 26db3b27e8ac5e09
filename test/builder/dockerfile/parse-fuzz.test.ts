import { DockerfileParser } from "dockerfile-ast";
import { describe, expect, it } from "vitest";
import { DockerfileErrors, formatDockerfileError } from "../../../builder/dockerfile/errors.ts";
import type { Dockerfile, Instruction } from "../../../builder/dockerfile/instruction.ts";
import { parseDockerfile } from "../../../builder/dockerfile/parse.ts";
import { random } from "./random.ts";

const cases = Number(process.env.TSBUILD_FUZZ ?? 500);

function allOf({ globals, stages }: Dockerfile): readonly Instruction[] {
  return [...globals, ...stages.flatMap(({ from, instructions }) => [from, ...instructions])];
}

describe("random texts", () => {
  it(`${cases} parse, or fail with errors that can be printed`, () => {
    const next = random(1);
    const pieces = [
      "FROM a",
      "RUN",
      "COPY",
      "ADD",
      "ENV",
      "ONBUILD",
      "HEALTHCHECK",
      "CMD",
      "SHELL",
      "ARG",
      " ",
      " ",
      "\n",
      "\n",
      "\n",
      "\\\n",
      "\\",
      "#",
      "<<",
      "<<-",
      "EOF",
      "\nEOF\n",
      "'",
      '"',
      "[",
      "]",
      ",",
      "--",
      "--from=",
      "=",
      "a",
      "b",
      "$",
      "{",
      "}",
      "\t",
      "\r\n",
      "é",
      "😀",
      "`",
      "\u0000",
      "\ufeff",
      "escape",
    ];
    for (let i = 0; i < cases; i++) {
      const text = (next(2) === 0 ? "FROM a\n" : "") + Array.from({ length: next(40) }, () => pieces[next(pieces.length)]).join("");
      try {
        const parsed = parseDockerfile(text, "Dockerfile");
        for (const instruction of allOf(parsed)) {
          expect(parsed.text, JSON.stringify(text)).toContain(instruction.source);
          expect(textAt(parsed.text, instruction), JSON.stringify(text)).toBe(instruction.source);
          expect(instruction.text.toUpperCase().startsWith(instruction.keyword), JSON.stringify(text)).toBe(true);
        }
      } catch (error) {
        if (!(error instanceof DockerfileErrors)) throw new Error(`${JSON.stringify(text)}: ${String(error)}`, { cause: error });
        expect(error.errors.length).toBeGreaterThan(0);
        expect(formatDockerfileError(error)).toMatch(/^Dockerfile:\d+:\d+: error: /);
        for (const { range } of error.errors) {
          expect(range.start.line, JSON.stringify(text)).toBeLessThanOrEqual(text.split("\n").length);
          expect(range.end.line * 1e6 + range.end.column, JSON.stringify(text)).toBeGreaterThanOrEqual(
            range.start.line * 1e6 + range.start.column,
          );
        }
      }
    }
  });

  it(`${cases} valid files have the instructions, arguments and lines that dockerfile-ast finds`, () => {
    const next = random(2);
    const pick = <T>(from: readonly T[]) => from[next(from.length)] as T;
    const gap = () => pick([" ", "  ", "\t", " \\\n  ", " \\\n# comment\n "]);
    const word = () => pick(["a", "b/c", "$x", "${y:-z}", "1", "x.y"]);
    const instruction = (): string => {
      const words = () => Array.from({ length: 1 + next(3) }, word).join(gap());
      return pick([
        () => `RUN${gap()}${words()}`,
        () => `COPY${gap()}--chown=a:b${gap()}${words()}${gap()}${word()}`,
        () => `add ${words()}${gap()}${word()}`,
        () => `EXPOSE ${words()}`,
        () => `VOLUME${gap()}${words()}`,
        () => `WORKDIR ${word()}`,
        () => `User ${word()}`,
        () => `RUN cat <<EOF\n${word()}\n# not a comment\nEOF`,
        () => `FROM ${word()} AS ${pick(["one", "two"])}`,
      ])();
    };
    const blank = () => pick(["\n", "\n\n", "\n# comment\n", "\r\n"]);
    for (let i = 0; i < cases; i++) {
      const text = `FROM a${Array.from({ length: 1 + next(6) }, () => blank() + instruction()).join("")}\n`;
      const theirs = DockerfileParser.parse(text).getInstructions();
      const ours = allOf(parseDockerfile(text, "Dockerfile"));
      const shape = ours.map(({ keyword, range }) => [keyword, range.start.line, range.start.column]);
      expect(shape, JSON.stringify(text)).toEqual(
        theirs.map((found) => [found.getKeyword(), found.getRange().start.line + 1, found.getRange().start.character + 1]),
      );
      const words = ours.map((found) =>
        found.keyword === "COPY" ? [...found.sources.map((source) => (source.kind === "path" ? source.path : "")), found.target] : [],
      );
      expect(words, JSON.stringify(text)).toEqual(
        theirs.map((found) => (found.getKeyword() === "COPY" ? found.getArguments().map((argument) => argument.getValue()) : [])),
      );
    }
  });
});

describe("hostile files", () => {
  it.each([
    ["a line of a million blanks", `FROM a\nRUN x${" ".repeat(1_000_000)}y`],
    ["a hundred thousand continuation lines", `FROM a\nRUN x ${"\\\n".repeat(100_000)}y`],
    ["a hundred thousand comments inside an instruction", `FROM a\nRUN x \\\n${"# c\n".repeat(100_000)}y`],
    ["nearly as many instructions as there may be", `FROM a\n${"ENV a=b\n".repeat(9_999)}`],
    ["a hundred thousand words", `FROM a\nENV ${"a=b ".repeat(100_000)}`],
    ["ten thousand heredocs", `FROM a\nRUN x ${"<<E ".repeat(10_000)}\n${"E\n".repeat(10_000)}`],
    ["a million carriage returns before a letter", `FROM a\n# ${"\r".repeat(1_000_000)}x\nRUN y`],
    ["a million open brackets", `FROM a\nRUN ${"[".repeat(1_000_000)}`],
    ["a million backslashes", `FROM a\nRUN ${"\\".repeat(1_000_000)}`],
    ["a hundred thousand flags", `FROM a\nRUN ${"--mount=target=/a ".repeat(100_000)} x`],
  ])("%s is read in time", (_, text) => {
    parseDockerfile(text, "Dockerfile");
  });

  it("more instructions than anybody writes are refused at the first one too many", () => {
    const { errors } = thrownBy(`FROM a\n${"ENV a=b\n".repeat(100_000)}`);
    expect(errors.map(({ code, range }) => [code, range.start.line])).toEqual([["TOO_LARGE", 10_001]]);
  });

  it("no more than ten thousand errors are looked for", () => {
    expect(thrownBy(`FROM a\n${"FRM x\n".repeat(500_000)}`).errors).toHaveLength(10_000);
  });

  it("ten thousand errors are reported in time", () => {
    const error = thrownBy(`FROM a\n${"FRM x\n".repeat(10_000)}`);
    expect(error.errors).toHaveLength(10_000);
    expect(error.message.length).toBeLessThan(300);
    expect(formatDockerfileError(error)).toMatch(/\n\n… and 9950 more errors$/);
  });

  it("an instruction's name of a million characters is quoted in part", () => {
    expect(formatDockerfileError(thrownBy("x".repeat(1_000_000))).length).toBeLessThan(2000);
  });
});

function thrownBy(text: string): DockerfileErrors {
  try {
    parseDockerfile(text, "Dockerfile");
  } catch (error) {
    if (error instanceof DockerfileErrors) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

/** What a range covers, line by line. */
function textAt(text: string, { range: { start, end } }: Instruction): string {
  const lines = text.split("\n").slice(start.line - 1, end.line);
  const last = lines.length - 1;
  lines[last] = (lines[last] ?? "").slice(0, end.column - 1);
  lines[0] = (lines[0] ?? "").slice(start.column - 1);
  return lines.join("\n");
}
