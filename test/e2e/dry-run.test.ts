import { appendFileSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { importBusybox } from "../support/bases.ts";
import { mustTsbuild, temporaryStore, tsbuild } from "../support/cli.ts";
import { contextDirectory } from "../support/context.ts";
import { needs } from "../support/needs.ts";
import { stepOutcomes } from "../support/progress.ts";

const store = temporaryStore();

const Dockerfile = `FROM busybox AS build
WORKDIR /src
COPY a .
RUN wc -c < a > size
FROM busybox
COPY --from=build /src/size /size
RUN --mount=type=bind,source=b,target=/b cat /b > /copied
`;

/** Lines of a plan, blanks at their ends aside. */
const lines = (stdout: string): string[] => stdout.trimEnd().split("\n");

describe("--dry-run", needs("sandbox"), () => {
  beforeAll(() => importBusybox({ store }));

  const build = (context: string, ...args: string[]) => mustTsbuild(["build", "--progress", "plain", ...args, context], { store });

  it("prints what a build would do, and does nothing", async () => {
    const context = contextDirectory({ Dockerfile, a: "a", b: "b" });
    const before = await mustTsbuild(["images", "--format", "json"], { store });
    const result = await tsbuild(["build", "-t", "dry", "--dry-run", context], { store });
    expect([result.code, result.stderr]).toEqual([0, ""]);
    expect(lines(result.stdout).slice(0, 8)).toEqual([
      "STEP  STATUS   INSTRUCTION                                                              NOTE",
      "#1    base     [build 1/4] FROM busybox AS build",
      "#2    runs     [build 2/4] WORKDIR /src                                                 no record of this step",
      "#3    unknown  [build 3/4] COPY a .                                                     depends on step 2",
      "#4    unknown  [build 4/4] RUN wc -c < a > size                                         depends on step 2",
      "#5    base     [stage-1 1/3] FROM busybox",
      "#6    unknown  [stage-1 2/3] COPY --from=build /src/size /size                          depends on step 2",
      "#7    unknown  [stage-1 3/3] RUN --mount=type=bind,source=b,target=/b cat /b > /copied  depends on step 2",
    ]);
    expect(lines(result.stdout).at(-1)).toBe("0 cached, 1 runs, 4 depend on what those come to, and may be cached");
    expect(await mustTsbuild(["images", "--format", "json"], { store })).toBe(before);
  });

  it("knows after a build that everything is cached, and what a change makes run", async () => {
    const context = contextDirectory({ Dockerfile, a: "a", b: "b" });
    await build(context);
    expect(lines(await build(context, "--dry-run")).at(-1)).toBe("5 cached, 0 run");
    appendFileSync(join(context, "b"), "changed");
    const changed = lines(await build(context, "--dry-run"));
    expect(changed.filter((line) => line.startsWith("#7"))).toEqual([expect.stringMatching(/^#7 +runs .* no record of this step$/)]);
    expect(changed.at(-1)).toBe("4 cached, 1 runs");
    appendFileSync(join(context, "a"), "more");
    expect(lines(await build(context, "--dry-run")).at(-1)).toBe("1 cached, 1 runs, 3 depend on what those come to, and may be cached");
  });

  it("says of a step behind one that comes to the same only that it may be cached", async () => {
    const context = contextDirectory({ Dockerfile: "FROM busybox\nCOPY a /a\nRUN true > /same\nRUN echo 1 > /one\n", a: "a" });
    await build(context);
    writeFileSync(join(context, "Dockerfile"), "FROM busybox\nCOPY a /a\nRUN :      > /same\nRUN echo 1 > /one\n");
    const dry = JSON.parse(await build(context, "--dry-run", "--format", "json"));
    expect(dry.steps.map(({ status, awaits }: { status: string; awaits: number[] }) => [status, ...awaits])).toEqual([
      ["base"],
      ["cached"],
      ["runs"],
      ["unknown", 3],
    ]);
    expect(dry.summary).toEqual({ cached: 1, runs: 1, unknown: 1 });
    const real = await tsbuild(["build", "--progress", "plain", context], { store });
    expect(stepOutcomes(real.stderr).map(([, outcome]) => outcome)).toEqual(["cached", "cached", "done", "cached"]);
  });

  it("fails as the build does, with its exit code", async () => {
    const context = contextDirectory({ Dockerfile: "FROM busybox\nCOPY missing /\n" });
    const result = await tsbuild(["build", "--dry-run", context], { store });
    expect([result.code, result.stdout]).toEqual([1, ""]);
    expect(result.stderr).toContain("[COPY_SOURCE_NOT_FOUND]");
  });

  it("prints nothing but the plan to standard output; warnings go to standard error", async () => {
    const context = contextDirectory({ Dockerfile: "FROM scratch\n" });
    const result = await tsbuild(["build", "--dry-run", "--format", "json", "--build-arg", "unused=1", context], { store });
    expect(result.code).toBe(0);
    expect(JSON.parse(result.stdout)).toMatchObject({ steps: [{ status: "base" }], summary: { cached: 0, runs: 0, unknown: 0 } });
    expect(result.stderr).toContain("build arguments that no ARG declares: unused");
  });

  it("writes neither a lock file nor the files of results", async () => {
    const context = contextDirectory({ Dockerfile: "FROM busybox\n" });
    const [lock, iid, meta] = ["a.lock", "iid", "meta"].map((name) => join(context, name)) as [string, string, string];
    await build(context, "--dry-run", "--lock", lock, "--iidfile", iid, "--metadata-file", meta);
    expect([lock, iid, meta].filter(existsSync)).toEqual([]);
    const locked = await tsbuild(["build", "--dry-run", "--locked", "--lock", lock, context], { store });
    expect([locked.code, locked.stdout]).toEqual([1, ""]);
    expect(locked.stderr).toContain("[NOT_LOCKED]");
  });
});
