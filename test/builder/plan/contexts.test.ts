import { describe, expect, it } from "vitest";
import type { PlanContext } from "../../../builder/plan/named-contexts.ts";
import { configOf, defaultPath } from "../../../builder/plan/stage-state.ts";
import { amd64, type Planning, planError, planned } from "./planned.ts";

const files: PlanContext = { kind: "files" };
const image = (name: string): PlanContext => ({ kind: "image", image: name });
const stage = (name: string): PlanContext => ({ kind: "stage", stage: name });

/** The stages in the order of the plan, "index base", and where the last COPY reads. */
function graph(text: string, contexts: Record<string, PlanContext>, options: Planning = {}) {
  const plan = planned(text, { ...options, contexts });
  const bases = plan.stages.map(({ index, base }) => {
    const { kind, ...rest } = base;
    return [index, kind, ...Object.values(rest)].join(" ");
  });
  const operation = plan.target.steps.at(-1)?.operation;
  return { bases, origin: operation?.op === "copy" ? operation.origin : undefined };
}

describe("a named context", () => {
  it.each<[name: string, text: string, contexts: Record<string, PlanContext>, bases: string[]]>([
    ["stands in for an image", "FROM alpine", { alpine: image("my/alpine:2") }, ["0 image my/alpine:2"]],
    ["stands in for it under each of its names", "FROM docker.io/library/alpine:latest", { alpine: files }, ["0 context alpine"]],
    [
      "is found under each of its own names",
      "FROM alpine",
      { "docker.io/library/alpine:latest": files },
      ["0 context docker.io/library/alpine:latest"],
    ],
    ["does not stand in for another tag", "FROM alpine:3", { alpine: files }, ["0 image alpine:3"]],
    ["stands in for a tag", "FROM alpine:3", { "alpine:3": files }, ["0 context alpine:3"]],
    [
      "stands in for a digest",
      `FROM a@sha256:${"a".repeat(64)}`,
      { [`a@sha256:${"a".repeat(64)}`]: files },
      [`0 context a@sha256:${"a".repeat(64)}`],
    ],
    ["comes behind earlier stages", "FROM i AS alpine\nFROM alpine AS x", { alpine: files }, ["0 context alpine", "1 stage 0"]],
    ["replaces the stage of its name", "FROM i AS Build\nRUN x\nFROM build", { build: image("done") }, ["0 image done", "1 stage 0"]],
    [
      "takes away what the replaced stage needs",
      "FROM i AS a\nFROM i AS b\nCOPY --from=a x /\nFROM b",
      { b: files },
      ["1 context b", "2 stage 1"],
    ],
    ["may be a stage of the file", "FROM i AS own\nFROM alpine", { alpine: stage("Own") }, ["0 image i", "1 stage 0"]],
    [
      "may be a later stage of the file",
      "FROM alpine AS first\nFROM i AS own\nFROM first",
      { alpine: stage("own") },
      ["1 image i", "0 stage 1", "2 stage 0"],
    ],
    ["may be nothing", "FROM alpine", { alpine: image("scratch") }, ["0 scratch"]],
    ["is never called scratch", "FROM scratch", { scratch: files, context: files }, ["0 scratch"]],
  ])("%s", (_name, text, contexts, bases) => {
    expect(graph(text, contexts).bases).toEqual(bases);
  });

  it.each<[name: string, text: string, contexts: Record<string, PlanContext>, origin: object]>([
    ["files", "FROM i\nCOPY --from=assets x /", { assets: files }, { from: "context", name: "assets" }],
    [
      "an image",
      "FROM i\nCOPY --from=assets:latest x /",
      { assets: image("oci-layout:///d:t") },
      { from: "image", image: "oci-layout:///d:t" },
    ],
    ["a stage", "FROM i AS own\nFROM i\nCOPY --from=assets x /", { assets: stage("own") }, { from: "stage", stage: 0 }],
    [
      "a stage behind the one that reads",
      "FROM i AS a\nCOPY --from=assets x /\nFROM i AS own\nFROM a\nCOPY --from=assets x /",
      { assets: stage("own") },
      { from: "stage", stage: 1 },
    ],
    [
      "no image but a stage, where there is one",
      "FROM i AS assets\nFROM i\nCOPY --from=assets x /",
      { other: files },
      { from: "stage", stage: 0 },
    ],
    ["the empty image", "FROM i\nCOPY --from=assets x /", { assets: image("scratch") }, { from: "image", image: "scratch" }],
  ])("is what COPY --from reads: %s", (_name, text, contexts, origin) => {
    expect(graph(text, contexts).origin).toEqual(origin);
  });

  it("is what mounts read", () => {
    const plan = planned("FROM i\nRUN --mount=from=src,target=/a --mount=type=cache,from=src,target=/b x", { contexts: { src: files } });
    expect(plan.target.steps[0]?.operation).toMatchObject({
      mounts: [{ origin: { from: "context", name: "src" } }, { origin: { from: "context", name: "src" } }],
    });
  });

  it("has no instructions but those that stand on it", () => {
    const plan = planned("FROM i AS a\nRUN x\nENV A=1\nONBUILD RUN y\nFROM a\nRUN z", {
      contexts: { a: image("done") },
      images: { done: { Env: ["PATH=/bin", "B=2"], Cmd: ["c"], OnBuild: ["RUN never"] } },
    });
    expect(plan.stages[0]?.steps).toEqual([]);
    expect(plan.target.steps).toHaveLength(1);
    expect(configOf(plan.target.state)).toEqual({ Env: ["PATH=/bin", "B=2"], Cmd: ["c"] });
  });

  it("of files has the configuration of scratch, for the platform of FROM", () => {
    const plan = planned("FROM --platform=linux/arm64 a", { contexts: { a: files } });
    expect(configOf(plan.target.state)).toEqual({ WorkingDir: "/", Env: [`PATH=${defaultPath}`] });
    expect(plan.target).toMatchObject({ platform: { os: "linux", architecture: "arm64" }, baseLayers: [], baseHistory: [] });
    expect(planned("FROM a", { contexts: { a: files } }).target.platform).toEqual(amd64);
  });

  it("of an image fires its triggers where FROM names the image", () => {
    const plan = planned("FROM alpine", { contexts: { alpine: image("mine") }, images: { mine: { OnBuild: ["ENV A=1"] } } });
    expect(configOf(plan.target.state).Env).toContain("A=1");
  });
});

describe("a named context is refused:", () => {
  it("a stage that there is not", () => {
    expect(planError("FROM i AS builder\nFROM alpine", { contexts: { alpine: stage("bulider") } })).toEqual({
      code: "UNKNOWN_TARGET",
      message: 'looking for the target stage "bulider": Dockerfile has no stage of that name',
      hint: 'did you mean "builder"?',
      line: 2,
    });
  });

  it.each<[name: string, text: string, contexts: Record<string, PlanContext>, message: string, line: number]>([
    ["a stage that stands on itself", "FROM i AS a", { a: stage("a") }, 'reading FROM i AS a: stages need each other: "a" → "a"', 1],
    [
      "stages that stand on each other",
      "FROM alpine AS a\nFROM a AS b\nFROM b",
      { alpine: stage("b") },
      'reading FROM alpine AS a: stages need each other: "a" → "b" → "a"',
      1,
    ],
    [
      "stages that read from each other",
      "FROM i AS a\nCOPY --from=ctx x /\nFROM i AS b\nRUN --mount=from=a,target=/a x",
      { ctx: stage("b") },
      'reading COPY --from=ctx: stages need each other: "a" → "b" → "a"',
      2,
    ],
  ])("%s", (_name, text, contexts, message, line) => {
    expect(planError(text, { contexts })).toEqual({ code: "CIRCULAR_DEPENDENCY", message, line });
  });

  it("a long circle, of which the ends are told", () => {
    const text = ["FROM c AS s0", ...Array.from({ length: 5000 }, (_, i) => `FROM s${i} AS s${i + 1}`)].join("\n");
    const { message } = planError(text, { contexts: { c: stage("s5000") } });
    expect(message).toBe(
      'reading FROM c AS s0: stages need each other: "s0" → "s5000" → "s4999" → "s4998" → "s4997" → "s4996" → "s4995" → "s4994" → "s4993" → "s4992" → … → "s0"',
    );
  });

  it("a hostile file in which everything needs everything, in time", () => {
    const count = 90;
    const copies = Array.from({ length: count }, (_, i) => `COPY --from=s${i} x /`).join("\n");
    const text = Array.from({ length: count }, (_, i) => `FROM i AS s${i}\n${copies}`).join("\n");
    expect(() => planned(text)).toThrow("stages need each other");
  });
});
