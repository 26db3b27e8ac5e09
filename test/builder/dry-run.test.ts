import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { build } from "../../builder/build.ts";
import type { DockerfileErrors } from "../../builder/dockerfile/errors.ts";
import { type DryRun, dryRun } from "../../builder/dry-run.ts";
import type { BuildOptions } from "../../builder/options.ts";
import type { BuildEvent } from "../../builder/progress/event.ts";
import { contextDirectory } from "../support/context.ts";
import { startGitServer } from "../support/git-server.ts";
import { startHttpFiles } from "../support/http-files.ts";
import { needs } from "../support/needs.ts";
import { fakeImage } from "../support/registry/fake-image.ts";
import { startFakeRegistry } from "../support/registry/fake-registry.ts";
import { temporaryDirectory, temporaryPath } from "../support/temporary.ts";

type Change = Partial<BuildOptions>;

const allOptions = (store: string, context: string, change: Change): BuildOptions => ({
  context,
  store,
  platform: "linux/amd64",
  ...change,
});

/** How each step of a build ended, without the FROMs, by id. */
async function outcomesOf(store: string, context: string, change: Change = {}): Promise<string[]> {
  const events: BuildEvent[] = [];
  await build(allOptions(store, context, { ...change, onEvent: (event) => void events.push(event) }));
  const froms = new Set(
    events.flatMap((event) => (event.type === "plan" ? event.steps.filter(({ title }) => title.includes("FROM")).map(({ id }) => id) : [])),
  );
  return events
    .flatMap((event) => (event.type === "step-end" && !froms.has(event.step) ? [[event.step, event.outcome] as const] : []))
    .sort(([a], [b]) => a - b)
    .map(([step, outcome]) => `${step} ${outcome}`);
}

function statuses({ steps }: DryRun): string[] {
  return steps
    .filter(({ operation }) => operation !== "from")
    .map(({ id, status, awaits }) => `${id} ${status}${awaits.length === 0 ? "" : ` (${awaits.join(" ")})`}`);
}

/** Every file of the store but what any process keeps while it runs, with size and time. */
function contentOf(store: string): string[] {
  return readdirSync(store, { recursive: true, encoding: "utf8" })
    .filter((path) => !/^v1\/(leases|tmp)(\/|$)/.test(path) && statSync(join(store, path)).isFile())
    .map((path) => `${path} ${statSync(join(store, path)).size} ${statSync(join(store, path)).mtimeMs}`)
    .sort();
}

const twoStages = `FROM scratch AS one
COPY a /a
WORKDIR /work
FROM scratch
COPY --from=one /a /copied
COPY b /b
COPY --link b /linked
`;

describe("a dry run", () => {
  it.each<
    [
      name: string,
      dockerfile: string,
      before: ((context: string) => void) | undefined,
      change: Change,
      predicted: readonly string[],
      done: readonly string[],
    ]
  >([
    [
      "nothing was ever built",
      twoStages,
      undefined,
      {},
      ["2 runs", "3 unknown (2)", "5 unknown (2)", "6 unknown (2)", "7 runs"],
      ["2 done", "3 done", "5 done", "6 done", "7 done"],
    ],
    [
      "nothing changed",
      twoStages,
      () => undefined,
      {},
      ["2 cached", "3 cached", "5 cached", "6 cached", "7 cached"],
      ["2 cached", "3 cached", "5 cached", "6 cached", "7 cached"],
    ],
    [
      "a file changed that the last stage copies",
      twoStages,
      (context) => writeFileSync(join(context, "b"), "changed"),
      {},
      ["2 cached", "3 cached", "5 cached", "6 runs", "7 runs"],
      ["2 cached", "3 cached", "5 cached", "6 done", "7 done"],
    ],
    [
      "a file changed that the first stage copies",
      twoStages,
      (context) => writeFileSync(join(context, "a"), "changed"),
      {},
      ["2 runs", "3 unknown (2)", "5 unknown (2)", "6 unknown (2)", "7 cached"],
      ["2 done", "3 done", "5 done", "6 done", "7 cached"],
    ],
    [
      "a file was added that is not copied",
      twoStages,
      (context) => writeFileSync(join(context, "c"), "new"),
      {},
      ["2 cached", "3 cached", "5 cached", "6 cached", "7 cached"],
      ["2 cached", "3 cached", "5 cached", "6 cached", "7 cached"],
    ],
    [
      "one stage shall not use the cache, and comes to the same",
      twoStages,
      () => undefined,
      { noCacheFilter: ["one"] },
      ["2 runs", "3 runs", "5 unknown (2 3)", "6 unknown (2 3)", "7 cached"],
      ["2 done", "3 done", "5 cached", "6 cached", "7 cached"],
    ],
    [
      "the cache shall not be used",
      twoStages,
      () => undefined,
      { noCache: true },
      ["2 runs", "3 runs", "5 runs", "6 runs", "7 runs"],
      ["2 done", "3 done", "5 done", "6 done", "7 done"],
    ],
    ["a target needs no more", twoStages, undefined, { target: "one" }, ["2 runs", "3 unknown (2)"], ["2 done", "3 done"]],
    [
      "several targets are asked for",
      "FROM scratch AS x\nCOPY a /a\nFROM scratch AS y\nCOPY b /b\n",
      (context) => writeFileSync(join(context, "b"), "changed"),
      { target: ["x", "y"] },
      ["2 cached", "4 runs"],
      ["2 cached", "4 done"],
    ],
  ])("says what a build does when %s", async (_name, dockerfile, before, change, predicted, done) => {
    const store = temporaryPath("store");
    const context = contextDirectory({ Dockerfile: dockerfile, a: "a", b: "b" });
    if (before !== undefined) {
      await build(allOptions(store, context, change.target === undefined ? {} : { target: change.target }));
      before(context);
    }
    expect(statuses(await dryRun(allOptions(store, context, change)))).toEqual(predicted);
    expect(await outcomesOf(store, context, change)).toEqual(done);
  });

  it("has the steps of the build, with their places", async () => {
    const context = contextDirectory({ Dockerfile: "# first\nFROM scratch\n\nCOPY a \\\n  b /d/\nWORKDIR /w\n", a: "", b: "" });
    const { steps } = await dryRun(allOptions(temporaryPath("store"), context, {}));
    expect(
      steps.map(({ title, instruction, operation, needs, range }) => [title, instruction, operation, needs, range.start.line]),
    ).toEqual([
      ["[1/3] FROM scratch", "FROM", "from", [], 2],
      ["[2/3] COPY a   b /d/", "COPY", "copy", [1], 4],
      ["[3/3] WORKDIR /w", "WORKDIR", "workdir", [2], 6],
    ]);
  });

  it("changes nothing in the store", async () => {
    const store = temporaryPath("store");
    const context = contextDirectory({ Dockerfile: twoStages, a: "a", b: "b" });
    await build(allOptions(store, context, { tags: ["app"] }));
    writeFileSync(join(context, "b"), "changed");
    const before = contentOf(store);
    for (const change of [{}, { noCache: true }, { tags: ["other"] }]) await dryRun(allOptions(store, context, change));
    expect(contentOf(store)).toEqual(before);
  });

  it("looks at a base of a named context's files", async () => {
    const store = temporaryPath("store");
    const files = contextDirectory({ f: "f" });
    const context = contextDirectory({ Dockerfile: "FROM files\nCOPY a /a\n", a: "a" });
    const change: Change = { contexts: { files: { kind: "directory", path: files } } };
    const look = async () => (await dryRun(allOptions(store, context, change))).steps.map(({ status, reason }) => [status, reason]);
    expect(await look()).toEqual([
      ["runs", "no-record"],
      ["unknown", "steps"],
    ]);
    await build(allOptions(store, context, change));
    expect(await look()).toEqual([
      ["base", undefined],
      ["cached", undefined],
    ]);
  });

  it("fails where the build would before it ran anything", async () => {
    const store = temporaryPath("store");
    const context = contextDirectory({ Dockerfile: "FROM scratch\nCOPY missing /\n" });
    await expect(dryRun(allOptions(store, context, {}))).rejects.toMatchObject({
      code: "COPY_SOURCE_NOT_FOUND",
      range: { start: { line: 2 } },
    });
    const strict = contextDirectory({ Dockerfile: "# check=error=true\nFROM scratch as a\nWORKDIR /w\n" });
    await expect(dryRun(allOptions(store, strict, {}))).rejects.toMatchObject({ code: "CHECK_FAILED", range: { start: { line: 2 } } });
  });

  it("has the warnings of the checks", async () => {
    const warnings: string[] = [];
    const onEvent = (event: BuildEvent) => event.type === "warning" && warnings.push(event.message);
    const context = contextDirectory({ Dockerfile: "FROM scratch as a\nWORKDIR /w\n" });
    await dryRun(allOptions(temporaryPath("store"), context, { onEvent }));
    expect(warnings).toEqual([expect.stringContaining("casing do not match")]);
  });

  it("ends when it is aborted", async () => {
    const context = contextDirectory({ Dockerfile: twoStages, a: "a", b: "b" });
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(dryRun(allOptions(temporaryPath("store"), context, { signal }))).rejects.toThrow("enough");
  });
});

describe("a dry run on a registry's image", () => {
  const files = { "data/file": "from the base" };

  it("fetches its manifest and config alone, and says what is missing", async () => {
    const base = await fakeImage({ layers: [files, { other: "x" }] });
    await using registry = await startFakeRegistry();
    registry.putImage("team/base", "1", base);
    const name = `${registry.host}/team/base:1`;
    const store = temporaryPath("store");
    const context = contextDirectory({ Dockerfile: `FROM ${name}\nCOPY a /a\n`, a: "a" });
    const before = await dryRun(allOptions(store, context, {}));
    const blobs = registry.requests.filter(({ method, path }) => method === "GET" && path.includes("/blobs/"));
    expect(blobs.map(({ path }) => path)).toEqual([expect.stringContaining(JSON.parse(base.bytes.toString()).config.digest)]);
    const missingBytes = base.layers.reduce((sum, { length }) => sum + length, 0);
    expect(before.images).toEqual([{ name, platform: "linux/amd64", digest: base.digest, missingLayers: 2, missingBytes }]);
    await build(allOptions(store, context, {}));
    const after = await dryRun(allOptions(store, context, {}));
    expect(after.images).toMatchObject([{ digest: base.digest, missingLayers: 0, missingBytes: 0 }]);
    expect(statuses(after)).toEqual(["2 cached"]);
  });

  it("does not fetch layers in order to know what a COPY would take of them", async () => {
    const [first, second] = [await fakeImage({ layers: [files] }), await fakeImage({ layers: [files, { more: "x" }] })];
    await using registry = await startFakeRegistry();
    registry.putImage("team/files", "1", first);
    const store = temporaryPath("store");
    const context = contextDirectory({
      Dockerfile: `FROM scratch\nCOPY --from=${registry.host}/team/files:1 /data /data\nCOPY a /a\n`,
      a: "a",
    });
    await build(allOptions(store, context, {}));
    registry.putImage("team/files", "1", second);
    const { steps } = await dryRun(allOptions(store, context, { pull: "always" }));
    expect(steps.map(({ status, reason }) => [status, reason])).toEqual([
      ["base", undefined],
      ["unknown", "layers"],
      ["unknown", "steps"],
    ]);
    // What is copied is what was there before.
    expect(await outcomesOf(store, context, { pull: "always" })).toEqual(["2 cached", "3 cached"]);
  });
});

describe("a dry run with sources from elsewhere", () => {
  it("says what they are now", needs("git"), async () => {
    const [git, web] = await Promise.all([startGitServer(), startHttpFiles()]);
    try {
      const commit = await git.commit("lib", { f: "f" });
      web.serve("/tool", "tool");
      const store = temporaryPath("store");
      const Dockerfile = `FROM scratch\nADD ${web.url("/tool?token=secret")} /tool\nADD ${git.url("lib")}#main /lib\n`;
      const result = await dryRun(allOptions(store, contextDirectory({ Dockerfile }), {}));
      expect(result.git).toEqual([]);
      expect(statuses(result)).toEqual(["2 runs", "3 unknown (2)"]);
      expect(result.http).toEqual([
        { url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/tool\?sha256:[0-9a-f]{16}$/), digest: expect.stringMatching(/^sha256:/) },
      ]);
      await build(allOptions(store, contextDirectory({ Dockerfile }), {}));
      const after = await dryRun(allOptions(store, contextDirectory({ Dockerfile }), {}));
      expect(after.git).toEqual([{ remote: git.url("lib"), ref: "main", commit }]);
      expect(statuses(after)).toEqual(["2 cached", "3 cached"]);
      expect(JSON.stringify(after.http)).not.toContain("secret");
    } finally {
      await Promise.all([git.close(), web.close()]);
    }
  });
});

describe("a dry run with a lock", () => {
  it("refuses what is not locked, and writes no lock file", async () => {
    const base = await fakeImage();
    await using registry = await startFakeRegistry();
    registry.putImage("team/base", "1", base);
    const file = join(temporaryDirectory("lock"), "app.lock");
    const context = contextDirectory({ Dockerfile: `FROM ${registry.host}/team/base:1\n` });
    const store = temporaryPath("store");
    await dryRun(allOptions(store, context, { lock: { file, locked: false } }));
    expect(existsSync(file)).toBe(false);
    await build(allOptions(store, context, { lock: { file, locked: false } }));
    const written = readFileSync(file, "utf8");
    await dryRun(allOptions(store, context, { lock: { file, locked: true } }));
    registry.putImage("team/base", "1", await fakeImage({ config: { Env: ["A=1"] } }));
    await expect(dryRun(allOptions(store, context, { pull: "always", lock: { file, locked: true } }))).rejects.toMatchObject({
      code: "LOCK_DRIFT",
      range: { start: { line: 1 } },
    });
    expect(readFileSync(file, "utf8")).toBe(written);
  });

  it.each([
    ["a dry run", dryRun],
    ["a build", build],
  ])("names all that is not as it is locked before %s does anything", needs("git"), async (_name, work) => {
    const [git, web] = await Promise.all([startGitServer(), startHttpFiles()]);
    await using registry = await startFakeRegistry();
    try {
      registry.putImage("team/base", "1", await fakeImage());
      await git.commit("lib", { f: "1" });
      web.serve("/tool", "1");
      const file = join(temporaryDirectory("lock"), "app.lock");
      const store = temporaryPath("store");
      const named = `FROM ${registry.host}/team/base:1\nADD ${git.url("lib")}#main /lib\nCOPY --from=named f /\nADD ${web.url("/tool")} /tool\n`;
      const contexts = { named: { kind: "git" as const, url: git.url("lib") } };
      const change: Change = { pull: "always", contexts };
      await build(allOptions(store, contextDirectory({ Dockerfile: named }), { ...change, lock: { file, locked: false } }));
      registry.putImage("team/base", "1", await fakeImage({ config: { Env: ["A=1"] } }));
      await git.commit("lib", { f: "2" });
      web.serve("/tool", "2");
      web.serve("/new", "new");
      const context = contextDirectory({ Dockerfile: `${named}COPY missing /\nADD ${web.url("/new")} /\n` });
      const events: BuildEvent[] = [];
      const refused = work(
        allOptions(store, context, { ...change, lock: { file, locked: true }, onEvent: (event) => void events.push(event) }),
      );
      const { errors } = await refused.then(
        () => ({ errors: [] }),
        (error: DockerfileErrors) => error,
      );
      expect(errors.map(({ code, range }) => `${range.start.line} ${code}`)).toEqual([
        "1 LOCK_DRIFT",
        "2 LOCK_DRIFT",
        "3 LOCK_DRIFT",
        "4 LOCK_DRIFT",
        "6 NOT_LOCKED",
      ]);
      expect(events.filter(({ type }) => type === "step-start")).toEqual([]);
    } finally {
      await Promise.all([git.close(), web.close()]);
    }
  });
});
