import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { build } from "../../builder/build.ts";
import { check } from "../../builder/check.ts";
import { dryRun } from "../../builder/dry-run.ts";
import type { BuildOptions } from "../../builder/options.ts";
import type { BuildEvent } from "../../builder/progress/event.ts";
import { digestOf } from "../../store/digest.ts";
import { openStore } from "../../store/store.ts";
import { mustRun } from "../support/command.ts";
import { contextDirectory } from "../support/context.ts";
import { type GitServer, startGitServer } from "../support/git-server.ts";
import { type HttpFiles, startHttpFiles } from "../support/http-files.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory, temporaryPath } from "../support/temporary.ts";

const environment = { PATH: process.env.PATH };

async function built(options: Omit<BuildOptions, "store"> & { readonly store?: string }) {
  const store = options.store ?? temporaryPath("store");
  const events: BuildEvent[] = [];
  const result = await build({ platform: "linux/amd64", environment, onEvent: (event) => void events.push(event), ...options, store });
  await using opened = await openStore(store);
  const { config } = await opened.images.open(result.imageId);
  return {
    imageId: result.imageId,
    cachedSteps: result.cachedSteps,
    created: Date.parse(config.created ?? "") / 1000,
    label: config.config?.Labels?.epoch,
    notes: events.flatMap((event) => (event.type === "note" ? [event.message] : [])),
    warnings: events.flatMap((event) => (event.type === "warning" ? [event.message] : [])),
  };
}

/** A work tree with one commit of this time, and a directory in it. */
async function workTree(files: Readonly<Record<string, string>>, time: number): Promise<string> {
  const root = contextDirectory(files);
  const env = { ...environment, HOME: "/nonexistent", GIT_CONFIG_NOSYSTEM: "1", GIT_COMMITTER_DATE: `${time} +0000` };
  const git = (...args: string[]) => mustRun(["git", "-c", "user.name=a", "-c", "user.email=a@b", ...args], { cwd: root, env });
  await git("init", "--quiet", "--initial-branch=main");
  await git("commit", "--quiet", "--allow-empty", "--message=x");
  return root;
}

const labelled = "FROM scratch\nARG SOURCE_DATE_EPOCH\nLABEL epoch=$SOURCE_DATE_EPOCH\nCOPY f /\n";

describe("a build takes its time", () => {
  it("from the option, whose number the ARG has", async () => {
    const context = contextDirectory({ Dockerfile: labelled, f: "f" });
    expect(await built({ context, sourceDateEpoch: 7 })).toMatchObject({ created: 7, label: "7", notes: [], warnings: [] });
    expect(await built({ context, sourceDateEpoch: "8", buildArgs: { SOURCE_DATE_EPOCH: "9" } })).toMatchObject({ created: 8, label: "8" });
  });

  it("from the build argument, and keys go by it", async () => {
    const store = temporaryPath("store");
    const context = contextDirectory({ Dockerfile: "FROM scratch\nCOPY f /\n", f: "f" });
    const buildArgs = { SOURCE_DATE_EPOCH: "7" };
    expect(await built({ store, context, buildArgs })).toMatchObject({ created: 7, cachedSteps: 0 });
    expect(await built({ store, context, sourceDateEpoch: 7 })).toMatchObject({ created: 7, cachedSteps: 1 });
    expect(await built({ store, context })).toMatchObject({ cachedSteps: 0 });
  });

  it("from no directory, and says so once", async () => {
    const context = contextDirectory({ Dockerfile: labelled, f: "f" });
    const { label, notes } = await built({ context, sourceDateEpoch: "context" });
    expect(label).toBe("");
    expect(notes).toEqual([
      `SOURCE_DATE_EPOCH is not set: the build context ${context} has no time of its own; --source-date-epoch git takes that of the last commit`,
    ]);
  });

  it("from nothing where a context is an image", async () => {
    const context = contextDirectory({ Dockerfile: labelled, f: "f" });
    const contexts = { src: { kind: "image", image: "debian" } } as const;
    const { notes, warnings } = await built({ context, contexts, sourceDateEpoch: "src" });
    expect(warnings).toEqual([]);
    expect(notes).toEqual(['SOURCE_DATE_EPOCH is not set: the context "src" has no time of its own']);
  });

  it("from the last commit of the repository that its context is in", needs("git"), async () => {
    const root = await workTree({ "app/Dockerfile": labelled, "app/f": "f" }, 1_600_000_000);
    const found = await built({ context: join(root, "app"), sourceDateEpoch: "git" });
    expect(found).toMatchObject({ created: 1_600_000_000, label: "1600000000", notes: [] });
  });

  it("from no commit where there is none", async () => {
    const context = contextDirectory({ Dockerfile: labelled, f: "f" });
    await expect(built({ context, sourceDateEpoch: "git" })).rejects.toMatchObject({
      code: "GIT_FAILED",
      message: expect.stringContaining(`looking for the last commit of the repository that ${context} is in: not a git repository`),
    });
    await expect(built({ context: { kind: "empty" }, dockerfile: { text: "FROM scratch" }, sourceDateEpoch: "git" })).rejects.toMatchObject(
      {
        code: "INVALID_EPOCH",
        message: "reading SOURCE_DATE_EPOCH: git stands for the last commit, and the build context is in no repository",
      },
    );
  });
});

describe("what gives the time", needs("git"), () => {
  let git: GitServer;
  let web: HttpFiles;
  beforeAll(async () => {
    [git, web] = await Promise.all([startGitServer(), startHttpFiles()]);
  });
  afterAll(() => Promise.all([git.close(), web.close()]));

  it("may be the repository that the context is, by either word", async () => {
    await git.commit("app", { Dockerfile: labelled, f: "f" }, { time: 1_650_000_000 });
    const context = { kind: "git", url: git.url("app") } as const;
    for (const word of ["git", "context"]) expect(await built({ context, sourceDateEpoch: word })).toMatchObject({ label: "1650000000" });
  });

  /** A Dockerfile whose time comes from stages that its target does not need, one of each kind. */
  async function sources(word: string) {
    const commit = await git.commit(word, { f: "f" }, { time: 1_660_000_000 });
    web.serve(`/${word}`, { body: "f", lastModified: "Thu, 01 Jan 1970 00:16:40 GMT" });
    const stages = `FROM scratch AS repo\nADD ${git.url(word)}#main /\nFROM scratch AS file\nADD ${web.url(`/${word}`)} /\n`;
    return { commit, context: contextDirectory({ Dockerfile: `ARG SOURCE_DATE_EPOCH=repo\n${stages}${labelled}`, f: "f" }) };
  }

  it("may be a stage that the target does not need", async () => {
    const { context } = await sources("unneeded");
    expect(await built({ context })).toMatchObject({ created: 1_660_000_000, label: "1660000000" });
    expect(await built({ context, sourceDateEpoch: "file" })).toMatchObject({ created: 1000, label: "1000" });
  });

  it("is in the lock file, and what is locked must be what it was", async () => {
    const { context, commit } = await sources("locked");
    const file = join(temporaryDirectory("lock"), "Dockerfile.lock");
    await built({ context, lock: { file, locked: false } });
    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ git: { [git.url("locked")]: { main: commit } } });
    expect(await built({ context, lock: { file, locked: true } })).toMatchObject({ created: 1_660_000_000 });
    await git.commit("locked", { f: "new" });
    await expect(built({ context, lock: { file, locked: true } })).rejects.toMatchObject({
      code: "LOCK_DRIFT",
      range: { start: { line: 3 } },
    });
  });

  it("is asked for in a dry run, which finds what the build made", async () => {
    const { context, commit } = await sources("dry");
    const store = temporaryPath("store");
    await built({ store, context, sourceDateEpoch: "file" });
    const dry = await dryRun({ store, context, platform: "linux/amd64", environment, sourceDateEpoch: "file" });
    expect(dry.steps.map(({ status }) => status)).toEqual(["base", "cached"]);
    expect(dry.http).toEqual([{ url: web.url("/dry"), digest: digestOf("f") }]);
    const other = await dryRun({ store, context, platform: "linux/amd64", environment });
    expect(other.steps.map(({ status }) => status)).toEqual(["base", "runs"]);
    expect(other.git).toEqual([{ remote: git.url("dry"), ref: "main", commit }]);
  });

  it("is told with the place of the ADD when it cannot be had", async () => {
    const context = contextDirectory({ Dockerfile: `FROM scratch AS src\nADD ${web.url("/missing")} /\nFROM scratch\n` });
    await expect(built({ context, sourceDateEpoch: "src" })).rejects.toMatchObject({ code: "FETCH_FAILED", range: { start: { line: 2 } } });
  });

  it("is what a file of the web has no time for, and a note says so without its query", async () => {
    web.serve("/timeless", { body: "text" });
    const context = contextDirectory({
      Dockerfile: `FROM scratch AS src\nADD ${web.url("/timeless?token=SECRET")} /\nFROM scratch\nLABEL a=b\n`,
    });
    const { notes } = await built({ context, sourceDateEpoch: "src" });
    expect(notes).toEqual([`SOURCE_DATE_EPOCH is not set: ${web.url("/timeless")} has no time of its own`]);
  });
});

describe("a check", () => {
  const errorsOf = async (Dockerfile: string, change: Partial<BuildOptions> = {}) => {
    const { errors } = await check({ context: contextDirectory({ Dockerfile }), store: temporaryPath("store"), ...change });
    return errors.map(({ code, range }) => `${range.start.line} ${code}`);
  };

  it("asks nobody for the time, but has what is wrong with it", async () => {
    expect(await errorsOf("ARG SOURCE_DATE_EPOCH=src\nFROM scratch AS src\nADD https://host.invalid/f /\n")).toEqual([]);
    expect(await errorsOf("ARG SOURCE_DATE_EPOCH=none\nFROM scratch\n")).toEqual(["1 INVALID_EPOCH"]);
    expect(await errorsOf("FROM scratch AS src\nADD https://u:p@host.invalid/f /\n", { sourceDateEpoch: "src" })).toEqual([
      "2 INVALID_SOURCE",
    ]);
  });
});
