import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DockerfileError, DockerfileErrors, formatDockerfileError } from "../../builder/dockerfile/errors.ts";
import { type BuildEvent, type BuildOptions, type BuildResult, build } from "../../builder/index.ts";
import { bytesOf } from "../../runtime-addon/index.ts";
import type { Image } from "../../store/images.ts";
import { openRootfs } from "../../store/open-rootfs.ts";
import { openStore } from "../../store/store.ts";
import { verifyStore } from "../../store/verify.ts";
import { contextDirectory } from "../support/context.ts";
import { temporaryDirectory } from "../support/temporary.ts";

interface Built extends BuildResult {
  readonly events: readonly BuildEvent[];
}

const newStore = () => `${temporaryDirectory("store")}/store`;

async function buildIn(store: string, context: string, change: Partial<BuildOptions> = {}): Promise<Built> {
  const events: BuildEvent[] = [];
  const result = await build({
    context,
    tags: ["app"],
    buildArgs: {},
    labels: {},
    platform: "linux/amd64",
    noCache: false,
    noCacheFilter: [],
    network: "default",
    addHosts: [],
    limits: {},
    hostCa: false,
    store,
    onEvent: (event) => void events.push(event),
    proxy: {},
    ...change,
  });
  return { ...result, events };
}

/** How each step ended: "[1/2] FROM scratch: cached", in the order of their numbers. */
function outcomes({ events }: Built): string[] {
  const titles = new Map(
    events.flatMap((event) => (event.type === "plan" ? event.steps.map(({ id, title }) => [id, title] as const) : [])),
  );
  const ends = new Map(events.flatMap((event) => (event.type === "step-end" ? [[event.step, event.outcome] as const] : [])));
  return [...titles].map(([id, title]) => `${title}: ${ends.get(id) ?? "unfinished"}`);
}

async function inspect<T>(
  directory: string,
  look: (image: Image, read: (path: string) => Promise<string>) => Promise<T> | T,
  name = "app",
): Promise<T> {
  await using store = await openStore(directory);
  expect(await verifyStore(store)).toEqual([]);
  const image = await store.images.open(name);
  const rootfs = await openRootfs(store.layers, image.layers);
  return look(image, async (path) => (await rootfs.read(bytesOf(path), { limit: 1 << 20 })).toString("utf8"));
}

const paths = (directory: string, name = "app") =>
  inspect(
    directory,
    async (image) => {
      await using store = await openStore(directory);
      const rootfs = await openRootfs(store.layers, image.layers);
      return [...rootfs.walk(bytesOf(""))].map(({ path }) => path as string);
    },
    name,
  );

/** Every file of a store that a build could write, with what would show that it was written. */
function storeFiles(store: string): string {
  return execFileSync(
    "find",
    [
      ".",
      "(",
      "-path",
      "./v1/leases",
      "-o",
      "-path",
      "./v1/tmp",
      ")",
      "-prune",
      "-o",
      "-type",
      "f",
      "!",
      "-name",
      "*lock",
      "-printf",
      "%P %i %s %T@\n",
    ],
    {
      cwd: store,
      encoding: "utf8",
    },
  )
    .split("\n")
    .sort()
    .join("\n");
}

/** Waits until the files of a directory are old enough to be believed: a build learns nothing from those that changed this moment. */
async function clockPast(directory: string): Promise<void> {
  const changed = execFileSync("find", [".", "-printf", "%C@\n"], { cwd: directory, encoding: "utf8" }).trim().split("\n").map(Number);
  while (Date.now() < Math.max(...changed) * 1000 + 60) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function printed(body: () => Promise<unknown>): Promise<string> {
  try {
    await body();
  } catch (error) {
    if (error instanceof DockerfileError || error instanceof DockerfileErrors) return formatDockerfileError(error);
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("a build from scratch", () => {
  it("makes an image of what it copies", async () => {
    const store = newStore();
    const context = contextDirectory({
      Dockerfile: 'FROM scratch\nCOPY hello /bin/\nENV A=1\nCMD ["/bin/hello"]',
      hello: { text: "#!", mode: 0o755 },
      other: "no",
    });
    const built = await buildIn(store, context, { tags: ["app", "reg.example/x/app:2"] });
    expect(built).toMatchObject({ cachedSteps: 0, totalSteps: 1 });
    expect(built.names).toEqual(["app", "reg.example/x/app:2"]);
    expect(outcomes(built)).toEqual(["[1/2] FROM scratch: cached", "[2/2] COPY hello /bin/: done"]);
    await inspect(store, async (image, read) => {
      expect(image.imageId).toBe(built.imageId);
      expect(image.config.config).toMatchObject({ Cmd: ["/bin/hello"], Env: [expect.stringMatching(/^PATH=/), "A=1"] });
      expect(await read("bin/hello")).toBe("#!");
    });
    expect(await paths(store)).toEqual(["bin", "bin/hello"]);
    expect(await paths(store, "reg.example/x/app:2")).toEqual(["bin", "bin/hello"]);
  });

  it("copies between stages, and builds none that nobody needs", async () => {
    const store = newStore();
    const dockerfile = [
      "FROM scratch AS one",
      "COPY a /in/a",
      "FROM scratch AS unneeded",
      "COPY nope /",
      "FROM one AS two",
      "WORKDIR /in",
      "COPY b .",
      "FROM scratch",
      "COPY --from=two /in /out",
      "COPY --from=0 --chown=5 /in/a /five",
    ].join("\n");
    const built = await buildIn(store, contextDirectory({ Dockerfile: dockerfile, a: "A", b: "B" }));
    expect(outcomes(built)).toEqual([
      "[one 1/2] FROM scratch AS one: cached",
      "[one 2/2] COPY a /in/a: done",
      "[two 1/3] FROM one AS two: cached",
      "[two 2/3] WORKDIR /in: done",
      "[two 3/3] COPY b .: done",
      "[stage-3 1/3] FROM scratch: cached",
      "[stage-3 2/3] COPY --from=two /in /out: done",
      "[stage-3 3/3] COPY --from=0 --chown=5 /in/a /five: done",
    ]);
    expect(await paths(store)).toEqual(["five", "out", "out/a", "out/b"]);
  });

  it("stands on an image of the store, and copies from one", async () => {
    const store = newStore();
    await buildIn(store, contextDirectory({ Dockerfile: "FROM scratch\nCOPY a /a\nLABEL x=1", a: "A" }), { tags: ["base"] });
    const context = contextDirectory({ Dockerfile: "FROM base\nCOPY --from=base /a /b\nCOPY c /", c: "C" });
    await buildIn(store, context);
    await inspect(store, async (image, read) => {
      expect(image.config.config?.Labels).toEqual({ x: "1" });
      expect([await read("a"), await read("b"), await read("c")]).toEqual(["A", "A", "C"]);
      expect(image.config.history?.map(({ created_by }) => created_by)).toEqual([
        "COPY a /a # buildkit",
        "LABEL x=1",
        "COPY /a /b # buildkit",
        "COPY c / # buildkit",
      ]);
    });
  });

  it("builds only the target", async () => {
    const store = newStore();
    const context = contextDirectory({ Dockerfile: "FROM scratch AS one\nCOPY a /\nFROM one AS two\nCOPY nope /", a: "" });
    expect(outcomes(await buildIn(store, context, { target: "ONE" }))).toEqual([
      "[one 1/2] FROM scratch AS one: cached",
      "[one 2/2] COPY a /: done",
    ]);
    expect(await paths(store)).toEqual(["a"]);
  });

  it("leaves out what the ignore file says, though the Dockerfile itself be among it", async () => {
    const store = newStore();
    await buildIn(
      store,
      contextDirectory({ Dockerfile: "FROM scratch\nCOPY . /", ".dockerignore": "*\n!keep\nDockerfile", keep: "", drop: "" }),
    );
    expect(await paths(store)).toEqual(["keep"]);
  });

  it("has the labels of the command line", async () => {
    const store = newStore();
    await buildIn(store, contextDirectory({ Dockerfile: "FROM scratch\nLABEL a=1 b=1" }), { labels: { b: "2" } });
    expect(await inspect(store, ({ config }) => config.config?.Labels)).toEqual({ a: "1", b: "2" });
  });

  it("needs no name", async () => {
    const store = newStore();
    const { imageId, names } = await buildIn(store, contextDirectory({ Dockerfile: "FROM scratch\nENV A=1" }), { tags: [] });
    expect(names).toEqual([]);
    expect(await inspect(store, (image) => image.imageId, imageId)).toBe(imageId);
  });

  it.each([1, 2, 16])("comes to its end with %d steps at once, though stages wait for each other", async (jobs) => {
    const stages = Array.from(
      { length: 12 },
      (_, i) =>
        `FROM ${i < 2 ? "scratch" : `s${i - 2}`} AS s${i}\nCOPY a /${i}\n${i === 0 ? "" : `COPY --from=s${i - 1} / /from-${i - 1}/`}`,
    );
    const store = newStore();
    await buildIn(store, contextDirectory({ Dockerfile: stages.join("\n"), a: "A" }), { jobs });
    expect((await paths(store)).filter((path) => !path.includes("/"))).toEqual(
      ["1", "3", "5", "7", "9", "11", "from-0", "from-2", "from-4", "from-6", "from-8", "from-10"].sort(),
    );
  });

  it("has a Dockerfile as text", async () => {
    const store = newStore();
    await buildIn(store, contextDirectory({ x: "X" }), { dockerfile: { text: "FROM scratch\nCOPY x /" } });
    expect(await paths(store)).toEqual(["x"]);
  });
});

describe("a second build", () => {
  const files = {
    Dockerfile: "FROM scratch AS one\nCOPY a /a/\nFROM scratch\nWORKDIR /w\nCOPY --from=one /a .\nCOPY b .\nLABEL l=1",
    a: "A",
    b: "B",
  };

  it("is wholly cached, gives the same image, and writes nothing", async () => {
    const [store, context] = [newStore(), contextDirectory(files)];
    await clockPast(context);
    const first = await buildIn(store, context);
    const before = storeFiles(store);
    const second = await buildIn(store, context);
    expect([second.imageId, second.manifestDigest, second.cachedSteps, second.totalSteps]).toEqual([
      first.imageId,
      first.manifestDigest,
      4,
      4,
    ]);
    expect(outcomes(second).every((line) => line.endsWith(": cached"))).toBe(true);
    const index = /^index\.json .*$/m;
    expect(storeFiles(store).replace(index, "")).toBe(before.replace(index, ""));
  });

  it("is cached from another directory, with other times", async () => {
    const store = newStore();
    const first = await buildIn(store, contextDirectory(files));
    const other = contextDirectory(files);
    for (const name of ["a", "b"]) utimesSync(join(other, name), 1, 1);
    expect((await buildIn(store, other)).imageId).toBe(first.imageId);
  });

  it("runs what a change touches, and no more", async () => {
    const [store, context] = [newStore(), contextDirectory(files)];
    const first = await buildIn(store, context);
    appendFileSync(join(context, "b"), "more");
    const second = await buildIn(store, context);
    expect(outcomes(second).filter((line) => line.endsWith(": done"))).toEqual(["[stage-1 4/4] COPY b .: done"]);
    expect(second.imageId).not.toBe(first.imageId);
    expect(await inspect(store, (_image, read) => read("w/b"))).toBe("Bmore");
  });

  it("goes on with what was cached where a change is undone", async () => {
    const [store, context] = [newStore(), contextDirectory(files)];
    const first = await buildIn(store, context);
    writeFileSync(join(context, "a"), "other");
    await buildIn(store, context);
    writeFileSync(join(context, "a"), "A");
    expect(await buildIn(store, context)).toMatchObject({ imageId: first.imageId, cachedSteps: 4 });
  });

  it("is cached behind an instruction that changes only the config", async () => {
    const [store, context] = [newStore(), contextDirectory(files)];
    await buildIn(store, context);
    writeFileSync(join(context, "Dockerfile"), files.Dockerfile.replace("WORKDIR", "LABEL first=1\n# and a comment\nEXPOSE 80\nWORKDIR"));
    expect(await buildIn(store, context)).toMatchObject({ cachedSteps: 4, totalSteps: 4 });
  });

  it("runs everything without the cache, and makes the same layers", async () => {
    const [store, context] = [newStore(), contextDirectory(files)];
    await buildIn(store, context);
    const layers = await inspect(store, ({ config }) => config.rootfs.diff_ids);
    const second = await buildIn(store, context, { noCache: true });
    expect(second).toMatchObject({ cachedSteps: 0, totalSteps: 4 });
    expect(await inspect(store, ({ config }) => config.rootfs.diff_ids)).toEqual(layers);
  });

  it.each([["one"], ["ONE"], ["0"]])("runs stage %s without the cache where it is named", async (name) => {
    const [store, context] = [newStore(), contextDirectory(files)];
    await buildIn(store, context);
    expect(outcomes(await buildIn(store, context, { noCacheFilter: [name] })).filter((line) => line.endsWith(": done"))).toEqual([
      "[one 2/2] COPY a /a/: done",
    ]);
  });

  it("at the same time in one store gives the same", async () => {
    const [store, context] = [newStore(), contextDirectory(files)];
    const all = await Promise.all(Array.from({ length: 4 }, (_, i) => buildIn(store, context, { tags: [`app${i}`], sourceDateEpoch: 7 })));
    expect(new Set(all.map(({ imageId }) => imageId)).size).toBe(1);
    for (const i of [0, 1, 2, 3]) expect(await paths(store, `app${i}`)).toEqual(["w", "w/a", "w/b"]);
  });
});

describe("an epoch", () => {
  it("makes the image the same in two stores, from directories with other times", async () => {
    const files = { Dockerfile: "FROM scratch\nWORKDIR /w\nCOPY . .\nCOPY <<x /\ntext\nx", a: "A", "d/b": "B" };
    const ids = [];
    for (const time of [1_500_000_000, 1_600_000_000]) {
      const [store, context] = [newStore(), contextDirectory(files)];
      for (const name of ["a", "d/b", "d", "."]) utimesSync(join(context, name), time, time);
      const { imageId } = await buildIn(store, context, { sourceDateEpoch: 1_000_000_000 });
      ids.push(imageId);
      expect(await inspect(store, ({ config }) => config.created)).toBe("2001-09-09T01:46:40Z");
    }
    expect(ids[1]).toBe(ids[0]);
  });

  it("is part of the key", async () => {
    const [store, context] = [newStore(), contextDirectory({ Dockerfile: "FROM scratch\nCOPY a /", a: "A" })];
    await buildIn(store, context);
    expect((await buildIn(store, context, { sourceDateEpoch: 0 })).cachedSteps).toBe(0);
    expect((await buildIn(store, context, { sourceDateEpoch: 0 })).cachedSteps).toBe(1);
  });
});

describe("a failed build prints where and why:", () => {
  it.each<[name: string, dockerfile: string, expected: string]>([
    [
      "a source that is not there",
      "FROM scratch\nCOPY nope /",
      `CONTEXT/Dockerfile:2:1: error: looking for "nope" in the build context CONTEXT: no such file or directory [COPY_SOURCE_NOT_FOUND]
    2 │ COPY nope /
      ╵ ~~~~~~~~~~~`,
    ],
    [
      "a source above the context",
      "FROM scratch\nCOPY ../nope /",
      `CONTEXT/Dockerfile:2:1: error: looking for "../nope" in the build context CONTEXT: no such file or directory [COPY_SOURCE_NOT_FOUND]
    2 │ COPY ../nope /
      ╵ ~~~~~~~~~~~~~~
  hint: ".." stops at the root of the context: build with a directory above it as context and say with -f where the Dockerfile is, or use --build-context`,
    ],
    [
      "a source that the ignore file takes out",
      "FROM scratch\nCOPY ignored /",
      `CONTEXT/Dockerfile:2:1: error: looking for "ignored" in the build context CONTEXT: excluded by CONTEXT/.dockerignore:1: ignored [COPY_SOURCE_NOT_FOUND]
    2 │ COPY ignored /
      ╵ ~~~~~~~~~~~~~~
  hint: re-include it with a line "!ignored" in CONTEXT/.dockerignore`,
    ],
    [
      "a source that a stage does not have",
      "FROM scratch AS one\nFROM scratch\nCOPY --from=one \\\n  /nope /",
      `CONTEXT/Dockerfile:3:1: error: looking for "/nope" in stage "one": no such file or directory [COPY_SOURCE_NOT_FOUND]
    3 │ COPY --from=one \\
      │ ~~~~~~~~~~~~~~~~~
    4 │   /nope /`,
    ],
    [
      "a directory onto a file",
      "FROM scratch\nCOPY a /x\nCOPY d /x",
      `CONTEXT/Dockerfile:3:1: error: copying to "/x": cannot copy to non-directory [COPY_TO_NON_DIRECTORY]
    3 │ COPY d /x
      ╵ ~~~~~~~~~`,
    ],
    [
      "an owner that nobody is",
      "FROM scratch\nCOPY --chown=app a /x",
      `CONTEXT/Dockerfile:2:1: error: looking for the user "app": the image's /etc/passwd has no such name [UNKNOWN_USER]
    2 │ COPY --chown=app a /x
      ╵ ~~~~~~~~~~~~~~~~~~~~~
  hint: this stage has no /etc/passwd: use a number`,
    ],
    [
      "a port that is none",
      "FROM scratch\nEXPOSE 99999",
      `CONTEXT/Dockerfile:2:1: error: reading the port "99999": expected a number from 0 to 65535, or two with - between them, the lower first [INVALID_PORT]
    2 │ EXPOSE 99999
      ╵ ~~~~~~~~~~~~`,
    ],
  ])("%s", async (_name, dockerfile, expected) => {
    const context = contextDirectory({ Dockerfile: dockerfile, ".dockerignore": "ignored", ignored: "", a: "", "d/f": "" });
    expect((await printed(() => buildIn(newStore(), context))).replaceAll(context, "CONTEXT")).toBe(expected);
  });

  it("a base image that is nowhere", async () => {
    const context = contextDirectory({ Dockerfile: "FROM no-such-image:1" });
    const lines = (await printed(() => buildIn(newStore(), context, { pull: "never" }))).split("\n");
    expect(lines[0]).toMatch(
      /\/Dockerfile:1:1: error: looking for image "no-such-image:1": it is not in the store .*; registries are not asked \(--pull=never\) \[NOT_FOUND\]$/,
    );
    expect(lines[3]).toBe(
      "  hint: tsbuild images lists what is there; tsbuild pull no-such-image:1 fetches it, tsbuild import ROOTFS.tar no-such-image:1 makes one",
    );
    expect(lines.slice(1, 3)).toEqual(["    1 │ FROM no-such-image:1", "      ╵ ~~~~~~~~~~~~~~~~~~~~"]);
  });

  it("a name that no image can have, before anything is read or built", async () => {
    const store = newStore();
    await expect(buildIn(store, "/nowhere/at/all", { tags: ["app", "app:bad:tag"] })).rejects.toMatchObject({
      code: "INVALID_REFERENCE",
      message: 'reading the image name "app:bad:tag": the tag "bad:tag" cannot hold ":"',
    });
    expect(existsSync(store)).toBe(false);
  });

  it("a context that is not there", async () => {
    await expect(buildIn(newStore(), "/nowhere/at/all")).rejects.toMatchObject({
      code: "CONTEXT_NOT_FOUND",
      message: "opening the build context /nowhere/at/all: there is no such directory",
    });
  });

  it("an ignore file that cannot be read", async () => {
    const context = contextDirectory({ Dockerfile: "FROM nowhere\nCOPY . /", ".dockerignore": "ok\n[" });
    const error: unknown = await buildIn(newStore(), context).catch((thrown: unknown) => thrown);
    // With its own place, and before anything is planned.
    expect(error).not.toBeInstanceOf(DockerfileError);
    expect(error).toMatchObject({
      code: "INVALID_IGNORE_FILE",
      message: expect.stringMatching(/\/\.dockerignore:2: reading the pattern "\["/),
    });
  });
});

describe("a failed build", () => {
  it("changes no name, and says which step failed", async () => {
    const [store, context] = [newStore(), contextDirectory({ Dockerfile: "FROM scratch\nCOPY a /", a: "A" })];
    const { imageId } = await buildIn(store, context);
    const index = readFileSync(join(store, "index.json"), "utf8");
    writeFileSync(join(context, "Dockerfile"), "FROM scratch\nCOPY a /\nCOPY nope /");
    const events: BuildEvent[] = [];
    await expect(buildIn(store, context, { onEvent: (event) => void events.push(event) })).rejects.toMatchObject({
      code: "COPY_SOURCE_NOT_FOUND",
    });
    expect(readFileSync(join(store, "index.json"), "utf8")).toBe(index);
    expect(await inspect(store, (image) => image.imageId)).toBe(imageId);
    expect(events.flatMap((event) => (event.type === "step-end" ? [`${event.step} ${event.outcome}`] : []))).toEqual([
      "1 cached",
      "2 cached",
      "3 failed",
    ]);
  });

  it("ends its other stages", async () => {
    const context = contextDirectory({
      Dockerfile:
        "FROM scratch AS bad\nCOPY nope /\nFROM scratch AS good\nCOPY a /\nCOPY a /b\nFROM scratch\nCOPY --from=bad / /\nCOPY --from=good / /",
      a: "",
    });
    const events: BuildEvent[] = [];
    await expect(buildIn(newStore(), context, { onEvent: (event) => void events.push(event) })).rejects.toMatchObject({
      code: "COPY_SOURCE_NOT_FOUND",
    });
    const running = new Set<number>();
    for (const event of events) {
      if (event.type === "step-start") running.add(event.step);
      if (event.type === "step-end") running.delete(event.step);
    }
    expect([...running]).toEqual([]);
    expect(events.filter((event) => event.type === "image")).toEqual([]);
  });

  it("that was cancelled throws the signal's reason, and names nothing", async () => {
    const store = newStore();
    const context = contextDirectory({ Dockerfile: "FROM scratch\nCOPY a /\nCOPY a /b", a: "A" });
    const cancel = new AbortController();
    const reason = new Error("enough");
    const onEvent = (event: BuildEvent) => {
      if (event.type === "step-end" && event.step === 2) cancel.abort(reason);
    };
    await expect(buildIn(store, context, { onEvent, signal: cancel.signal })).rejects.toBe(reason);
    await using opened = await openStore(store);
    expect(await opened.images.resolve("app")).toBeUndefined();
  });

  it("leaves nothing temporary in the store", async () => {
    const store = newStore();
    const context = contextDirectory({ Dockerfile: "FROM scratch\nCOPY a /\nCOPY nope /", a: "" });
    await expect(buildIn(store, context)).rejects.toMatchObject({
      code: "COPY_SOURCE_NOT_FOUND",
      message: `looking for "nope" in the build context ${context}: no such file or directory`,
    });
    expect(execFileSync("find", ["v1/leases", "v1/tmp", "-type", "f"], { cwd: store, encoding: "utf8" })).toBe("");
  });
});

describe("what a build says", () => {
  it("is a plan of all steps first, each step's events in order, and the image last", async () => {
    const context = contextDirectory({ Dockerfile: "FROM scratch\nCOPY a /\nWORKDIR /w", a: "" });
    const { events, imageId, manifestDigest, names } = await buildIn(newStore(), context);
    expect(events.map((event) => ("step" in event ? `${event.type} ${event.step}` : event.type))).toEqual([
      "plan",
      "step-start 1",
      "step-end 1",
      "step-start 2",
      "step-end 2",
      "step-start 3",
      "step-end 3",
      "image",
    ]);
    expect(events.at(-1)).toMatchObject({ type: "image", imageId, manifestDigest, names });
  });

  it("is a warning about build arguments that no ARG declares", async () => {
    const context = contextDirectory({ Dockerfile: "ARG G\nFROM scratch\nARG A" });
    const buildArgs = { A: "1", G: "1", B: "1", C: "2", HTTP_PROXY: "x", no_proxy: "y", SOURCE_DATE_EPOCH: "1" };
    const { events } = await buildIn(newStore(), context, { buildArgs });
    expect(events.filter(({ type }) => type === "warning")).toEqual([
      { type: "warning", message: "build arguments that no ARG declares: B, C" },
    ]);
  });

  it("is a warning about contexts and stages that are named for nothing, with what may be meant", async () => {
    const source = contextDirectory({ f: "" });
    const directory = { kind: "directory", path: source } as const;
    const context = contextDirectory({ Dockerfile: "FROM scratch AS build\nARG VERSION\nCOPY --from=src f /\nFROM build\nFROM scratch" });
    const contexts = { src: directory, biuld: directory, when: { kind: "http", url: "http://127.0.0.1:1/x" } } as const;
    const { events } = await buildIn(newStore(), context, {
      target: "build",
      contexts,
      noCacheFilter: ["BUILD", "2", "3", "bulid"],
      buildArgs: { VERSOIN: "1" },
    });
    expect(events.filter(({ type }) => type === "warning")).toEqual([
      { type: "warning", message: "build arguments that no ARG declares: VERSOIN (did you mean VERSION?)" },
      { type: "warning", message: "contexts that the build does not use: biuld (did you mean build?), when" },
      { type: "warning", message: "stages to run again that the Dockerfile does not have: 3, bulid (did you mean build?)" },
    ]);
  });

  it("is a warning about a wildcard of which the ignore file leaves nothing, cached or not", async () => {
    const store = newStore();
    const context = contextDirectory({ Dockerfile: "FROM scratch\nCOPY f /\nCOPY d/* /d/", ".dockerignore": "d/b", "d/b": "", f: "" });
    for (const outcome of ["done", "cached"]) {
      const { events } = await buildIn(store, context);
      expect(events.findLast(({ type }) => type === "step-end")).toMatchObject({ outcome });
      expect(events.filter(({ type }) => type === "warning")).toMatchObject([
        {
          message: `nothing is copied for "d/*": what it means is excluded by ${context}/.dockerignore:1: d/b`,
          range: { start: { line: 3 } },
        },
      ]);
    }
  });

  it("is a warning about a base for another platform", async () => {
    const store = newStore();
    await buildIn(store, contextDirectory({ Dockerfile: "FROM scratch" }), { tags: ["base"], platform: "linux/arm64" });
    const { events } = await buildIn(store, contextDirectory({ Dockerfile: "FROM base" }));
    expect(events.filter(({ type }) => type === "warning")).toMatchObject([
      {
        rule: "InvalidBaseImagePlatform",
        message:
          'InvalidBaseImagePlatform: Base image base was pulled with platform "linux/arm64", expected "linux/amd64" for current build',
        range: { start: { line: 1 } },
      },
    ]);
  });
});

describe("a build for a platform", () => {
  /** A store with one name for an image of either architecture; /arch says which it is. */
  async function storeOfBoth(): Promise<string> {
    const directory = newStore();
    const manifests = [];
    for (const architecture of ["amd64", "arm64"]) {
      const context = contextDirectory({ Dockerfile: "FROM scratch\nCOPY arch /", arch: architecture });
      await buildIn(directory, context, { tags: [architecture], platform: `linux/${architecture}` });
      await using store = await openStore(directory);
      const { descriptor } = await store.images.open(architecture);
      manifests.push({ ...descriptor, platform: { os: "linux", architecture } });
    }
    await using store = await openStore(directory);
    const mediaType = "application/vnd.oci.image.index.v1+json";
    const blob = await store.blobs.putBytes(mediaType, Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests })));
    const index = JSON.parse(readFileSync(join(directory, "index.json"), "utf8"));
    index.manifests.push({ ...blob, annotations: { "org.opencontainers.image.ref.name": "both" } });
    writeFileSync(join(directory, "index.json"), JSON.stringify(index));
    return directory;
  }

  // That a constant platform is bad style is beside the point here.
  const warnings = ({ events }: Pick<Built, "events">) =>
    events.flatMap((event) => (event.type === "warning" && event.rule !== "FromPlatformFlagConstDisallowed" ? [event.message] : []));

  it.each<[what: string, dockerfile: string, platform: string | undefined, arch: string, labelled: string]>([
    ["takes the image of that platform", "FROM both", "linux/arm64", "arm64", "arm64"],
    ["takes what FROM --platform names", "FROM --platform=linux/arm64 both", undefined, "arm64", "arm64"],
    ["takes what FROM --platform names over its own", "FROM --platform=linux/amd64 both", "linux/arm64", "amd64", "arm64"],
    [
      "copies from the image of its own platform",
      "FROM --platform=linux/amd64 both\nCOPY --from=both arch /",
      "linux/arm64",
      "arm64",
      "arm64",
    ],
  ])("%s", async (_what, dockerfile, platform, arch, labelled) => {
    const store = await storeOfBoth();
    const built = await build({
      context: contextDirectory({ Dockerfile: dockerfile }),
      store,
      tags: ["app"],
      ...(platform === undefined ? {} : { platform }),
    });
    await inspect(store, async (image, read) => {
      expect([image.imageId, image.config.architecture, await read("arch")]).toEqual([built.imageId, labelled, arch]);
    });
  });

  it("keeps stages of several platforms apart", async () => {
    const store = await storeOfBoth();
    const Dockerfile = "FROM --platform=linux/arm64 both AS a\nFROM --platform=linux/amd64 both\nCOPY --from=a arch /other";
    const built = await buildIn(store, contextDirectory({ Dockerfile }));
    expect(warnings(built)).toEqual([]);
    await inspect(store, async (_image, read) => expect([await read("arch"), await read("other")]).toEqual(["amd64", "arm64"]));
  });

  it("warns of a base that is not for the platform that its stage wants, and does not call it so", async () => {
    const store = await storeOfBoth();
    const context = contextDirectory({ Dockerfile: "FROM --platform=linux/arm64 amd64" });
    const events: BuildEvent[] = [];
    await build({ context, store, tags: ["app"], onEvent: (event) => void events.push(event) });
    expect(warnings({ events })).toEqual([
      'InvalidBaseImagePlatform: Base image amd64 was pulled with platform "linux/amd64", expected "linux/arm64" for current build',
    ]);
    await inspect(store, (image) => expect(image.config.architecture).toBe("amd64"));
  });

  it("does not warn of a base that FROM --platform asks for", async () => {
    const store = await storeOfBoth();
    const built = await buildIn(store, contextDirectory({ Dockerfile: "FROM --platform=linux/arm64 arm64" }));
    expect(warnings(built)).toEqual([]);
  });
});
