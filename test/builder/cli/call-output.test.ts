import { describe, expect, it } from "vitest";
import type { CheckResult } from "../../../builder/check.ts";
import { runChecks } from "../../../builder/checks/run-checks.ts";
import { listStages } from "../../../builder/checks/stage-list.ts";
import { printCheck } from "../../../builder/cli/check-output.ts";
import { printExplanations } from "../../../builder/cli/explain-output.ts";
import { printOutline, printTargets } from "../../../builder/cli/outline-output.ts";
import { DockerfileError } from "../../../builder/dockerfile/errors.ts";
import { outlineTarget } from "../../../builder/outline/outline-target.ts";
import { listTargets } from "../../../builder/outline/target-list.ts";
import { inputOf } from "../checks/check-text.ts";
import { fakeIo } from "./fake-io.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");

function checked(text: string, errors: readonly DockerfileError[] = []): CheckResult {
  const input = inputOf(text);
  return { ...runChecks(input), source: { file: "Dockerfile", text }, errors, stages: listStages(input) };
}

function printed(result: CheckResult, format: "table" | "json" = "table", ignoreStatus = false) {
  const io = fakeIo();
  const code = printCheck(result, { format, ignoreStatus }, io);
  return { code, ...io.printed };
}

const text = "FROM scratch AS Base\nCOPY $a /a\n";
const failure = new DockerfileError(
  "EMPTY_BASE",
  "it is empty",
  { file: "Dockerfile", text },
  { start: { line: 1, column: 6 }, end: { line: 1, column: 13 } },
);

describe("what a check prints", () => {
  it("is every finding with its place, and how many there are", () => {
    expect(printed(checked(text))).toEqual({
      code: 1,
      stderr: "",
      stdout: `Dockerfile:1:1: warning: Stage name 'Base' should be lowercase [StageNameCasing]
    1 │ FROM scratch AS Base
      ╵ ~~~~~~~~~~~~~~~~~~~~

Dockerfile:2:1: warning: Usage of undefined variable '$a' [UndefinedVar]
    2 │ COPY $a /a
      ╵ ~~~~~~~~~~

Check complete, 2 warnings have been found!
tsbuild --check --explain StageNameCasing,UndefinedVar says more
`,
    });
  });

  it("is one line where nothing was found", () => {
    expect(printed(checked("FROM scratch"))).toEqual({ code: 0, stderr: "", stdout: "Check complete, no warnings found.\n" });
  });

  it("calls findings errors where the file says so, and says what else is odd", () => {
    const { code, stdout, stderr } = printed(checked("# check=error=true;skip=Nothing\nFROM scratch AS B"));
    expect(code).toBe(1);
    expect(stdout).toContain("Dockerfile:2:1: error: Stage name 'B' should be lowercase [StageNameCasing]\n");
    expect(stdout).toContain(
      "\nCheck complete, 1 error: it cannot be built; no warnings found.\ntsbuild --check --explain StageNameCasing says more\n",
    );
    expect(stderr).toBe('note: check: there is no rule "Nothing"\n');
  });

  it("ends in what a build would refuse", () => {
    expect(printed(checked("FROM scratch", [failure]))).toEqual({
      code: 1,
      stderr: "",
      stdout: `Dockerfile:1:6: error: it is empty [EMPTY_BASE]
    1 │ FROM scratch AS Base
      ╵      ~~~~~~~

Check complete, 1 error: it cannot be built; no warnings found.
`,
    });
  });

  it("leaves the exit code alone on request", () => {
    expect(printed(checked(text), "table", true).code).toBe(0);
  });

  it("is BuildKit's JSON, with the stages besides", () => {
    const { code, stdout } = printed(checked("FROM scratch AS Base\nCOPY $a \\\n /a\n"), "json");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toEqual({
      warnings: [
        {
          ruleName: "StageNameCasing",
          description: "Stage names should be lowercase",
          detail: "Stage name 'Base' should be lowercase",
          location: { ranges: [{ start: { line: 1 }, end: { line: 1 } }] },
        },
        {
          ruleName: "UndefinedVar",
          description: "Variables should be defined before their use",
          detail: "Usage of undefined variable '$a'",
          location: { ranges: [{ start: { line: 2 }, end: { line: 3 } }] },
        },
      ],
      sources: [{ filename: "Dockerfile", language: "Dockerfile", data: base64("FROM scratch AS Base\nCOPY $a \\\n /a\n") }],
      stages: [{ name: "base", base: "scratch", instructions: ["COPY"] }],
    });
  });

  it("is JSON with what a build would refuse", () => {
    expect(JSON.parse(printed(checked("FROM scratch", [failure]), "json").stdout)).toMatchObject({
      warnings: [],
      buildError: { message: "it is empty [EMPTY_BASE]", location: { ranges: [{ start: { line: 1 }, end: { line: 1 } }] } },
    });
  });

  it("cannot control a terminal: a hostile file", () => {
    const hostile = checked("FROM scratch\nWORKDIR \u001b]0;x\u0007a\u009b2J\u202e\nCOPY $\u001b[31m /");
    for (const format of ["table", "json"] as const)
      expect(printed(hostile, format).stdout).not.toMatch(/[\u0007\u001b\u0080-\u009f\u202e]/);
  });
});

describe("an explanation", () => {
  function explained(names: readonly string[], format: "table" | "json" = "table"): string {
    const io = fakeIo();
    printExplanations(names, format, io);
    return io.printed.stdout;
  }

  it("is a page about the rule", () => {
    expect(explained(["redundanttargetplatform"])).toBe(`RedundantTargetPlatform
Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is
the default behavior

A base image is taken for the target platform unless FROM says otherwise.

Bad:
    FROM --platform=$TARGETPLATFORM alpine AS builder

Good:
    FROM alpine AS builder
`);
  });

  it("says what is off unless it is asked for", () => {
    expect(explained(["InvalidDefinitionDescription"])).toContain(
      '\nExperimental: off unless "# check=experimental=InvalidDefinitionDescription"\nasks for it.\n',
    );
  });

  it("is of all rules where none is named, in lines that a terminal can show", () => {
    expect(explained([]).match(/^Bad:$/gm)).toHaveLength(22);
    expect(
      explained([])
        .split("\n")
        .filter((line) => line.length > 80 && !line.startsWith("    ")),
    ).toEqual([]);
  });

  it("is JSON on request", () => {
    const [page] = JSON.parse(explained(["FromAsCasing"], "json"));
    expect(page).toEqual({
      name: "FromAsCasing",
      description: "The 'as' keyword should match the case of the 'from' keyword",
      experimental: false,
      why: expect.any(String),
      bad: "FROM debian:latest as builder",
      good: "FROM debian:latest AS builder",
    });
  });

  it.each([
    ["UndefinedVra", "did you mean UndefinedVar?"],
    ["Nothing", expect.stringMatching(/^the rules are StageNameCasing, /)],
  ])("of %s, which is no rule, is refused", (name, hint) => {
    const message = `reading --explain: there is no rule "${name}"`;
    expect(() => explained([name])).toThrow(expect.objectContaining({ code: "INVALID_VALUE", message, hint }));
  });
});

const outlined = `# V is the version
ARG V=1
# app is the server
FROM scratch AS app
ARG V
ARG NONE
RUN --mount=type=secret,id=token,required --mount=type=ssh --mount=type=cache,target=/c true
`;

function outline(format: "table" | "json", dockerfile = outlined): string {
  const input = inputOf(dockerfile, { targets: [] });
  const io = fakeIo();
  const [target] = input.targets;
  if (target === undefined) throw new RangeError("there is no target");
  printOutline(outlineTarget(input, target), input.dockerfile, format, io);
  return io.printed.stdout;
}

describe("an outline", () => {
  it("is a table of each kind", () => {
    expect(outline("table")).toBe(`TARGET:       app
DESCRIPTION:  is the server

BUILD ARG  VALUE  DESCRIPTION
V          1      is the version
NONE

SECRET  REQUIRED
token   true

SSH      REQUIRED
default

CACHE
/c
`);
  });

  it("is BuildKit's JSON", () => {
    const at = (line: number) => ({ ranges: [{ start: { line }, end: { line } }] });
    expect(JSON.parse(outline("json"))).toEqual({
      name: "app",
      description: "is the server",
      args: [
        { name: "V", description: "is the version", value: "1", location: at(2) },
        { name: "NONE", location: at(6) },
      ],
      secrets: [{ name: "token", required: true, location: at(7) }],
      ssh: [{ name: "default", location: at(7) }],
      cache: [{ ID: "/c", location: at(7) }],
      sources: [base64(outlined)],
    });
  });

  it("leaves out what there is none of", () => {
    expect(outline("table", "FROM scratch")).toBe("");
    expect(JSON.parse(outline("json", "FROM scratch"))).toEqual({ sources: [base64("FROM scratch")] });
  });

  it("cannot control a terminal: a hostile file", () => {
    const hostile = "FROM scratch\n# A \u001b[2J\u202e\nARG A=\u001b]0;x\u0007\n";
    for (const format of ["table", "json"] as const) expect(outline(format, hostile)).not.toMatch(/[\u0007\u001b\u202e]/);
  });
});

describe("a list of targets", () => {
  const file = "# a is built first\nFROM --platform=$BUILDPLATFORM x AS a\nFROM a\nFROM scratch AS b\n";
  function listed(format: "table" | "json", dockerfile = file): string {
    const input = inputOf(dockerfile);
    const io = fakeIo();
    printTargets(listTargets(input.dockerfile), input.dockerfile, format, io);
    return io.printed.stdout;
  }

  it("is a table", () => {
    expect(listed("table")).toBe("TARGET       DESCRIPTION\na            is built first\n\nb (default)\n");
    expect(listed("table", "FROM scratch")).toBe("TARGET     DESCRIPTION\n(default)\n");
  });

  it("is BuildKit's JSON", () => {
    const at = (line: number) => ({ ranges: [{ start: { line }, end: { line } }] });
    expect(JSON.parse(listed("json"))).toEqual({
      targets: [
        { name: "a", description: "is built first", base: "x", platform: "$BUILDPLATFORM", location: at(2) },
        { base: "a", location: at(3) },
        { name: "b", default: true, base: "scratch", location: at(4) },
      ],
      sources: [base64(file)],
    });
  });
});
