import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { build } from "../../builder/build.ts";
import { check } from "../../builder/check.ts";
import { describeTarget, describeTargets } from "../../builder/describe.ts";
import type { BuildOptions } from "../../builder/options.ts";
import type { BuildEvent } from "../../builder/progress/event.ts";
import { contextDirectory } from "../support/context.ts";
import { fakeImage } from "../support/registry/fake-image.ts";
import { startFakeRegistry } from "../support/registry/fake-registry.ts";
import { temporaryDirectory, temporaryPath } from "../support/temporary.ts";

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

  it("says what looks like JSON and is none, as a build does", async () => {
    const text = 'FROM scratch\nVOLUME ["/x"\n';
    const message = 'this is no JSON, so these are the names of volumes: the "]" is missing';
    expect((await checked(text)).notes).toEqual([`line 2: ${message}`]);
    const warnings: BuildEvent[] = [];
    await build(optionsOf({ Dockerfile: text }, { onEvent: (event) => event.type === "warning" && warnings.push(event) }));
    expect(warnings).toMatchObject([{ message, range: { start: { line: 2 } } }]);
  });

  it("of a platform that nobody knows is a warning where a stage is on no image", async () => {
    const events: BuildEvent[] = [];
    const Dockerfile = "FROM --platform=linux/adm64 scratch AS adm64\n";
    await build(optionsOf({ Dockerfile }, { onEvent: (event) => events.push(event) }));
    expect(events.filter(({ type }) => type === "warning")).toMatchObject([
      { message: 'the platform linux/adm64: no architecture "adm64" is known; did you mean linux/amd64?', range: { start: { line: 1 } } },
    ]);
  });

  it.each<[what: string, text: string, code: string, warnings: string[]]>([
    ["an instruction", "FROM scratch as a\nUSER $NAEM\nEXPOSE x\n", "INVALID_PORT", ["1 FromAsCasing", "2 UndefinedVar"]],
    [
      "a base image that is nowhere",
      "FROM scratch as a\nLABEL a=$x\nFROM nowhere\nCOPY --from=a / /\n",
      "NOT_FOUND",
      ["1 FromAsCasing", "2 UndefinedVar"],
    ],
    [
      "the choice of stages",
      "FROM scratch as a\nLABEL a=$x\nFROM $nothing\n",
      "EMPTY_BASE",
      ["1 FromAsCasing", "3 UndefinedArgInFrom", "3 InvalidDefaultArgInFrom"],
    ],
    ["a step that is not allowed", "FROM scratch as a\nRUN --security=insecure x\n", "NOT_ALLOWED", ["1 FromAsCasing"]],
    ["its check options", "# check=nonsense\nFROM scratch as a\nEXPOSE x\n", "INVALID_PORT", []],
  ])("tells its findings before an error about %s ends the build", async (_what, text, code, warnings) => {
    const events: BuildEvent[] = [];
    await expect(build(optionsOf({ Dockerfile: text }, { onEvent: (event) => events.push(event) }))).rejects.toMatchObject({ code });
    expect(events.flatMap((event) => (event.type === "warning" ? [`${event.range?.start.line} ${event.rule}`] : []))).toEqual(warnings);
  });

  it("goes on without a base image that cannot be found, and says so", async () => {
    const { findings, errors, notes } = await checked("FROM nowhere.example/none as a\nENV A=$x\nCMD x\nWORKDIR b\n");
    expect(findings).toEqual(["1 FromAsCasing", "4 WorkdirRelativePath"]);
    expect(errors).toEqual([]);
    expect(notes).toEqual([expect.stringMatching(/^nowhere\.example\/none is not known, and the checks that need it are left out: /)]);
  });

  it("names every image that cannot be found, each with what it could have been", async () => {
    const { errors, notes } = await checked("FROM scratch AS build\nFROM biuld\nCOPY --from=alphine /a /\n");
    expect(errors).toEqual([]);
    expect(notes).toEqual([
      expect.stringMatching(/^biuld is not known, .*\(did you mean the stage "build"\?; tsbuild images lists .*\)$/),
      expect.stringMatching(/^alphine is not known, .*\(did you mean alpine\?; tsbuild images lists .*\)$/),
    ]);
  });

  it("has what a build would refuse: images that are not as they are locked", async () => {
    await using registry = await startFakeRegistry();
    for (const name of ["a", "b"]) registry.putImage(name, "1", await fakeImage());
    const file = join(temporaryDirectory("lock"), "app.lock");
    const from = (name: string) => `FROM ${registry.host}/${name}:1\n`;
    const locking = { pull: "always" as const, lock: { file, locked: false } };
    await build(optionsOf({ Dockerfile: from("a") }, locking));
    registry.putImage("a", "1", await fakeImage({ config: { Env: ["A=1"] } }));
    const { errors, notes } = await checked(from("a") + from("b"), { ...locking, lock: { file, locked: true } });
    expect([errors, notes]).toEqual([["1 LOCK_DRIFT", "2 NOT_LOCKED"], []]);
  });

  it("has what a build would refuse: names that no image can have", async () => {
    const { errors, notes } = await checked("FROM Alpine:3\nFROM oci:/srv/images\n");
    expect([errors, notes]).toEqual([["1 INVALID_REFERENCE", "2 INVALID_REFERENCE"], []]);
  });

  it("says nothing of what this version cannot run", async () => {
    const { errors, notes } = await checked("FROM scratch\nRUN --mount=type=cache,target=/c true\n");
    expect([errors, notes]).toEqual([[], []]);
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

  it("names every image that cannot be found", async () => {
    const notes: string[] = [];
    const onEvent = (event: BuildEvent) => event.type === "note" && notes.push(event.message);
    await describeTarget(optionsOf({ Dockerfile: "FROM one.example/none\nCOPY --from=two.example/none a b\n" }, { onEvent }));
    expect(notes).toEqual([
      expect.stringMatching(/^one\.example\/none is not known, nor what its triggers take: /),
      expect.stringMatching(/^two\.example\/none is not known, nor what its triggers take: /),
    ]);
  });

  it("is refused where an image is not locked", async () => {
    await using registry = await startFakeRegistry();
    registry.putImage("a", "1", await fakeImage());
    const lock = { file: join(temporaryDirectory("lock"), "none.lock"), locked: true };
    await expect(describeTarget(optionsOf({ Dockerfile: `FROM ${registry.host}/a:1\n` }, { lock, pull: "missing" }))).rejects.toMatchObject(
      { code: "NOT_LOCKED", range: { start: { line: 1 } } },
    );
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
