import { describe, expect, it } from "vitest";
import { outlineTarget } from "../../../builder/outline/outline-target.ts";
import { listTargets } from "../../../builder/outline/target-list.ts";
import { type CheckedText, inputOf } from "../checks/check-text.ts";

/** Each thing that the target takes, as "LINE NAME …". */
function outlineOf(text: string, options: CheckedText = {}) {
  const input = inputOf(text, { targets: [], ...options });
  const [target] = input.targets;
  if (target === undefined) throw new RangeError("there is no target");
  const { name, description, args, secrets, ssh, caches } = outlineTarget(input, target);
  const mount = (item: { name: string; isRequired: boolean; range: { start: { line: number } } }) =>
    `${item.range.start.line} ${item.name}${item.isRequired ? " required" : ""}`;
  return {
    name,
    description,
    args: args.map((arg) => [arg.range.start.line, arg.name, arg.value, arg.description]),
    secrets: secrets.map(mount),
    ssh: ssh.map(mount),
    caches: caches.map((item) => `${item.range.start.line} ${item.name}`),
  };
}

describe("the outline of a target", () => {
  it("has the target's name and description", () => {
    expect(outlineOf("# app is what runs\nFROM scratch AS App")).toMatchObject({ name: "app", description: "is what runs" });
    expect(outlineOf("# app is what runs\nFROM scratch")).toMatchObject({ name: undefined, description: undefined });
    expect(outlineOf("# other is what runs\nFROM scratch AS app")).toMatchObject({ name: "app", description: undefined });
  });

  it("has the arguments of FROM, and those that they are made of", () => {
    const text = "ARG UNUSED=0\n# V is the version\nARG V=3.20\nARG TAG=$V-slim\nARG ARCH=amd64\nFROM --platform=linux/$ARCH alpine:$TAG";
    expect(outlineOf(text).args).toEqual([
      [3, "V", "3.20", "is the version"],
      [4, "TAG", "3.20-slim", undefined],
      [5, "ARCH", "amd64", undefined],
    ]);
  });

  it("leaves out what a build argument makes unnecessary", () => {
    const text = "ARG V=3.20\nARG TAG=$V-slim\nFROM alpine:$TAG";
    expect(outlineOf(text, { buildArgs: { TAG: "x" } }).args).toEqual([[2, "TAG", "x", undefined]]);
  });

  it("has the arguments of the stage, with what they would be", () => {
    const text = "FROM scratch\n# A is first\n# B is second\nARG A=1 B\nENV E=x\nARG C=${A}${E} D\nARG TARGETARCH";
    expect(outlineOf(text, { buildArgs: { D: "given" } }).args).toEqual([
      [4, "A", "1", "is first"],
      [4, "B", undefined, "is second"],
      [6, "C", "1x", undefined],
      [6, "D", "given", undefined],
    ]);
  });

  it("has a global argument that a stage takes at its own place, unless the stage gives it a default", () => {
    const text = "# G is global\nARG G=1\nARG H=2\nFROM scratch\nARG G\nARG H=3";
    expect(outlineOf(text).args).toEqual([
      [2, "G", "1", "is global"],
      [6, "H", "3", undefined],
    ]);
  });

  it("has what the stages take that it is built from or copies from, each name once, and nothing of others", () => {
    const text = [
      "FROM scratch AS other",
      "ARG OTHER",
      "FROM scratch AS base",
      "ARG SAME=base BASE=1",
      "FROM scratch AS tools",
      "ARG TOOLS",
      "FROM scratch AS mounted",
      "ARG MOUNTED",
      "FROM base",
      "ARG SAME=own",
      "COPY --from=tools a /",
      "RUN --mount=from=mounted,target=/m true",
    ].join("\n");
    expect(outlineOf(text).args).toEqual([
      [4, "BASE", "1", undefined],
      [6, "TOOLS", undefined, undefined],
      [8, "MOUNTED", undefined, undefined],
      [10, "SAME", "own", undefined],
    ]);
  });

  it("has secrets, SSH agents and caches", () => {
    const text = [
      "FROM scratch AS base",
      "RUN --mount=type=secret,id=token,required true",
      "RUN --mount=type=secret,target=/run/x/netrc --mount=type=ssh true",
      "FROM base",
      "ENV K=go",
      "RUN --mount=type=cache,target=/root/.cache/../c --mount=type=cache,id=$K,target=/go true",
      "RUN --mount=type=ssh,id=deploy,required=true --mount=type=secret,id=token true",
      "RUN --mount=type=tmpfs,target=/t true",
    ].join("\n");
    expect(outlineOf(text)).toMatchObject({
      secrets: ["3 netrc", "7 token"],
      ssh: ["3 default", "7 deploy required"],
      caches: ["6 /root/c", "6 go"],
    });
  });

  it("has what triggers of a known base take, at FROM", () => {
    const base = { config: { OnBuild: ["ARG T=1", "RUN --mount=type=secret,id=s true"] } };
    expect(outlineOf("FROM known", { base })).toMatchObject({ args: [[1, "T", "1", undefined]], secrets: ["1 s"] });
  });

  it("is of the target that is named", () => {
    const text = "FROM scratch AS a\nARG A\nFROM scratch AS b\nARG B";
    expect(outlineOf(text, { targets: ["a"] })).toMatchObject({ name: "a", args: [[2, "A", undefined, undefined]] });
  });
});

describe("the list of targets", () => {
  it("has each stage as it is written", () => {
    const text =
      "ARG V=1\n# Build compiles\n# build compiles it\nFROM --platform=$BUILDPLATFORM golang:$V AS Build\nFROM build\nRUN x \\\n  y\n# c\nFROM scratch AS last";
    expect(listTargets(inputOf(text).dockerfile)).toEqual([
      {
        name: "build",
        isDefault: false,
        description: "compiles it",
        base: "golang:$V",
        platform: "$BUILDPLATFORM",
        range: { start: { line: 4, column: 1 }, end: { line: 4, column: 50 } },
      },
      { isDefault: false, base: "build", range: { start: { line: 5, column: 1 }, end: { line: 5, column: 11 } } },
      { name: "last", isDefault: true, base: "scratch", range: { start: { line: 9, column: 1 }, end: { line: 9, column: 21 } } },
    ]);
  });
});
