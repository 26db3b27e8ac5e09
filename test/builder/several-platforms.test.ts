import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  type BuildEvent,
  type BuildOptions,
  type BuildResult,
  build,
  check,
  describeTarget,
  dryRun,
  rebuild,
} from "../../builder/index.ts";
import { bytesOf } from "../../runtime-addon/index.ts";
import { mediaTypes } from "../../store/oci.ts";
import { parseIndex } from "../../store/oci-parse.ts";
import { openRootfs } from "../../store/open-rootfs.ts";
import { machinePlatform, platformText } from "../../store/platform.ts";
import { openStore } from "../../store/store.ts";
import { verifyStore } from "../../store/verify.ts";
import { output } from "../store/sample-image.ts";
import { contextDirectory } from "../support/context.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const platforms = ["linux/amd64", "linux/arm64", "linux/arm/v7"];
const newStore = () => join(temporaryDirectory("platforms"), "store");

interface Built extends BuildResult {
  readonly events: readonly BuildEvent[];
}

async function buildFor(store: string, Dockerfile: string, change: Partial<BuildOptions> = {}): Promise<Built> {
  const events: BuildEvent[] = [];
  const files = { a: "a\n", "app-amd64": "for amd64\n", "app-arm64": "for arm64\n", "app-arm": "for arm\n" };
  const context = contextDirectory({ Dockerfile, ...files });
  const result = await build({
    context,
    tags: ["app"],
    platform: platforms,
    store,
    onEvent: (event) => void events.push(event),
    ...change,
  });
  return { ...result, events };
}

/** "[linux/amd64 1/2] FROM scratch: cached", by their ids. */
function outcomes({ events }: Pick<Built, "events">): readonly string[] {
  const ends = new Map(events.flatMap((event) => (event.type === "step-end" ? [[event.step, event.outcome] as const] : [])));
  return events.flatMap((event) => (event.type === "plan" ? event.steps.map(({ id, title }) => `#${id} ${title}: ${ends.get(id)}`) : []));
}

/** What the image of a name has of a file, by platform. */
async function contents(directory: string, path: string, name = "app"): Promise<Readonly<Record<string, string>>> {
  await using store = await openStore(directory);
  expect(await verifyStore(store)).toEqual([]);
  const image = await store.images.open(name);
  const index = parseIndex(await store.blobs.readBytes(image.listed, 1 << 20), image.listed.digest);
  const found: Record<string, string> = {};
  for (const { platform } of index.manifests) {
    if (platform === undefined) throw new Error("the index does not say what a manifest is for");
    const one = await store.images.open(name, platform);
    expect(platformText(one.config)).toBe(platformText(platform));
    const rootfs = await openRootfs(store.layers, one.layers);
    found[platformText(platform)] = (await rootfs.read(bytesOf(path), { limit: 1 << 20 })).toString("utf8");
  }
  return found;
}

const shared = `FROM --platform=$BUILDPLATFORM scratch AS build
COPY a /a
FROM scratch
ARG TARGETARCH
ARG TARGETPLATFORM
ENV P=$TARGETPLATFORM
COPY --from=build /a /a
COPY app-$TARGETARCH /app
`;

describe("a build for several platforms", () => {
  it("is an index in the store with an image of each, in their order", async () => {
    const store = newStore();
    const built = await buildFor(store, shared);
    expect(Object.entries(await contents(store, "app"))).toEqual([
      ["linux/amd64", "for amd64\n"],
      ["linux/arm64", "for arm64\n"],
      ["linux/arm/v7", "for arm\n"],
    ]);
    expect(built.platforms?.map(({ platform }) => platform)).toEqual(platforms);
    await using opened = await openStore(store);
    const { listed, names } = await opened.images.open("app");
    expect([listed.mediaType, listed.digest, names]).toEqual([mediaTypes.index, built.imageId, ["app"]]);
    expect(built.manifestDigest).toBe(built.imageId);
    for (const { platform, imageId, manifestDigest } of built.platforms ?? []) {
      const [os = "", architecture = "", variant] = platform.split("/");
      const image = await opened.images.open("app", { os, architecture, ...(variant === undefined ? {} : { variant }) });
      expect([image.imageId, image.descriptor.digest, image.config.config?.Env]).toEqual([
        imageId,
        manifestDigest,
        expect.arrayContaining([`P=${platform}`]),
      ]);
    }
    expect(built.events.filter(({ type }) => type === "image")).toMatchObject([{ imageId: built.imageId, platforms, names: ["app"] }]);
  });

  it("does once what they have in common, and names the platform of each step", async () => {
    const { events } = await buildFor(
      newStore(),
      shared.replace("COPY --from=build /a /a\nCOPY app-$TARGETARCH /app\n", "COPY --from=build /a /b\n"),
      {
        platform: ["linux/s390x", "linux/riscv64"],
      },
    );
    expect(outcomes({ events })).toEqual([
      "#1 [linux/s390x build 1/2] FROM --platform=$BUILDPLATFORM scratch AS build: cached",
      "#2 [linux/s390x build 2/2] COPY a /a: done",
      "#3 [linux/s390x stage-1 1/2] FROM scratch: cached",
      "#4 [linux/s390x stage-1 2/2] COPY --from=build /a /b: done",
      "#5 [linux/riscv64 build 1/2] FROM --platform=$BUILDPLATFORM scratch AS build: cached",
      "#6 [linux/riscv64 build 2/2] COPY a /a: cached",
      "#7 [linux/riscv64 stage-1 1/2] FROM scratch: cached",
      "#8 [linux/riscv64 stage-1 2/2] COPY --from=build /a /b: cached",
    ]);
  });

  it("comes to the same index again, all of it cached; where nothing is cached too, with a time", async () => {
    const store = newStore();
    const first = await buildFor(store, shared);
    const again = await buildFor(store, shared, { tags: ["again"] });
    expect([again.imageId, again.cachedSteps]).toEqual([first.imageId, again.totalSteps]);
    const dated = await buildFor(newStore(), shared, { sourceDateEpoch: 1 });
    expect((await buildFor(newStore(), shared, { sourceDateEpoch: 1 })).imageId).toBe(dated.imageId);
  });

  it.each<[name: string, given: string | readonly string[], built: readonly string[] | undefined]>([
    ["a platform of two names once", ["linux/arm64", "linux/aarch64", "linux/arm64/v8", "linux/amd64"], ["linux/arm64", "linux/amd64"]],
    ["one of two names without an index", ["linux/arm64", "linux/arm64/v8"], undefined],
    ["one without an index", ["linux/arm64"], undefined],
  ])("takes %s", async (_name, platform, expected) => {
    const built = await buildFor(newStore(), "FROM scratch\nCOPY a /\n", { platform });
    expect(built.platforms?.map((one) => one.platform)).toEqual(expected);
  });

  it("fails where one platform fails, names it, and leaves the name as it was", async () => {
    const store = newStore();
    const before = await buildFor(store, shared);
    const failing = buildFor(store, shared, { platform: ["linux/amd64", "linux/riscv64"] });
    await expect(failing).rejects.toMatchObject({
      code: "COPY_SOURCE_NOT_FOUND",
      message: expect.stringMatching(/^for linux\/riscv64: looking for "app-riscv64" in the build context /),
    });
    await using opened = await openStore(store);
    expect((await opened.images.open("app")).listed.digest).toBe(before.imageId);
    expect((await opened.images.list()).map(({ names }) => names)).toEqual([["app"]]);
  });

  it("says once, and of no platform, what is wrong for all", async () => {
    const failing = buildFor(newStore(), "FROM scratch\nRUN --security=insecure true\n");
    await expect(failing).rejects.toMatchObject({
      message: "planning the build: RUN --security=insecure: security.insecure is not allowed",
    });
    await expect(buildFor(newStore(), "FROM scratch\nCOPY nope /f\n")).rejects.toMatchObject({
      code: "COPY_SOURCE_NOT_FOUND",
      message: expect.stringMatching(/^looking for "nope" in the build context /),
    });
    const { events } = await buildFor(newStore(), "FROM scratch AS Base\nCOPY a /\n", { buildArgs: { NONE: "1" } });
    expect(events.flatMap((event) => (event.type === "warning" ? [event.message] : []))).toEqual([
      "build arguments that no ARG declares: NONE",
      "StageNameCasing: Stage name 'Base' should be lowercase",
    ]);
  });

  it("begins nothing where a RUN must run on what this machine cannot run", async () => {
    const events: BuildEvent[] = [];
    const failing = buildFor(newStore(), 'FROM scratch\nCOPY a /\nRUN ["/a"]\n', {
      platform: [platformText(machinePlatform()), "linux/mips64p32"],
      onEvent: (event) => void events.push(event),
    });
    await expect(failing).rejects.toMatchObject({
      code: "UNSUPPORTED_PLATFORM",
      message: expect.stringMatching(/^for linux\/mips64p32: running the command: it is for linux\/mips64p32, this machine is /),
    });
    expect(events.map(({ type }) => type)).toEqual(["plan"]);
  });

  it("annotates manifests, the index and what it says of them", async () => {
    const store = newStore();
    await buildFor(store, "FROM scratch\nCOPY a /\n", {
      platform: ["linux/amd64", "linux/arm64"],
      annotations: { all: "1" },
      placedAnnotations: [
        { level: "index", key: "i", value: "2" },
        { level: "manifest-descriptor", key: "d", value: "3" },
        { level: "manifest", platform: { os: "linux", architecture: "arm64" }, key: "one", value: "4" },
      ],
    });
    await using opened = await openStore(store);
    const { listed } = await opened.images.open("app");
    const { annotations, manifests } = parseIndex(await opened.blobs.readBytes(listed, 1 << 20), listed.digest);
    expect([annotations, manifests.map((one) => one.annotations)]).toEqual([{ i: "2" }, [{ d: "3" }, { d: "3" }]]);
    const ofManifests = await Promise.all(
      ["amd64", "arm64"].map(async (architecture) => (await opened.images.open("app", { os: "linux", architecture })).manifest.annotations),
    );
    expect(ofManifests).toEqual([{ all: "1" }, { all: "1", one: "4" }]);
  });

  it("names several targets, each an index", async () => {
    const store = newStore();
    const Dockerfile = "FROM scratch AS web\nARG TARGETARCH\nCOPY app-$TARGETARCH /f\nFROM scratch AS worker\nCOPY a /f\n";
    const { images } = await buildFor(store, Dockerfile, { target: ["web", "worker"], tags: ["web=app:web", "worker=app:worker"] });
    expect(images.map(({ target, names }) => [target, names])).toEqual([
      ["web", ["app:web"]],
      ["worker", ["app:worker"]],
    ]);
    expect(Object.values(await contents(store, "f", "app:web"))).toEqual(["for amd64\n", "for arm64\n", "for arm\n"]);
    expect(Object.values(await contents(store, "f", "app:worker"))).toEqual(["a\n", "a\n", "a\n"]);
  });

  it("merges the layers of each", async () => {
    const store = newStore();
    const built = await buildFor(store, shared, { squash: "build" });
    expect(built.platforms?.map(({ layers }) => layers.length)).toEqual([1, 1, 1]);
    expect(Object.values(await contents(store, "app"))).toEqual(["for amd64\n", "for arm64\n", "for arm\n"]);
  });
});

describe("outputs of several platforms", () => {
  it("are an archive and a layout with an index, and folders for files", async () => {
    const directory = temporaryDirectory("outputs");
    const at = (name: string) => join(directory, name);
    const built = await buildFor(at("store"), shared, {
      outputs: [
        { type: "oci", to: { file: at("oci.tar") } },
        { type: "oci", to: { directory: at("layout") }, compression: "none" },
        { type: "tar", to: { file: at("files.tar") } },
        { type: "local", directory: at("files") },
      ],
    });
    const layout = parseIndex(readFileSync(at("layout/index.json")), "index.json");
    expect(layout.manifests.map(({ mediaType, digest }) => [mediaType, digest])).toEqual([[mediaTypes.index, built.manifestDigest]]);
    expect(
      output(["tar", "-tf", at("files.tar")])
        .toString()
        .split("\n"),
    ).toEqual(["linux_amd64", "linux_arm64", "linux_arm_v7"].flatMap((one) => [`${one}/`, `${one}/a`, `${one}/app`]).concat(""));
    expect(readFileSync(at("files/linux_arm_v7/app"), "utf8")).toBe("for arm\n");
    expect(output(["tar", "-xOf", at("oci.tar"), "index.json"]).toString()).toContain(mediaTypes.index);
    // The archive is no image for docker load.
    expect(output(["tar", "-tf", at("oci.tar")]).toString()).not.toContain("manifest.json");
  });

  it("have the id of the index that an archive has, and the digests of its manifests", async () => {
    const file = join(temporaryDirectory("outputs"), "oci.tar");
    const inTar = (name: string) => output(["tar", "-xOf", file, name]);
    const built = await buildFor(newStore(), shared, { outputs: [{ type: "oci", to: { file } }] });
    const [listed] = parseIndex(inTar("index.json"), "index.json").manifests;
    expect([built.imageId, built.manifestDigest]).toEqual([listed?.digest, listed?.digest]);
    const { manifests } = parseIndex(inTar(`blobs/sha256/${built.imageId.slice("sha256:".length)}`), built.imageId);
    expect(built.platforms?.map(({ manifestDigest }) => manifestDigest)).toEqual(manifests.map(({ digest }) => digest));
    expect(built.events.filter(({ type }) => type === "image")).toMatchObject([{ imageId: built.imageId }]);
  });

  it("put the folders of platforms into those of targets", async () => {
    const file = join(temporaryDirectory("outputs"), "files.tar");
    const Dockerfile = "FROM scratch AS one\nCOPY a /\nFROM scratch AS two\nCOPY a /\n";
    await buildFor(newStore(), Dockerfile, {
      platform: ["linux/amd64", "linux/arm64"],
      target: "*",
      tags: [],
      outputs: [{ type: "tar", to: { file } }],
    });
    const folders = ["linux_amd64", "linux_arm64"].flatMap((platform) => [`${platform}/`, `${platform}/a`]);
    const of = (target: string) => [`${target}/`, ...folders.map((path) => `${target}/${path}`)];
    expect(output(["tar", "-tf", file]).toString().trim().split("\n")).toEqual([...of("one"), ...of("two")]);
  });

  it("are split or not as is asked for, and no file takes another's place", async () => {
    const file = join(temporaryDirectory("outputs"), "files.tar");
    const exported = (Dockerfile: string, platformSplit: boolean, platform: readonly string[]) =>
      buildFor(newStore(), Dockerfile, { platform, tags: [], outputs: [{ type: "tar", to: { file }, platformSplit }] });
    const names = () => output(["tar", "-tf", file]).toString().trim().split("\n");
    const own = "FROM scratch\nARG TARGETARCH\nCOPY a /bin/app-$TARGETARCH\n";
    await exported(own, false, ["linux/amd64", "linux/arm64"]);
    expect(names().sort()).toEqual(["bin/", "bin/app-amd64", "bin/app-arm64"]);
    await exported(own, true, ["linux/arm64"]);
    expect(names()).toEqual(["linux_arm64/", "linux_arm64/bin/", "linux_arm64/bin/app-arm64"]);
    await expect(exported("FROM scratch\nCOPY a /\n", false, ["linux/amd64", "linux/arm64"])).rejects.toMatchObject({
      code: "DUPLICATE_FILE",
      message: `exporting to ${file}: "a" is in more than one image, and all go to one directory`,
    });
    const owners = "FROM scratch AS amd64\nCOPY --chown=1:2 a /bin/one\nFROM scratch AS arm64\nCOPY a /bin/two\nFROM $TARGETARCH\n";
    await expect(exported(owners, false, ["linux/amd64", "linux/arm64"])).rejects.toMatchObject({
      code: "DUPLICATE_FILE",
      message: `exporting to ${file}: "bin" has not the same mode, owner and attributes in all images, and all go to one directory`,
    });
  });

  it("are no archive for docker load: nothing is begun", async () => {
    const file = join(temporaryDirectory("outputs"), "docker.tar");
    const events: BuildEvent[] = [];
    const failing = buildFor(newStore(), shared, {
      outputs: [{ type: "docker", to: { file } }],
      onEvent: (event) => void events.push(event),
    });
    await expect(failing).rejects.toMatchObject({
      code: "SEVERAL_PLATFORMS",
      message: "writing an archive for docker load: it reads images of one platform only",
    });
    expect(events).toEqual([]);
  });
});

describe("what is said of several platforms without a build", () => {
  const options = (store: string, Dockerfile: string): BuildOptions => ({
    context: contextDirectory({ Dockerfile, a: "a" }),
    store,
    platform: ["linux/amd64", "linux/arm64"],
  });

  it("a dry run has the steps of all, and those that are the same depend on the first", async () => {
    const { steps } = await dryRun(options(newStore(), "FROM scratch\nCOPY a /\nARG TARGETARCH\nCOPY a /$TARGETARCH\n"));
    expect(steps.map(({ id, title, status, awaits }) => [id, title, status, awaits])).toEqual([
      [1, "[linux/amd64 1/3] FROM scratch", "base", []],
      [2, "[linux/amd64 2/3] COPY a /", "runs", []],
      [3, "[linux/amd64 3/3] COPY a /$TARGETARCH", "unknown", [2]],
      [4, "[linux/arm64 1/3] FROM scratch", "base", []],
      [5, "[linux/arm64 2/3] COPY a /", "unknown", [2]],
      [6, "[linux/arm64 3/3] COPY a /$TARGETARCH", "unknown", [2]],
    ]);
  });

  it("a dry run without the cache, too", async () => {
    const Dockerfile = "FROM scratch AS a\nCOPY a /\nCOPY a /b\nFROM scratch\nCOPY --from=a /a /\nARG TARGETARCH\nCOPY a /$TARGETARCH\n";
    const store = newStore();
    const given = { ...options(store, Dockerfile), noCache: true };
    const { steps } = await dryRun(given);
    const runs = steps.flatMap(({ title, status }) => (status === "runs" ? [title] : []));
    const built = await buildFor(store, Dockerfile, given);
    const done = built.events.flatMap((event) => (event.type === "step-end" && event.outcome === "done" ? [event.step] : []));
    expect(steps.flatMap(({ id, status }) => (status === "runs" ? [id] : []))).toEqual(done.toSorted((a, b) => a - b));
    expect(runs).toEqual([
      "[linux/amd64 a 2/3] COPY a /",
      "[linux/amd64 a 3/3] COPY a /b",
      "[linux/amd64 stage-1 2/3] COPY --from=a /a /",
      "[linux/amd64 stage-1 3/3] COPY a /$TARGETARCH",
      "[linux/arm64 stage-1 3/3] COPY a /$TARGETARCH",
    ]);
  });

  it.each([
    [
      "a RUN that this machine cannot run",
      'FROM scratch\nRUN ["/a"]\n',
      "UNSUPPORTED_PLATFORM",
      /^for linux\/mips64p32: running the command: /,
    ],
    [
      "a RUN that is not allowed",
      "FROM scratch\nRUN --security=insecure true\n",
      "NOT_ALLOWED",
      /^planning the build: RUN --security=insecure: /,
    ],
  ])("a dry run refuses what a build refuses first: %s", async (_name, Dockerfile, code, message) => {
    const given = { ...options(newStore(), Dockerfile), platform: [platformText(machinePlatform()), "linux/mips64p32"] };
    await expect(dryRun(given)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    await expect(build(given)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it("a check says once what is wrong for all", async () => {
    const { findings, stages } = await check(options(newStore(), "FROM scratch AS Base\nCOPY a /\n"));
    expect([findings.map(({ rule }) => rule), stages.length]).toEqual([["StageNameCasing"], 1]);
  });

  it("what is of one platform is refused", async () => {
    const given = options(newStore(), "FROM scratch\nCOPY a /\n");
    const message = "that is done for one platform, and here are linux/amd64, linux/arm64";
    await expect(describeTarget(given)).rejects.toMatchObject({
      code: "SEVERAL_PLATFORMS",
      message: `telling what the target takes: ${message}`,
    });
    await build({ ...given, tags: ["app"] });
    await expect(rebuild("app", given)).rejects.toMatchObject({ code: "SEVERAL_PLATFORMS", message: `building app once more: ${message}` });
    const one = await rebuild("app", { ...given, platform: platformText(machinePlatform()) });
    expect([one.isDated, one.difference === undefined]).toEqual([false, false]);
  });
});
