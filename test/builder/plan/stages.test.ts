import { describe, expect, it } from "vitest";
import { DockerfileErrors } from "../../../builder/dockerfile/errors.ts";
import { parseDockerfile } from "../../../builder/dockerfile/parse.ts";
import { type Outline, outlineBuild, type PlanOptions } from "../../../builder/plan/build-plan.ts";
import type { Base } from "../../../builder/plan/stages.ts";
import { amd64, plainOptions, planError } from "./planned.ts";

function outline(text: string, options: Partial<PlanOptions> = {}) {
  return outlineBuild(parseDockerfile(text, "Dockerfile"), { ...plainOptions, ...options }, new Map());
}

/** What is built: "index name base", in order. */
function stagesOf(text: string, target?: string): string[] {
  return built(outline(text, target === undefined ? {} : { targets: [target] }));
}

function built({ plan }: Outline): string[] {
  return plan.stages.map(({ index, name, base }) => [index, name ?? "-", baseText(base)].join(" "));
}

function baseText(base: Base): string {
  switch (base.kind) {
    case "stage":
      return `stage ${base.stage}`;
    case "image":
      return base.image;
    case "context":
      return `context ${base.context}`;
    case "scratch":
      return "scratch";
  }
}

describe("the stages that are built", () => {
  it.each<[name: string, text: string, target: string | undefined, expected: string[]]>([
    ["the last stage without a target", "FROM a AS one\nFROM b AS two", undefined, ["1 two b"]],
    ["the target and nothing behind it", "FROM a AS one\nFROM b AS two", "one", ["0 one a"]],
    ["a base that is an earlier stage", "FROM a AS one\nFROM one", undefined, ["0 one a", "1 - stage 0"]],
    [
      "a stage that COPY reads by name",
      "FROM a AS one\nFROM b AS no\nFROM scratch\nCOPY --from=one /x /",
      undefined,
      ["0 one a", "2 - scratch"],
    ],
    ["a stage that COPY reads by number", "FROM a\nFROM b\nCOPY --from=0 /x /", undefined, ["0 - a", "1 - b"]],
    [
      "what a needed stage needs",
      "FROM a AS one\nFROM one AS two\nFROM two AS three",
      undefined,
      ["0 one a", "1 two stage 0", "2 three stage 1"],
    ],
    [
      "a stage twice needed, once",
      "FROM a AS one\nFROM one\nCOPY --from=one /x /\nCOPY --from=0 /y /",
      undefined,
      ["0 one a", "1 - stage 0"],
    ],
    ["names without regard to case", "FROM a AS Build\nFROM build\nCOPY --from=BUILD /x /", undefined, ["0 build a", "1 - stage 0"]],
    ["a target without regard to case", "FROM a AS Build\nFROM b", "bUILD", ["0 build a"]],
    ["the last of two stages of one name", "FROM a AS x\nFROM b AS x\nFROM x", undefined, ["1 x b", "2 - stage 1"]],
    ["the last of two targets of one name", "FROM a AS x\nFROM b AS x\nFROM c", "x", ["1 x b"]],
    [
      "FROM a later stage's name as an image",
      "FROM later AS one\nFROM a AS later\nCOPY --from=one /x /",
      undefined,
      ["0 one later", "1 later a"],
    ],
    ["FROM its own name as an image", "FROM busybox AS busybox", undefined, ["0 busybox busybox"]],
    ["FROM a number as an image", "FROM a\nFROM 0", undefined, ["1 - 0"]],
    ["a name that stands above scratch", "FROM scratch", undefined, ["0 - scratch"]],
    ["a stage that is called scratch", "FROM i AS scratch\nFROM scratch", undefined, ["0 scratch i", "1 - stage 0"]],
    ["a stage that a mount reads by name", "FROM a AS one\nFROM b\nRUN --mount=from=ONE,target=/x x", undefined, ["0 one a", "1 - b"]],
    [
      "no stage that a mount of another type names",
      "FROM a AS one\nFROM b\nRUN --mount=type=tmpfs,from=one,target=/x x",
      undefined,
      ["1 - b"],
    ],
    [
      "a stage that a cache begins with",
      "FROM a AS one\nFROM b\nRUN --mount=type=cache,from=one,target=/x x",
      undefined,
      ["0 one a", "1 - b"],
    ],
    ["a stage that a global ARG names", "ARG F=one\nFROM a AS one\nFROM b\nCOPY --from=${F} /x /", undefined, ["0 one a", "1 - b"]],
    ["a stage by a number in a global ARG", "ARG F=0\nFROM a\nFROM b\nCOPY --from=$F /x /", undefined, ["0 - a", "1 - b"]],
    ["a fallback for a variable that is not global", "FROM a AS one\nFROM b\nCOPY --from=${F:-one} /x /", undefined, ["0 one a", "1 - b"]],
    ["none for an empty --from, which is the context", "FROM a AS one\nFROM b\nCOPY --from= /x /", undefined, ["1 - b"]],
  ])("are %s", (_name, text, target, expected) => {
    expect(stagesOf(text, target)).toEqual(expected);
  });

  it("are found through a thousand that stand on each other", () => {
    const text = ["FROM a AS s0", ...Array.from({ length: 999 }, (_, i) => `FROM s${i} AS s${i + 1}`)].join("\n");
    expect(stagesOf(text)).toHaveLength(1000);
  });
});

describe("the images that are wanted", () => {
  const imagesOf = (text: string, buildArgs: Record<string, string> = {}) => outline(text, { buildArgs }).images.map(({ image }) => image);

  it.each<[name: string, text: string, buildArgs: Record<string, string>, expected: string[]]>([
    ["bases of needed stages only", "FROM a AS one\nFROM b", {}, ["b"]],
    ["images that COPY reads", "FROM a\nCOPY --from=busybox /x /\nCOPY --from=ghcr.io/x/y:1 /x /", {}, ["a", "busybox", "ghcr.io/x/y:1"]],
    ["a global default", "ARG V=12\nFROM node:$V", {}, ["node:12"]],
    ["a build argument over a global default", "ARG V=12\nFROM node:${V}-slim", { V: "20" }, ["node:20-slim"]],
    ["a global ARG that uses the one before", "ARG A=1\nARG B=x$A\nFROM img:$B", {}, ["img:x1"]],
    ["two on one line", "ARG A=1 B=x$A\nFROM img:$B", {}, ["img:x1"]],
    ["a fallback where nothing is set", "ARG V\nFROM node:${V:-18}", {}, ["node:18"]],
    ["the platform", "FROM img-$TARGETARCH", {}, ["img-amd64"]],
    ["none for scratch", "FROM scratch\nCOPY --from=scratch /x /\nRUN --mount=from=scratch,target=/x x", {}, []],
    ["images that mounts read", "FROM a\nRUN --mount=from=b,target=/b --mount=type=cache,from=c,target=/c x", {}, ["a", "b", "c"]],
    ["an image that a platform argument names", "FROM a\nCOPY --from=tools-$TARGETARCH /x /", {}, ["a", "tools-amd64"]],
  ])("are %s", (_name, text, buildArgs, expected) => {
    expect(imagesOf(text, buildArgs)).toEqual(expected);
  });

  it("have the platform that FROM names, and the build's where they are copied from", () => {
    const text = "ARG ARCH=arm\nFROM --platform=linux/$ARCH/7 a\nCOPY --from=a /x /";
    expect(outline(text).images.map(({ image, platform }) => [image, platform])).toEqual([
      ["a", { os: "linux", architecture: "arm", variant: "v7" }],
      ["a", amd64],
    ]);
  });
});

describe("what is wrong with stages", () => {
  it.each<[name: string, text: string, expected: { code: string; message: string; hint?: string; line: number }]>([
    [
      "a base that expands to nothing",
      "FROM $NOTHING",
      {
        code: "EMPTY_BASE",
        message: "reading FROM $NOTHING: the name of the base image expands to nothing",
        hint: "no ARG before the first FROM declares NOTHING: put ARG NOTHING=VALUE there",
        line: 1,
      },
    ],
    [
      "an ARG of a stage in a later FROM",
      "FROM a\nARG V=1\nFROM $V",
      {
        code: "EMPTY_BASE",
        message: "reading FROM $V: the name of the base image expands to nothing",
        hint: "no ARG before the first FROM declares V: put ARG V=VALUE there",
        line: 3,
      },
    ],
    [
      "a base whose ARG is empty",
      "ARG B=\nFROM $B",
      {
        code: "EMPTY_BASE",
        message: "reading FROM $B: the name of the base image expands to nothing",
        hint: "give the ARG a default before the first FROM, or pass it with --build-arg",
        line: 2,
      },
    ],
    [
      "a tag whose variable is misspelt",
      "ARG VERSION=1\nFROM node:$VERSOIN",
      {
        code: "INVALID_REFERENCE",
        message: expect.stringContaining('reading the image name "node:": the tag ""'),
        hint: "no ARG before the first FROM declares VERSOIN; did you mean VERSION?",
        line: 2,
      },
    ],
    [
      "a platform whose variable is misspelt",
      "FROM --platform=linux/$TARGETARHC a",
      {
        code: "INVALID_PLATFORM",
        message: 'reading the platform "linux/": expected OS/ARCHITECTURE[/VARIANT]',
        hint: "no ARG before the first FROM declares TARGETARHC; did you mean TARGETARCH?",
        line: 1,
      },
    ],
    [
      "a base whose ARG has no value",
      "ARG IMAGE\nFROM $IMAGE",
      {
        code: "EMPTY_BASE",
        message: "reading FROM $IMAGE: the name of the base image expands to nothing",
        hint: "IMAGE has no value: give its ARG a default, or pass --build-arg IMAGE=VALUE",
        line: 2,
      },
    ],
    [
      "COPY from a later stage",
      "FROM a AS one\nCOPY --from=two /x /\nFROM b AS two\nFROM one",
      {
        code: "INVALID_STAGE",
        message: 'reading COPY --from=two: stage "two" must be defined before this one',
        hint: 'move stage "two" above this one',
        line: 2,
      },
    ],
    [
      "COPY from a later stage that stands on this one",
      "FROM a AS one\nCOPY --from=two /x /\nFROM one AS two",
      {
        code: "CIRCULAR_DEPENDENCY",
        message: 'reading COPY --from=two: stages need each other: "one" → "two" → "one"',
        line: 2,
      },
    ],
    [
      "COPY from its own stage",
      "FROM a AS one\nCOPY --from=One /x /",
      {
        code: "INVALID_STAGE",
        message: 'reading COPY --from=One: stage "one" must be defined before this one',
        hint: "a stage cannot read from itself",
        line: 2,
      },
    ],
    [
      "COPY from its own number",
      "FROM a\nFROM b\nCOPY --from=1 /x /",
      { code: "INVALID_STAGE", message: "looking for stage 1: only stages before this one can be named by number", line: 3 },
    ],
    [
      "COPY from a number that no stage has",
      "FROM a\nCOPY --from=7 /x /",
      { code: "INVALID_STAGE", message: "looking for stage 7: only stages before this one can be named by number", line: 2 },
    ],
    [
      "a variable of a stage in --from",
      "FROM a\nARG X=0\nCOPY --from=$X /x /",
      {
        code: "VARIABLE_IN_FROM",
        message: "reading COPY --from=$X: only variables from before the first FROM are known here, and X is none",
        hint: "no ARG before the first FROM declares X: put ARG X=VALUE there",
        line: 3,
      },
    ],
    [
      "COPY from a negative number",
      "FROM a\nFROM b\nCOPY --from=-1 /x /",
      { code: "INVALID_STAGE", message: "looking for stage -1: only stages before this one can be named by number", line: 3 },
    ],
    [
      "a platform that expands to nothing",
      "FROM --platform=$NOTHING a",
      {
        code: "INVALID_PLATFORM",
        message: 'reading --platform="$NOTHING": it expands to nothing',
        hint: "no ARG before the first FROM declares NOTHING: put ARG NOTHING=VALUE there",
        line: 1,
      },
    ],
    [
      "a platform that is none",
      "FROM --platform=linux/ a",
      {
        code: "INVALID_PLATFORM",
        message: 'reading the platform "linux/": expected OS/ARCHITECTURE[/VARIANT]',
        hint: "for example linux/amd64",
        line: 1,
      },
    ],
    [
      "a substitution that cannot be read",
      "FROM ${x",
      {
        code: "BAD_SUBSTITUTION",
        message: 'expanding "${x": the closing "}" is missing',
        hint: "words end at blanks: one with blanks in it stands in double quotes; a $ that is meant as text is written \\$",
        line: 1,
      },
    ],
  ])("is %s", (_name, text, expected) => {
    expect(planError(text)).toEqual(expected);
  });

  it("is told at once, of all stages that are needed", () => {
    const text = `FROM $NOTHING AS a
FROM --platform=linux/ b AS b
COPY --from=$X /x /
RUN --mount=from=c,target=/x x
FROM c AS c
COPY --from=9 /x /
COPY --from=b /x /
COPY --from=a /x /
FROM $UNNEEDED
`;
    let found: unknown;
    try {
      outline(text, { targets: ["c"] });
    } catch (error) {
      found = error;
    }
    expect(found).toBeInstanceOf(DockerfileErrors);
    expect((found as DockerfileErrors).errors.map(({ code, range }) => `${range.start.line} ${code}`)).toEqual([
      "1 EMPTY_BASE",
      "2 INVALID_PLATFORM",
      "3 VARIABLE_IN_FROM",
      "4 CIRCULAR_DEPENDENCY",
      "6 INVALID_STAGE",
    ]);
  });

  it("does not matter in a stage that nobody needs", () => {
    expect(stagesOf("FROM a\nCOPY --from=$X /x /\nFROM b")).toEqual(["1 - b"]);
  });

  it.each<[name: string, text: string, target: string, hint: string]>([
    ["a near name", "FROM a AS builder\nFROM b AS final", "bulider", 'did you mean "builder"?'],
    ["no near name", "FROM a AS builder\nFROM b AS final", "zzz", "its stages are: builder, final"],
    ["no names at all", "FROM a", "zzz", "it has no named stages: add AS <name> to a FROM"],
    ["a number", "FROM a AS builder\nFROM b", "0", "its stages are: builder"],
  ])("is an unknown target: %s", (_name, text, target, hint) => {
    let error: unknown;
    try {
      outline(text, { targets: [target] });
    } catch (caught) {
      error = caught;
    }
    expect(error).toMatchObject({
      code: "UNKNOWN_TARGET",
      message: `looking for the target stage "${target}": Dockerfile has no stage of that name`,
      hint,
    });
  });
});
