import { describe, expect, it } from "vitest";
import { isPredefinedArg } from "../../../builder/plan/predefined-args.ts";
import { configOf } from "../../../builder/plan/stage-state.ts";
import { type Planning, planError, planned } from "./planned.ts";

const text = "FROM i AS a\nFROM a AS B\nFROM i AS c\nFROM c\nCOPY --from=b x /";

describe("several targets", () => {
  it.each<[targets: string[], stages: number[], built: number[]]>([
    [[], [0, 1, 2, 3], [3]],
    [["b"], [0, 1], [1]],
    [
      ["c", "A"],
      [0, 2],
      [2, 0],
    ],
    [["b", "B", "b"], [0, 1], [1]],
    [["*"], [0, 1, 2, 3], [0, 1, 2, 3]],
    [
      ["c", "*"],
      [0, 1, 2, 3],
      [2, 0, 1, 3],
    ],
  ])("%j need these stages", (targets, stages, built) => {
    const plan = planned(text, { targets });
    expect([plan.stages.map(({ index }) => index), plan.targets.map(({ index }) => index)]).toEqual([stages, built]);
  });

  it("are refused where one is none", () => {
    expect(() => planned(text, { targets: ["a", "cc"] })).toThrow(
      'looking for the target stage "cc": Dockerfile has no stage of that name',
    );
  });
});

describe("TARGETSTAGE", () => {
  const stageOf = (file: string, options: Planning) => {
    const operation = planned(file, options).target.steps.at(-1)?.operation;
    return operation?.op === "run" ? operation.env.TARGETSTAGE : undefined;
  };
  const file = "FROM i AS One\nARG TARGETSTAGE\nRUN x\nFROM i\nARG TARGETSTAGE\nRUN x";

  it.each<[name: string, options: Planning, expected: string]>([
    ["the target as typed", { targets: ["oNe"] }, "oNe"],
    ["default for a stage without a name", {}, "default"],
    ["what a build argument says", { buildArgs: { TARGETSTAGE: "x" } }, "x"],
    ["what a build argument says of several targets", { targets: ["*"], buildArgs: { TARGETSTAGE: "x" } }, "x"],
  ])("is %s", (_name, options, expected) => {
    expect(stageOf(file, options)).toBe(expected);
  });

  it("of all stages that are one is its name", () => {
    expect(stageOf("FROM i AS One\nARG TARGETSTAGE\nRUN x", { targets: ["*"] })).toBe("one");
  });

  const ambiguous = {
    code: "AMBIGUOUS_TARGET",
    message: "reading TARGETSTAGE: several targets are built at once, and it has one value for all of a build",
    hint: "build the targets one by one, or give it a value with --build-arg TARGETSTAGE=NAME",
  };

  it.each<[where: string, file: string, line: number]>([
    ["in a stage", "FROM i AS a\nARG TARGETSTAGE\nFROM i", 2],
    ["in FROM", "FROM i\nFROM i-$TARGETSTAGE", 2],
    ["in a global ARG", "ARG X=${TARGETSTAGE:-x}\nFROM i\nFROM i", 1],
    ["in --from", "FROM i\nFROM i\nCOPY --from=$TARGETSTAGE x /", 3],
  ])("of several targets is an error: %s", (_where, several, line) => {
    expect(planError(several, { targets: ["*"] })).toEqual({ ...ambiguous, line });
  });

  it("of several targets is none where nobody asks, or a stage has its own", () => {
    expect(stageOf("FROM i\nFROM i\nARG TARGETSTAGE=mine\nRUN $TARGETSTAGE", { targets: ["*"] })).toBeUndefined();
    const plan = planned("FROM i\nFROM i\nARG TARGETSTAGE=mine\nENV A=$TARGETSTAGE", { targets: ["*"] });
    expect(plan.targets.map(({ state }) => configOf(state).Env)[1]).toContain("A=mine");
  });
});

describe("predefined arguments", () => {
  it("of platforms are what a build argument says, in FROM too", () => {
    const plan = planned("FROM img-$TARGETARCH-$BUILDOS", { buildArgs: { TARGETARCH: "z80", BUILDOS: "cpm" } });
    expect(plan.target.base).toEqual({ kind: "image", image: "img-z80-cpm" });
  });

  it("have the version of the system, and Windows its own search path", () => {
    const platform = { os: "windows", architecture: "amd64", "os.version": "10.0.1" };
    const plan = planned("FROM img:$TARGETOSVERSION-x$BUILDOSVERSION", { platform, images: { "img:10.0.1-x": { whole: platform } } });
    expect(plan.target.base).toEqual({ kind: "image", image: "img:10.0.1-x" });
    expect(configOf(plan.target.state).Env).toBeUndefined();
  });

  it.each([
    "HTTP_PROXY",
    "no_proxy",
    "SOURCE_DATE_EPOCH",
    "BUILDKIT_SYNTAX",
    "BUILDKIT_INLINE_CACHE",
    "BUILDKIT_CONTEXT_KEEP_GIT_DIR",
    "TARGETPLATFORM",
    "TARGETSTAGE",
    "BUILDVARIANT",
    "TARGETOSVERSION",
  ])("%s needs no ARG", (name) => {
    expect(isPredefinedArg(name)).toBe(true);
  });

  it.each(["A", "BUILDSTAGE", "targetos", "XBUILDKIT_A", "HTTP_PROXYX"])("%s does", (name) => {
    expect(isPredefinedArg(name)).toBe(false);
  });
});

describe("an ARG's name", () => {
  it("is taken as written", () => {
    const operation = planned("FROM i\nENV N=A\nARG $N=1\nRUN x").target.steps[0]?.operation;
    expect(operation).toMatchObject({ env: { N: "A", $N: "1" } });
  });
});
