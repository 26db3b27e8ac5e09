import { describe, expect, it } from "vitest";
import { parseDockerfile } from "../../builder/dockerfile/parse.ts";
import { type Lookups, type OpenLookups, type PredictedStep, predictSteps } from "../../builder/dry-run-steps.ts";
import type { StageWork } from "../../builder/plan/build-plan.ts";
import { baseChain } from "../../builder/plan/key.ts";
import type { CopyOperation, FileOrigin, Operation, RunMount, RunOperation } from "../../builder/plan/operation.ts";
import { stateOf } from "../../builder/plan/stage-state.ts";
import type { Files } from "../../builder/steps/step.ts";
import { digestOf } from "../../store/digest.ts";
import type { LayerInfo } from "../../store/layers.ts";

const amd64 = { os: "linux", architecture: "amd64" };
const noFiles: Files = { layers: [], chain: baseChain([]) };

/** A RUN, named by its command. */
function run(command: string, ...reads: readonly FileOrigin[]): RunOperation {
  const mounts = reads.map((origin): RunMount => ({ type: "bind", target: "/mnt", origin, source: "", readOnly: true }));
  return { op: "run", args: [command], env: {}, cwd: "/", user: "", network: "default", security: "sandbox", documents: [], mounts };
}

/** A COPY, named by its target. */
function copy(target: string, change: Partial<CopyOperation> = {}): CopyOperation {
  return {
    op: "copy",
    origin: { from: "context" },
    words: [{ kind: "path", path: "a" }],
    documents: [],
    target,
    unpack: { local: false, remote: false },
    link: false,
    parents: false,
    exclude: [],
    ...change,
  };
}

const from = (stage: number): FileOrigin => ({ from: "stage", stage });

/** Stages whose steps count from 1 in their order, the FROM of each first. */
function stages(...all: readonly { readonly base?: StageWork["base"]; readonly steps: readonly Operation[] }[]): readonly StageWork[] {
  const instruction = parseDockerfile("FROM scratch\nRUN x\n", "Dockerfile").stages[0]?.instructions[0];
  if (instruction === undefined) throw new Error("nothing was parsed");
  let nextId = 1;
  const info = (title: string) => ({ id: nextId++, title, range: instruction.range });
  const state = stateOf({});
  return all.map(({ base = { kind: "scratch" }, steps }, index) => ({
    index,
    name: `s${index}`,
    base,
    baseLayers: [],
    needs: base.kind === "stage" ? [base.stage] : [],
    platform: amd64,
    basePlatform: amd64,
    fromInfo: info("FROM"),
    steps: steps.map((operation) => ({ instruction, operation })),
    infos: steps.map((operation) => info(operation.op)),
    state,
    baseHistory: [],
    history: [],
  }));
}

const nameOf = (operation: Operation): string =>
  operation.op === "run" ? operation.args[0] : operation.op === "copy" ? operation.target : "";

function layerOf(name: string): LayerInfo {
  const digest = digestOf(name);
  return { diffId: digest, contentId: digest, blob: { mediaType: "", digest, size: 0 } } as LayerInfo;
}

interface Fake extends Partial<Lookups> {
  /** Names of the operations that the store has a record of, on whatever is below them. */
  readonly recorded?: readonly string[];
  readonly unread?: readonly string[];
}

/** What was looked up, by name. */
async function predicted(plan: readonly StageWork[], { recorded = [], unread = [], ...own }: Fake) {
  const asked: string[] = [];
  const openLookups: OpenLookups = () => ({
    useCache: () => true,
    base: async () => noFiles,
    standsAlone: (operation) => operation.op === "copy" && operation.link,
    async step(_stage, { operation }) {
      const name = nameOf(operation);
      asked.push(name);
      if (unread.includes(name)) return { found: "unread" };
      return recorded.includes(name) ? { found: "layer", layer: layerOf(name) } : { found: "nothing" };
    },
    ...own,
  });
  return { steps: await predictSteps({ stages: plan }, openLookups), asked };
}

/** "2 runs(no-record)", "3 unknown(steps 2)": each step on a line. */
function lines(steps: readonly PredictedStep[]): string[] {
  return steps.map(({ id, status, reason, awaits }) => {
    const why = reason === undefined ? "" : `(${[reason, ...awaits].join(" ")})`;
    return `${id} ${status}${why}`;
  });
}

describe("what a build would do", () => {
  it.each<[name: string, plan: readonly StageWork[], fake: Fake, expected: readonly string[], asked?: readonly string[]]>([
    [
      "with everything recorded",
      stages({ steps: [copy("/a"), run("b")] }),
      { recorded: ["/a", "b"] },
      ["1 base", "2 cached", "3 cached"],
      ["/a", "b"],
    ],
    [
      "with nothing recorded: the first runs, the others hang on it",
      stages({ steps: [run("a"), run("b"), run("c")] }),
      {},
      ["1 base", "2 runs(no-record)", "3 unknown(steps 2)", "4 unknown(steps 2)"],
      ["a"],
    ],
    [
      "behind a miss nothing is looked up, though there may be records",
      stages({ steps: [run("a"), run("b"), run("c")] }),
      { recorded: ["a", "c"] },
      ["1 base", "2 cached", "3 runs(no-record)", "4 unknown(steps 3)"],
      ["a", "b"],
    ],
    [
      "in two stages that know nothing of each other",
      stages({ steps: [run("a")] }, { steps: [run("b")] }),
      { recorded: ["b"] },
      ["1 base", "2 runs(no-record)", "3 base", "4 cached"],
    ],
    [
      "in a stage on another",
      stages({ steps: [run("a")] }, { base: { kind: "stage", stage: 0 }, steps: [run("b")] }),
      {},
      ["1 base", "2 runs(no-record)", "3 base", "4 unknown(steps 2)"],
    ],
    [
      "in a stage on another that is cached",
      stages({ steps: [run("a")] }, { base: { kind: "stage", stage: 0 }, steps: [run("b")] }),
      { recorded: ["a"] },
      ["1 base", "2 cached", "3 base", "4 runs(no-record)"],
    ],
    [
      "with a COPY from a stage that runs, and a step behind it",
      stages({ steps: [run("a")] }, { steps: [run("b"), copy("/c", { origin: from(0) }), run("d")] }),
      { recorded: ["b"] },
      ["1 base", "2 runs(no-record)", "3 base", "4 cached", "5 unknown(steps 2)", "6 unknown(steps 2)"],
    ],
    [
      "with a mount of a stage that runs, behind a step that runs",
      stages({ steps: [run("a")] }, { steps: [run("b"), run("c", from(0))] }),
      {},
      ["1 base", "2 runs(no-record)", "3 base", "4 runs(no-record)", "5 unknown(steps 2 4)"],
    ],
    [
      "with a COPY --link behind a step that runs: it is known, what follows is not",
      stages({ steps: [run("a"), copy("/b", { link: true }), run("c")] }),
      { recorded: ["/b", "c"] },
      ["1 base", "2 runs(no-record)", "3 cached", "4 unknown(steps 2)"],
      ["a", "/b"],
    ],
    [
      "with a COPY --link that runs, behind a step that runs",
      stages({ steps: [run("a"), copy("/b", { link: true }), run("c")] }),
      {},
      ["1 base", "2 runs(no-record)", "3 runs(no-record)", "4 unknown(steps 2 3)"],
    ],
    [
      "without the cache: every step runs, whatever is below it",
      stages({ steps: [run("a"), run("b")] }),
      { recorded: ["a", "b"], useCache: () => false },
      ["1 base", "2 runs(no-cache)", "3 runs(no-cache)"],
      [],
    ],
    [
      "without the cache in one stage",
      stages({ steps: [run("a")] }, { steps: [copy("/b", { origin: from(0) })] }),
      { recorded: ["a", "/b"], useCache: ({ index }) => index !== 0 },
      ["1 base", "2 runs(no-cache)", "3 base", "4 unknown(steps 2)"],
    ],
    [
      "with sources in layers that are not here",
      stages({ steps: [copy("/a", { origin: { from: "image", image: "x" } }), run("b")] }),
      { unread: ["/a"] },
      ["1 base", "2 unknown(layers)", "3 unknown(steps 2)"],
    ],
    [
      "with the same RUN in two stages: a build runs one of them",
      stages({ steps: [run("a")] }, { steps: [run("a"), run("b")] }),
      {},
      ["1 base", "2 runs(no-record)", "3 base", "4 unknown(steps 2)", "5 unknown(steps 2)"],
    ],
    [
      "with the same RUN on two bases: both run",
      stages({ steps: [run("a")] }, { steps: [copy("/b"), run("a")] }),
      { recorded: ["/b"] },
      ["1 base", "2 runs(no-record)", "3 base", "4 cached", "5 runs(no-record)"],
    ],
    [
      "with a base of files that are to be copied first",
      stages({ base: { kind: "context", context: "files" }, steps: [run("a")] }),
      { base: async () => "nothing" },
      ["1 runs(no-record)", "2 unknown(steps 1)"],
    ],
    ["in a stage without steps", stages({ steps: [] }, { base: { kind: "stage", stage: 0 }, steps: [] }), {}, ["1 base", "2 base"]],
  ])("%s", async (_name, plan, fake, expected, looked) => {
    const { steps, asked } = await predicted(plan, fake);
    expect(lines(steps)).toEqual(expected);
    if (looked !== undefined) expect(asked).toEqual(looked);
  });

  it("says what each step needs: the one above it, and the ends of the stages that it reads", async () => {
    const plan = stages(
      { steps: [run("a"), run("b")] },
      { base: { kind: "stage", stage: 0 }, steps: [] },
      { steps: [copy("/c", { origin: from(0) }), run("d", from(1), from(0)), run("e")] },
    );
    const { steps } = await predicted(plan, {});
    expect(steps.map(({ id, needs }) => [id, ...needs])).toEqual([[1], [2, 1], [3, 2], [4, 3], [5], [6, 3, 5], [7, 3, 4, 6], [8, 7]]);
  });

  it("looks up on what the steps before come to", async () => {
    const below: Files[] = [];
    const plan = stages({ steps: [run("a"), run("b")] }, { steps: [copy("/c", { origin: from(0) })] });
    await predictSteps({ stages: plan }, (filesOf) => ({
      useCache: () => true,
      base: async () => noFiles,
      standsAlone: () => false,
      async step(_stage, { operation }, files) {
        if (files !== undefined) below.push(files);
        if (operation.op === "copy") below.push(filesOf(0));
        return { found: "layer", layer: layerOf(nameOf(operation)) };
      },
    }));
    const [a, b] = [layerOf("a"), layerOf("b")];
    expect(below.map(({ layers }) => layers)).toEqual([[], [a], [], [a, b]]);
    expect(new Set(below.map(({ chain }) => chain)).size).toBe(3);
  });

  it("fails as the lookup does", async () => {
    const plan = stages({ steps: [copy("/a")] });
    await expect(predicted(plan, { step: () => Promise.reject(new Error("no such file")) })).rejects.toThrow("no such file");
  });
});
