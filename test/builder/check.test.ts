import { mkdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { check } from "../../builder/check.ts";
import { describeTarget, describeTargets } from "../../builder/describe.ts";
import type { BuildOptions } from "../../builder/options.ts";
import type { BuildEvent } from "../../builder/progress/event.ts";
import { contextDirectory } from "../support/context.ts";
import { temporaryPath } from "../support/temporary.ts";

function optionsOf(files: Readonly<Record<string, string>>, more: Partial<BuildOptions> = {}): BuildOptions {
  const store = temporaryPath("store");
  mkdirSync(store);
  return { context: contextDirectory(files), store, pull: "never", ...more };
}

async function checked(dockerfile: string, more: Partial<BuildOptions> = {}, files: Readonly<Record<string, string>> = {}) {
  const { findings, errors, notes, stages } = await check(optionsOf({ Dockerfile: dockerfile, ...files }, more));
  return {
    findings: findings.map(({ rule, range }) => `${range.start.line} ${rule}`),
    errors: errors.map(({ code, range }) => `${range.start.line} ${code}`),
    notes,
    stages: stages.map(({ base }) => base),
  };
}

describe("a check", () => {
  it("looks at every stage where no target is named, and at what it needs where one is", async () => {
    const text = "FROM scratch AS a\nENV A=$x\nFROM scratch AS b\nENV A=$x\nFROM b\nARG TARGETSTAGE\nLABEL s=$TARGETSTAGE\n";
    expect(await checked(text)).toEqual({
      findings: ["2 UndefinedVar", "4 UndefinedVar"],
      errors: [],
      notes: [],
      stages: ["scratch", "scratch", "b"],
    });
    expect((await checked(text, { target: "b" })).findings).toEqual(["4 UndefinedVar"]);
  });

  it("knows the context's ignore file", async () => {
    expect((await checked("FROM scratch\nCOPY a /\n", {}, { a: "", ".dockerignore": "a" })).findings).toEqual(["2 CopyIgnoredFile"]);
    const own = { a: "", ".dockerignore": "b", "Dockerfile.dockerignore": "a" };
    expect((await checked("FROM scratch\nCOPY a /\n", {}, own)).findings).toEqual(["2 CopyIgnoredFile"]);
  });

  it("goes on without a base image that cannot be found, and says so", async () => {
    const { findings, errors, notes } = await checked("FROM nowhere.example/none as a\nENV A=$x\nCMD x\nWORKDIR b\n");
    expect(findings).toEqual(["1 FromAsCasing", "4 WorkdirRelativePath"]);
    expect(errors).toEqual([]);
    expect(notes).toEqual([expect.stringMatching(/^nowhere\.example\/none is not known, and the checks that need it are left out: /)]);
  });

  it("has what a build would refuse: text that cannot be read", async () => {
    expect(await checked("FROM scratch as a\nCPY a b\nRUNN x\n")).toEqual({
      findings: [],
      errors: ["2 UNKNOWN_INSTRUCTION", "3 UNKNOWN_INSTRUCTION"],
      notes: [],
      stages: [],
    });
  });

  it("has what a build would refuse: stages that cannot be chosen", async () => {
    const { findings, errors } = await checked("FROM scratch as a\nCOPY --from=b x /\nFROM scratch AS b\n");
    expect([findings, errors]).toEqual([["1 FromAsCasing"], ["2 INVALID_STAGE"]]);
  });

  it("has what a build would refuse: values that cannot be planned", async () => {
    const { findings, errors } = await checked("FROM scratch as a\nEXPOSE x\nSTOPSIGNAL NONE\n");
    expect([findings, errors]).toEqual([["1 FromAsCasing"], ["2 INVALID_PORT", "3 INVALID_SIGNAL"]]);
  });

  it("throws what is not the Dockerfile's fault", async () => {
    await expect(checked("FROM scratch AS a\n", { target: "b" })).rejects.toMatchObject({ code: "UNKNOWN_TARGET" });
    await expect(check(optionsOf({}))).rejects.toMatchObject({ code: "DOCKERFILE_NOT_FOUND" });
  });

  it("does not say twice what is a finding", async () => {
    const events: BuildEvent[] = [];
    await checked("FROM scratch as a\n", { onEvent: (event) => events.push(event) });
    expect(events.filter(({ type }) => type === "warning")).toEqual([]);
  });
});

describe("a description", () => {
  const files = { Dockerfile: "# V is the version\nARG V=1\n# a is first\nFROM scratch${V:+} AS a\nARG A\nFROM scratch AS b\n" };

  it("is of the target that is named", async () => {
    const { outline, source } = await describeTarget(optionsOf(files, { target: "a", buildArgs: { A: "x" } }));
    expect([outline.name, outline.description, outline.args.map(({ name, value }) => `${name}=${value}`)]).toEqual([
      "a",
      "is first",
      ["V=1", "A=x"],
    ]);
    expect(source.text).toBe(files.Dockerfile);
  });

  it("is of all targets", async () => {
    const { targets } = await describeTargets(optionsOf(files));
    expect(targets.map(({ name, isDefault }) => [name, isDefault])).toEqual([
      ["a", false],
      ["b", true],
    ]);
  });

  it("is refused where the Dockerfile is wrong", async () => {
    await expect(describeTargets(optionsOf({ Dockerfile: "FRM x" }))).rejects.toMatchObject({ code: "DOCKERFILE_SYNTAX" });
  });
});
