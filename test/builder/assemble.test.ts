import { describe, expect, it } from "vitest";
import { assembleConfig } from "../../builder/assemble.ts";
import { parseDockerfile } from "../../builder/dockerfile/parse.ts";
import type { StageResult } from "../../builder/execute.ts";
import { type BuildPlan, outlineBuild, type PlanOptions, planBuild, type StageWork } from "../../builder/plan/build-plan.ts";
import { imageKey } from "../../builder/plan/stages.ts";
import { digestOf } from "../../store/digest.ts";
import { type ContainerConfig, type HistoryEntry, type ImageConfig, mediaTypes, type Platform } from "../../store/oci.ts";
import { amd64, type Planning, planned } from "./plan/planned.ts";

const layer = (name: string) => {
  const diffId = digestOf(name);
  return { diffId, contentId: diffId, blob: { mediaType: mediaTypes.layer, digest: diffId, size: 1 } };
};

/** The results of a build: `times` are those of each stage's steps. */
function results(plan: BuildPlan, times: readonly (readonly string[])[]): Map<number, StageResult> {
  const done = new Map<number, StageResult>();
  for (const [i, stage] of plan.stages.entries()) {
    const below = stage.base.kind === "stage" ? (done.get(stage.base.stage)?.files.layers ?? []) : stage.baseLayers;
    const layers = [...below, ...stage.steps.map((_, step) => layer(`${i}.${step}`))];
    done.set(stage.index, { files: { layers, chain: digestOf("") }, created: times[i] ?? [], cachedSteps: 0 });
  }
  return done;
}

function targetOf({ targets: [target] }: BuildPlan): StageWork {
  if (target === undefined) throw new Error("the plan has no target");
  return target;
}

function assembled(text: string, times: readonly (readonly string[])[], options: { labels?: Record<string, string>; epoch?: number } = {}) {
  const plan = planned(text);
  return assembleConfig(plan, targetOf(plan), results(plan, times), { labels: {}, ...options });
}

/** On an image "i" with this history and so many layers. */
function onImage(
  text: string,
  history: readonly HistoryEntry[],
  layers: number,
  times: readonly string[] = [],
  epoch?: number,
): ImageConfig {
  const dockerfile = parseDockerfile(text, "Dockerfile");
  const options: PlanOptions = { targets: [], contexts: {}, hermetic: false, buildArgs: {}, platform: amd64, network: "default" };
  const refs = Array.from({ length: layers }, (_, i) => layer(`base ${i}`));
  const config: ImageConfig = { ...amd64, rootfs: { type: "layers", diff_ids: refs.map(({ diffId }) => diffId) }, history };
  const images = new Map([[imageKey({ image: "i", platform: amd64 }), { config, layers: refs }]]);
  const plan = planBuild(dockerfile, outlineBuild(dockerfile, options, images), images, options);
  return assembleConfig(plan, targetOf(plan), results(plan, [times]), { labels: {}, ...(epoch === undefined ? {} : { epoch }) });
}

const [T1, T2, T3] = ["2024-01-01T00:00:00.000Z", "2024-01-02T00:00:00.000Z", "2024-01-03T00:00:00.000Z"] as const;
const comment = "buildkit.dockerfile.v0";

describe("the image config", () => {
  it("has a history row for each instruction, and layers for those that made one", () => {
    const config = assembled('FROM scratch\nENV A=1\nCOPY a /\nLABEL b=2\nWORKDIR /w\nCMD ["c"]', [[T1, T2]]);
    expect(config).toEqual({
      created: T2,
      os: "linux",
      architecture: "amd64",
      config: {
        WorkingDir: "/w",
        Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "A=1"],
        Labels: { b: "2" },
        Cmd: ["c"],
        ArgsEscaped: true,
      },
      rootfs: { type: "layers", diff_ids: [digestOf("0.0"), digestOf("0.1")] },
      history: [
        { created_by: "ENV A=1", comment, empty_layer: true },
        { created: T1, created_by: "COPY a / # buildkit", comment },
        { created: T1, created_by: "LABEL b=2", comment, empty_layer: true },
        { created: T2, created_by: "WORKDIR /w", comment },
        { created: T2, created_by: 'CMD ["c"]', comment, empty_layer: true },
      ],
    });
  });

  it("was created when its newest step ran, whatever their order", () => {
    expect(assembled("FROM scratch\nCOPY a /\nCOPY b /", [[T3, T1]]).created).toBe(T3);
  });

  it("does not say when it was created where nothing says it", () => {
    expect(assembled("FROM scratch\nENV A=1", [[]])).not.toHaveProperty("created");
  });

  it("has an epoch's time everywhere", () => {
    const { created, history } = assembled("FROM scratch\nENV A=1\nCOPY a /", [["1970-01-01T00:00:05Z"]], { epoch: 5 });
    expect([created, ...(history ?? []).map((row) => row.created)]).toEqual(Array(3).fill("1970-01-01T00:00:05Z"));
  });

  it("has the rows of the stages it stands on, and not of those it copies from", () => {
    const { history, rootfs } = assembled("FROM scratch AS p\nCOPY a /\nFROM scratch AS no\nCOPY x /\nFROM p\nCOPY --from=no x /", [
      [T1],
      [T2],
      [T3],
    ]);
    expect(history?.map(({ created, created_by }) => `${created_by} ${created}`)).toEqual([
      `COPY a / # buildkit ${T1}`,
      `COPY x / # buildkit ${T3}`,
    ]);
    expect(rootfs.diff_ids).toEqual([digestOf("0.0"), digestOf("2.0")]);
  });

  it("has the author", () => {
    expect(assembled("FROM scratch\nMAINTAINER Jo", [[]])).toMatchObject({ author: "Jo" });
  });

  it("has the labels of the command line over those of the file", () => {
    expect(assembled("FROM scratch\nLABEL a=1 b=1", [[]], { labels: { b: "2", c: "" } }).config?.Labels).toEqual({ a: "1", b: "2", c: "" });
    expect(assembled("FROM scratch", [[]], { labels: { c: "3" } }).config?.Labels).toEqual({ c: "3" });
  });
});

describe("the platform of an image", () => {
  const arm64 = { os: "linux", architecture: "arm64" } as const;
  const armV7 = { os: "linux", architecture: "arm", variant: "v7" } as const;
  const v2 = { ...amd64, variant: "v2" } as const;

  /** Of an image on "i", which says it is for `base`; `asked` is --platform. */
  function platformOf(text: string, base: Platform, asked?: Platform): Platform {
    const plan = planned(text, { images: { i: { whole: base } }, ...(asked === undefined ? {} : { platform: asked }) });
    const { os, architecture, variant } = assembleConfig(plan, targetOf(plan), results(plan, []), {
      labels: {},
      ...(asked === undefined ? {} : { platform: asked }),
    });
    return { os, architecture, ...(variant === undefined ? {} : { variant }) };
  }

  it.each<[what: string, text: string, base: Platform, asked: Platform | undefined, expected: Platform]>([
    ["the base's own where none is asked for", "FROM i", arm64, undefined, arm64],
    ["the base's own whatever FROM --platform hoped for", "FROM --platform=linux/arm64 i", amd64, undefined, amd64],
    ["the base's through a stage between", "FROM i AS a\nFROM --platform=linux/amd64 a", arm64, undefined, arm64],
    ["the build's for scratch", "FROM --platform=linux/arm/v7 scratch", amd64, undefined, amd64],
    ["the one asked for, for scratch", "FROM scratch", amd64, armV7, armV7],
    ["the one asked for, even where the base is another", "FROM i", amd64, arm64, arm64],
    ["the base's variant where none is asked for", "FROM i", v2, amd64, v2],
    ["the variant asked for over the base's", "FROM i", armV7, { ...armV7, variant: "v6" }, { ...armV7, variant: "v6" }],
    ["no variant of a base of another architecture", "FROM i", v2, arm64, arm64],
    ["the name that images use", "FROM i", { os: "linux", architecture: "aarch64", variant: "v8" }, undefined, arm64],
  ])("is %s", (_what, text, base, asked, expected) => {
    expect(platformOf(text, base, asked)).toEqual(expected);
  });
});

describe("what is empty", () => {
  const configOn = (text: string, base: ContainerConfig = {}) => {
    const plan = planned(text, { images: { i: base } satisfies Planning["images"] });
    const { Env: _, ...config } = assembleConfig(plan, targetOf(plan), results(plan, []), { labels: {} }).config ?? {};
    return config;
  };

  it.each<[what: string, text: string, base: ContainerConfig, expected: ContainerConfig]>([
    ["a command", "FROM i\nCMD []", { Cmd: ["c"] }, { ArgsEscaped: true }],
    ["an entrypoint, which drops an inherited command", "FROM i\nENTRYPOINT []", { Entrypoint: ["e"], Cmd: ["c"] }, {}],
    ["a user", 'FROM i\nUSER ""', { User: "u" }, {}],
    [
      "whatever a base brings",
      "FROM i",
      {
        User: "",
        ExposedPorts: {},
        Volumes: {},
        Labels: {},
        Cmd: [],
        Entrypoint: [],
        WorkingDir: "",
        StopSignal: "",
        ArgsEscaped: false,
        Shell: [],
      },
      {},
    ],
    [
      "times of a health check",
      "FROM i",
      { Healthcheck: { Test: ["NONE"], Interval: 0, Retries: 0 } },
      { Healthcheck: { Test: ["NONE"] } },
    ],
    ["a health check, which is there all the same", "FROM i", { Healthcheck: { Test: [] } }, { Healthcheck: {} }],
    ["nothing", "FROM i", { User: "u", Volumes: { "/v": {} } }, { User: "u", Volumes: { "/v": {} } }],
  ])("is not written: %s", (_what, text, base, expected) => {
    expect(configOn(text, base)).toEqual(expected);
  });

  it("goes with what no spec names", () => {
    expect(configOn("FROM i", { Hostname: "h", StopTimeout: 3, User: "u" } as ContainerConfig)).toEqual({ User: "u" });
  });
});

describe("the history of a base image", () => {
  const row = (created_by: string, more: Partial<HistoryEntry> = {}): HistoryEntry => ({ created: T1, created_by, ...more });
  const summary = (config: ImageConfig) =>
    config.history?.map(({ created_by, comment: said, empty_layer }) => `${created_by ?? said}${empty_layer ? " (empty)" : ""}`);

  it("is kept as it is", () => {
    const history = [row("ADD x"), row("CMD y", { empty_layer: true, author: "Al" })];
    const config = onImage("FROM i\nCOPY a /", history, 1, [T2]);
    expect(config.history?.slice(0, 2)).toEqual(history);
    expect(config.created).toBe(T2);
  });

  it("dates the rows behind it that make no layer", () => {
    expect(onImage("FROM i\nENV A=1", [row("ADD x")], 1).history?.at(-1)).toEqual({
      created: T1,
      created_by: "ENV A=1",
      comment,
      empty_layer: true,
    });
  });

  it.each<[name: string, history: HistoryEntry[]]>([
    ["missing", []],
    ["of fewer layers", [row("ADD x")]],
    ["of more layers", [row("ADD x"), row("ADD y"), row("ADD z")]],
    ["of empty layers only", [row("CMD x", { empty_layer: true })]],
  ])("is one row a layer where it is broken: %s", (_name, history) => {
    expect(summary(onImage("FROM i\nCOPY a /", history, 2, [T2]))).toEqual([
      "layer of the base image",
      "layer of the base image",
      "COPY a / # buildkit",
    ]);
  });

  it("keeps its own times under an epoch", () => {
    const config = onImage("FROM i\nCOPY a /", [row("ADD x")], 1, ["1970-01-01T00:00:00Z"], 0);
    expect(config.history?.map(({ created }) => created)).toEqual([T1, "1970-01-01T00:00:00Z"]);
    expect(config.created).toBe("1970-01-01T00:00:00Z");
  });

  it("always has as many rows with a layer as there are layers", () => {
    for (const history of [[], [row("ADD x")], [row("a"), row("b"), row("c", { empty_layer: true })]]) {
      const config = onImage("FROM i\nENV A=1\nCOPY a /\nWORKDIR /w\nWORKDIR /", history, 2, [T1, T2]);
      expect(config.history?.filter(({ empty_layer }) => !empty_layer)).toHaveLength(config.rootfs.diff_ids.length);
    }
  });
});
