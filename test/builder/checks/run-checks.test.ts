import { describe, expect, it } from "vitest";
import { checksAsErrors, checksAsWarnings } from "../../../builder/checks/report.ts";
import { runChecks } from "../../../builder/checks/run-checks.ts";
import { listStages } from "../../../builder/checks/stage-list.ts";
import { formatDiagnostic } from "../../../builder/dockerfile/diagnostic.ts";
import { checkText, findingsOf, inputOf } from "./check-text.ts";

const file = "FROM scratch as base\ncopy Dockerfile .";
const casing = "2 ConsistentInstructionCasing: Command 'copy' should match the case of the command majority (uppercase)";
const as = "1 FromAsCasing: 'as' and 'FROM' keywords' casing do not match";
const down = (line: string) => line.replace(/^\d+/, (number) => String(Number(number) + 1));

describe("# check=", () => {
  it.each([
    ["nothing", "", [as, casing]],
    ["skip=all", "#check=skip=all\n", []],
    ["skip with several", "# check=skip=ConsistentInstructionCasing,FromAsCasing\n", []],
    ["blanks", "# check = skip = ConsistentInstructionCasing , FromAsCasing ; error = true\n", []],
    ["skip with one", "# check=skip=ConsistentInstructionCasing\n", [down(as)]],
    ["another case of the directive", "# CHECK=skip=ConsistentInstructionCasing\n", [down(as)]],
    ["another case of the rule", "# check=skip=fromascasing\n", [down(as), down(casing)]],
    ["behind syntax", "# syntax=docker/dockerfile:1\n# check=skip=ConsistentInstructionCasing\n", [down(down(as))]],
    ["too late", "#\n# check=skip=all\n#\n", [as, casing].map(down).map(down).map(down)],
  ])("%s", (_name, directive, expected) => {
    expect(findingsOf(`${directive}${file}`)).toEqual(expected);
  });

  it("skip=all does not silence what is asked for", () => {
    const text = "# check=skip=all;experimental=InvalidDefinitionDescription\n# x\nARG A\nFROM scratch as b";
    expect(findingsOf(text)).toEqual(["3 InvalidDefinitionDescription: Comment for ARG should follow the format: `# A <description>`"]);
  });

  it("gives way to the build argument", () => {
    const buildArgs = { BUILDKIT_DOCKERFILE_CHECK: "skip=ConsistentInstructionCasing;error=true" };
    const report = checkText(`# check=skip=all\n${file}`, { buildArgs });
    expect([report.findings.map(({ rule }) => rule), report.isStrict]).toEqual([["FromAsCasing"], true]);
    expect(checkText(`# check=error=true\n${file}`, { buildArgs: { BUILDKIT_DOCKERFILE_CHECK: "skip=all" } })).toMatchObject({
      findings: [],
      isStrict: false,
    });
    expect(findingsOf(`# check=skip=all\n${file}`, { buildArgs: { BUILDKIT_DOCKERFILE_CHECK: "" } })).toHaveLength(2);
  });

  it.each([
    ["true", true],
    ["1", true],
    ["T", true],
    ["false", false],
    ["0", false],
  ])("error=%s", (value, expected) => {
    expect(checkText(`# check=error=${value}\nFROM scratch`).isStrict).toBe(expected);
  });

  it.each([
    ["skip", 'reading the check directive: "skip" has no "="'],
    ["skip=A;", 'reading the check directive: "" has no "="'],
    ["skpi=A", 'reading the check directive: there is no option "skpi"'],
    ["error=maybe", 'reading the check directive: error="maybe" is neither true nor false'],
  ])("%s is refused at its place", (value, message) => {
    expect(() => checkText(`# syntax=docker/dockerfile:1\n# check=${value}\nFROM scratch`)).toThrow(
      expect.objectContaining({
        code: "INVALID_DIRECTIVE",
        message,
        range: { start: { line: 2, column: 1 }, end: { line: 2, column: 9 + value.length } },
        hint: "it is written skip=RULE,…;error=true;experimental=RULE,…",
      }),
    );
  });

  it("is refused in the build argument", () => {
    expect(() => checkText(file, { buildArgs: { BUILDKIT_DOCKERFILE_CHECK: "skip" } })).toThrow(
      expect.objectContaining({ message: 'reading the build argument BUILDKIT_DOCKERFILE_CHECK: "skip" has no "="' }),
    );
  });

  it("names rules that do not exist", () => {
    const text = "# check=skip=FromAsCasin,all;experimental=Nothing\nFROM scratch\n# check=skip=UndefinedVra\nENV A=$B";
    expect(checkText(text).notes).toEqual([
      'check: there is no rule "FromAsCasin"; did you mean FromAsCasing?',
      'check: there is no rule "Nothing"',
      'line 3: check: there is no rule "UndefinedVra"; did you mean UndefinedVar?',
    ]);
  });
});

describe("# check= above an instruction", () => {
  const found = "Usage of undefined variable";
  it.each<[name: string, text: string, lines: readonly number[]]>([
    ["silences it there", "FROM scratch\n# check=skip=UndefinedVar\nENV A=$B\nENV C=$D", [4]],
    ["with a reason behind it", "FROM scratch\n# check=skip=UndefinedVar the base sets it\nENV A=$B", []],
    ["among other comments", "FROM scratch\n# why\n# check=skip=UndefinedVar\n# so\nENV A=$B", []],
    ["across a blank line", "FROM scratch\n# check=skip=UndefinedVar\n\nENV A=$B", []],
    ["with blanks before it", "FROM scratch\n  # check=skip=all\n  ENV A=$B", []],
    ["not across a lone #", "FROM scratch\n# check=skip=UndefinedVar\n#\nENV A=$B", [4]],
    ["not inside the instruction", "FROM scratch\nENV A=$B \\\n# check=skip=UndefinedVar\n C=$D", [2, 2]],
    ["not from a heredoc's body", "FROM scratch\nRUN <<E\n# check=skip=UndefinedVar\nE\nENV A=$B", [5]],
    ["the first counts", "FROM scratch\n# check=skip=FromAsCasing\n# check=skip=UndefinedVar\nENV A=$B", [4]],
    ["another rule", "FROM scratch\n# check=skip=FromAsCasing\nENV A=$B", [3]],
    ["what cannot be read is a comment", "FROM scratch\n# check=UndefinedVar\nENV A=$B", [3]],
  ])("%s", (_name, text, lines) => {
    const { findings } = checkText(text);
    expect(findings.filter(({ message }) => message.startsWith(found)).map(({ range }) => range.start.line)).toEqual(lines);
  });

  it("silences rules that look at the whole file", () => {
    expect(findingsOf("# check=skip=StageNameCasing\n#\n# check=skip=FromAsCasing\nFROM scratch as B")).toEqual([]);
    expect(findingsOf('FROM scratch\n# check=skip=MultipleInstructionsDisallowed\nCMD ["a"]\nCMD ["b"]')).toEqual([]);
    expect(findingsOf("FROM scratch\n# check=skip=NoEmptyContinuation\nENV A=1 \\\n\n B=2")).toEqual([]);
  });

  it("asks for experimental rules", () => {
    expect(findingsOf("#\n# check=experimental=all\n# x\nFROM scratch AS a")).toHaveLength(1);
  });
});

describe("findings", () => {
  it("stand in the order of the file, at whole instructions", () => {
    const { findings } = checkText('FROM scratch as B\nENV A=$x \\\n  C=$x\nMAINTAINER me\nCMD a\nCMD ["b"]');
    expect(findings.map(({ rule, range: { start, end } }) => [rule, start.line, start.column, end.line, end.column])).toEqual([
      ["StageNameCasing", 1, 1, 1, 18],
      ["FromAsCasing", 1, 1, 1, 18],
      ["UndefinedVar", 2, 1, 3, 7],
      ["MaintainerDeprecated", 4, 1, 4, 14],
      ["JSONArgsRecommended", 5, 1, 5, 6],
      ["MultipleInstructionsDisallowed", 5, 1, 5, 6],
    ]);
  });

  it("are warnings of a build", () => {
    expect(checksAsWarnings(checkText("FROM scratch as a").findings)).toEqual([
      {
        type: "warning",
        rule: "FromAsCasing",
        message: "FromAsCasing: 'as' and 'FROM' keywords' casing do not match",
        range: { start: { line: 1, column: 1 }, end: { line: 1, column: 18 } },
      },
    ]);
  });

  it("are errors where the file says so", () => {
    const { dockerfile } = inputOf("# check=error=true\nFROM scratch as a");
    const errors = checksAsErrors(checkText(dockerfile.text), dockerfile);
    expect(errors.map(({ code, message, range }) => [code, message, range.start.line])).toEqual([
      ["CHECK_FAILED", "FromAsCasing: 'as' and 'FROM' keywords' casing do not match", 2],
    ]);
    expect(checksAsErrors(checkText("FROM scratch as a"), dockerfile)).toEqual([]);
  });

  it("come also where planning could choose no stages", () => {
    const report = runChecks({ ...inputOf(`${file}\nENV A=$x`), stages: [] });
    expect(report.findings.map(({ rule }) => rule)).toEqual(["FromAsCasing", "ConsistentInstructionCasing"]);
  });

  it("cannot control a terminal, nor be endless: a hostile file", () => {
    const long = "x".repeat(100_000);
    const text = `FROM scratch\nWORKDIR a\u001b[2Jb\u202e${long}\nCOPY $${long} /\n`;
    const { findings } = checkText(text);
    expect(findings.map(({ rule }) => rule)).toEqual(["WorkdirRelativePath", "UndefinedVar"]);
    for (const { message, range } of findings) {
      expect(message.length).toBeLessThan(300);
      const printed = formatDiagnostic({ severity: "warning", file: "Dockerfile", text, range, message });
      expect(printed).not.toMatch(/[\u001b\u202e]/);
      expect(printed.length).toBeLessThan(1500);
    }
  });
});

describe("the list of stages", () => {
  it("has name, base, platform and keywords of each", () => {
    const text =
      "ARG V=1\nFROM --platform=$BUILDPLATFORM alpine:$V AS Build\nRUN x\ncopy a /\nFROM scratch\nADD b /\nONBUILD RUN y\nFROM $UNKNOWN${V}x";
    expect(listStages(inputOf(text, { targets: ["build"], platform: { os: "linux", architecture: "arm64" } }))).toEqual([
      { name: "build", base: "alpine:1", platform: expect.stringMatching(/^linux\//), instructions: ["RUN", "COPY"] },
      { base: "scratch", instructions: ["ADD", "ONBUILD"] },
      { base: "1x", instructions: [] },
    ]);
  });
});
