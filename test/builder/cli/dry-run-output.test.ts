import { describe, expect, it } from "vitest";
import { formatDryRun } from "../../../builder/cli/dry-run-output.ts";
import type { DryRun, DryRunStep } from "../../../builder/dry-run.ts";

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const place = (line: number) => ({ line, column: 1, offset: 0 }) as DryRunStep["range"]["start"];
const at = (line: number): DryRunStep["range"] => ({ start: place(line), end: place(line) });

const steps: readonly DryRunStep[] = [
  { id: 1, title: "[1/5] FROM debian", range: at(1), instruction: "FROM", operation: "from", needs: [], status: "base", awaits: [] },
  {
    id: 2,
    title: "[2/5] WORKDIR /a",
    range: at(2),
    instruction: "WORKDIR",
    operation: "workdir",
    needs: [1],
    status: "cached",
    awaits: [],
  },
  {
    id: 3,
    title: "[3/5] COPY . .",
    range: at(3),
    instruction: "COPY",
    operation: "copy",
    needs: [2],
    status: "runs",
    reason: "no-record",
    awaits: [],
  },
  {
    id: 4,
    title: "[4/5] RUN make",
    range: at(4),
    instruction: "RUN",
    operation: "run",
    needs: [3],
    status: "unknown",
    reason: "steps",
    awaits: [3],
  },
];

const dryRun: DryRun = {
  steps,
  images: [
    { name: "debian", platform: "linux/amd64", digest: digest("1"), missingLayers: 1, missingBytes: 48_500_000 },
    { name: "busybox", platform: "linux/amd64", digest: digest("2"), missingLayers: 0, missingBytes: 0 },
  ],
  git: [{ remote: "https://host/lib.git", ref: "main", commit: "a".repeat(40) }],
  http: [{ url: "https://host/tool.tgz", digest: digest("3") }],
};

const bare: DryRun = { steps: [], images: [], git: [], http: [] };

/** The note of a step, and the last line. */
function texts(...changes: readonly Partial<DryRunStep>[]): { readonly notes: string[]; readonly summary: string } {
  const lines = formatDryRun({ ...bare, steps: changes.map((change) => ({ ...steps[0], ...change }) as DryRunStep) }, "table")
    .trimEnd()
    .split("\n");
  return { notes: lines.slice(1, 1 + changes.length).map((line) => line.split(/ {2,}/)[3] ?? ""), summary: lines.at(-1) ?? "" };
}

describe("a dry run as text", () => {
  it("has steps, what comes from elsewhere, and a summary", () => {
    expect(formatDryRun(dryRun, "table")).toBe(`STEP  STATUS   INSTRUCTION        NOTE
#1    base     [1/5] FROM debian
#2    cached   [2/5] WORKDIR /a
#3    runs     [3/5] COPY . .     no record of this step
#4    unknown  [4/5] RUN make     depends on step 3

IMAGE    PLATFORM     DIGEST                                                                   NOT IN THE STORE
debian   linux/amd64  ${digest("1")}  1 layer, 48.5 MB
busybox  linux/amd64  ${digest("2")}

REPOSITORY            REF   COMMIT
https://host/lib.git  main  ${"a".repeat(40)}

FILE                   DIGEST
https://host/tool.tgz  ${digest("3")}

1 cached, 1 runs, 1 depends on what those come to, and may be cached
`);
  });

  it.each<[name: string, step: Partial<DryRunStep>, note: string]>([
    ["the cache is not used", { status: "runs", reason: "no-cache" }, "records are not used (--no-cache)"],
    ["layers are not here", { status: "unknown", reason: "layers" }, "depends on layers that are not in the store"],
    ["several steps run", { status: "unknown", reason: "steps", awaits: [2, 5] }, "depends on steps 2, 5"],
    ["many steps run", { status: "unknown", reason: "steps", awaits: [2, 5, 7, 9, 11] }, "depends on steps 2, 5, 7 and 2 more"],
  ])("says that %s", (_name, step, note) => {
    expect(texts(step).notes).toEqual([note]);
  });

  it.each<[steps: readonly Partial<DryRunStep>[], summary: string]>([
    [[], "0 cached, 0 run"],
    [[{ status: "cached" }, { status: "cached" }], "2 cached, 0 run"],
    [
      [{ status: "runs" }, { status: "runs" }, { status: "unknown", reason: "steps" }],
      "0 cached, 2 run, 1 depends on what those come to, and may be cached",
    ],
    [
      [
        { status: "unknown", reason: "layers" },
        { status: "unknown", reason: "steps" },
        { status: "unknown", reason: "steps" },
      ],
      "0 cached, 0 run, 1 not known without fetching layers, 2 depend on what those come to, and may be cached",
    ],
  ])("sums %j up", (changes, summary) => {
    expect(texts(...changes).summary).toBe(summary);
  });

  it("cannot be made to control the terminal by a Dockerfile", () => {
    const text = formatDryRun(
      { ...dryRun, steps: steps.map((step) => ({ ...step, title: "RUN \u001b[2J\u202eecho\r\n#9 cached" })) },
      "table",
    );
    expect(text).toMatch(/^[\x20-\x7e\n]*$/);
    expect(text.split("\n").filter((line) => line.startsWith("#9"))).toEqual([]);
  });
});

describe("a dry run as JSON", () => {
  it("has the documented fields", () => {
    expect(JSON.parse(formatDryRun(dryRun, "json"))).toEqual({
      steps: [
        {
          id: 1,
          title: "[1/5] FROM debian",
          line: 1,
          endLine: 1,
          instruction: "FROM",
          operation: "from",
          needs: [],
          status: "base",
          awaits: [],
        },
        {
          id: 2,
          title: "[2/5] WORKDIR /a",
          line: 2,
          endLine: 2,
          instruction: "WORKDIR",
          operation: "workdir",
          needs: [1],
          status: "cached",
          awaits: [],
        },
        {
          id: 3,
          title: "[3/5] COPY . .",
          line: 3,
          endLine: 3,
          instruction: "COPY",
          operation: "copy",
          needs: [2],
          status: "runs",
          reason: "no-record",
          awaits: [],
        },
        {
          id: 4,
          title: "[4/5] RUN make",
          line: 4,
          endLine: 4,
          instruction: "RUN",
          operation: "run",
          needs: [3],
          status: "unknown",
          reason: "steps",
          awaits: [3],
        },
      ],
      summary: { cached: 1, runs: 1, unknown: 1 },
      images: dryRun.images,
      git: dryRun.git,
      http: dryRun.http,
    });
  });
});
