import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { temporaryDirectory } from "../support/temporary.ts";

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly lines: readonly string[];
}

const script = fileURLToPath(new URL("../../.scripts/test-report.mjs", import.meta.url));
const { readTestReport }: { readTestReport(report: string, skips: string, options: { ci: boolean }): Counts } = await import(script);

const FILE = `${process.cwd()}/test/a.test.ts`;

function read(statuses: readonly string[], skips: readonly object[], ci: boolean, fileStatus = "passed"): Counts {
  const directory = temporaryDirectory("report");
  const [report, skipsFile] = [join(directory, "report.json"), join(directory, "skips")];
  const assertionResults = statuses.map((status, i) => ({ status, fullName: `case ${i}` }));
  writeFileSync(report, JSON.stringify({ testResults: [{ name: FILE, status: fileStatus, assertionResults }] }));
  if (skips.length > 0) writeFileSync(skipsFile, skips.map((skip) => `${JSON.stringify(skip)}\n`).join(""));
  return readTestReport(report, skipsFile, { ci });
}

const root = { file: FILE, requirement: "root", reason: "not root" };
const cgroups = { file: FILE, requirement: "cgroups", reason: "no cgroup", missingInCi: "read-only there" };

describe("the summary of a test run", () => {
  it.each<[name: string, counts: Counts, passed: number, failed: number, skipped: number]>([
    ["counts what passed and failed", read(["passed", "passed", "failed"], [], false, "failed"), 2, 1, 0],
    ["counts a file that could not be loaded", read([], [], false, "failed"), 0, 1, 0],
    ["accepts a declared skip", read(["passed", "skipped"], [root, root], false), 1, 0, 1],
    ["fails a skip that nothing declares", read(["passed", "pending"], [], false), 1, 1, 0],
    ["fails a skip that another file declares", read(["skipped"], [{ ...root, file: "/elsewhere.test.ts" }], false), 0, 1, 0],
    ["fails a declared skip in CI", read(["skipped"], [root], true), 0, 1, 0],
    ["accepts what CI machines cannot offer", read(["skipped"], [cgroups], true), 0, 0, 1],
    ["fails a todo", read(["todo"], [], false), 0, 1, 0],
  ])("%s", (_name, counts, passed, failed, skipped) => {
    expect([counts.passed, counts.failed, counts.skipped]).toEqual([passed, failed, skipped]);
  });

  it("prints each reason once, with how many tests it cost", () => {
    expect(read(["skipped", "skipped"], [cgroups, root], false).lines).toEqual([
      "",
      "skipped for want of:",
      "  cgroups             2 tests  no cgroup; in CI too: read-only there",
      "  root                2 tests  not root",
    ]);
  });

  it("counts a run without a report as failed", () => {
    expect(readTestReport("/nonexistent/report.json", "/nonexistent/skips", { ci: false }).failed).toBe(1);
  });
});
