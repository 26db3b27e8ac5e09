import { describe, expect, it } from "vitest";
import { cutAt, type StepPlace } from "../../builder/cut-at.ts";
import { parseDockerfile } from "../../builder/dockerfile/parse.ts";
import { thrown } from "./cli/thrown.ts";

const dockerfile = parseDockerfile(
  "FROM a AS builder\nENV A=1\nRUN one\nCOPY x \\\n  y\nFROM b\nWORKDIR /w\nUSER 5\nRUN two\n",
  "Dockerfile",
);

function kept(at: StepPlace["at"], before = false): string[] {
  return (
    cutAt(dockerfile, { at, before })
      .stages.at(-1)
      ?.instructions.map(({ keyword }) => keyword) ?? []
  );
}

describe("a Dockerfile is cut", () => {
  it.each<[name: string, at: StepPlace["at"], after: string[], before: string[]]>([
    ["at a line", { line: 3 }, ["ENV", "RUN"], ["ENV"]],
    ["at the second line of an instruction", { line: 5 }, ["ENV", "RUN", "COPY"], ["ENV", "RUN"]],
    ["at an instruction that is no step", { line: 2 }, ["ENV"], []],
    ["at a FROM", { line: 6 }, [], []],
    ["at a step of a stage", { step: 3, stage: "Builder" }, ["ENV", "RUN", "COPY"], ["ENV", "RUN"]],
    ["at a step of a stage without a name", { step: 2, stage: "1" }, ["WORKDIR"], []],
    ["at a step of the last stage", { step: 3 }, ["WORKDIR", "USER", "RUN"], ["WORKDIR", "USER"]],
    ["at FROM as the first step", { step: 1 }, [], []],
  ])("%s", (_name, at, after, before) => {
    expect(kept(at)).toEqual(after);
    expect(kept(at, true)).toEqual(before);
  });

  it.each<[at: StepPlace["at"], message: string, hint: string]>([
    [{ line: 10 }, "looking for line 10 of Dockerfile: there is no instruction of a stage", "the nearest: RUN on line 9"],
    [
      { step: 4 },
      "looking for step 4 of Dockerfile: there are 3",
      "1 FROM on line 6, 2 WORKDIR on line 7, 3 RUN on line 9; steps are numbered as in the progress of a build; a number alone is a line",
    ],
    [{ step: 2, stage: "x" }, 'looking for a step: there is no stage "x" in Dockerfile', "stages: builder, 1"],
  ])("not at %j", (at, message, hint) => {
    expect(thrown(() => cutAt(dockerfile, { at, before: false }))).toMatchObject({ code: "UNKNOWN_STEP", message, hint });
  });

  it("not between two instructions", () => {
    const spaced = parseDockerfile("FROM a\n\n# nothing\nRUN one\n", "Dockerfile");
    expect(thrown(() => cutAt(spaced, { at: { line: 2 }, before: false }))).toMatchObject({
      hint: "the nearest: FROM on line 1, RUN on line 4",
    });
  });
});
