import { spawnSync } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { CHECKOUT } from "../support/cli.ts";
import { temporaryDirectory } from "../support/temporary.ts";

interface Counts {
  readonly passed: number;
  readonly skipped: number;
  readonly lines: readonly string[];
  readonly failures: readonly string[];
}

type Case = string | { readonly status: string; readonly meta?: object; readonly failureMessages?: readonly string[] };

const script = fileURLToPath(new URL("../../.scripts/test-report.mjs", import.meta.url));
interface Options {
  readonly ci: boolean;
  readonly lacking?: readonly string[];
}

const { readTestReport }: { readTestReport(report: string, options: Options): Counts } = await import(script);

const FILE = `${process.cwd()}/test/a.test.ts`;

function read(cases: readonly Case[], ci: boolean, fileStatus = "passed", lacking: readonly string[] = []): Counts {
  const report = join(temporaryDirectory("report"), "report.json");
  const assertionResults = cases.map((one, i) => ({
    fullName: `case ${i}`,
    meta: {},
    ...(typeof one === "string" ? { status: one } : one),
  }));
  writeFileSync(report, JSON.stringify({ testResults: [{ name: FILE, status: fileStatus, assertionResults }] }));
  return readTestReport(report, { ci, lacking });
}

const root = { "needs:root": { reason: "not root" } };
const cgroups = { "needs:cgroups": { reason: "no cgroup", missingInCi: "read-only there" } };
const skipped = (meta: object): Case => ({ status: "skipped", meta });

describe("the summary of a test run", () => {
  it.each<[name: string, counts: Counts, passed: number, failed: number, skipped: number]>([
    ["counts what passed and failed", read(["passed", "passed", "failed"], false, "failed"), 2, 1, 0],
    ["counts a file that could not be loaded", read([], false, "failed"), 0, 1, 0],
    ["accepts a declared skip", read(["passed", skipped(root)], false), 1, 0, 1],
    ["fails a skip that nothing declares", read(["passed", "pending"], false), 1, 1, 0],
    ["fails a skip that only another test of the file declares", read([skipped(root), "skipped"], false), 0, 1, 1],
    ["fails a skip whose meta says something else", read([skipped({ note: 1 })], false), 0, 1, 0],
    ["fails a declared skip in CI", read([skipped(root)], true), 0, 1, 0],
    ["accepts what CI machines cannot offer", read([skipped(cgroups)], true), 0, 0, 1],
    ["leaves out what the run is known to lack", read(["passed", skipped(root), skipped(cgroups)], true, "passed", ["root"]), 1, 0, 1],
    ["fails a todo", read(["todo"], false), 0, 1, 0],
  ])("%s", (_name, counts, passed, failed, skipped) => {
    expect([counts.passed, counts.failures.length, counts.skipped]).toEqual([passed, failed, skipped]);
  });

  it("prints each reason once, with how many tests it cost", () => {
    expect(read([skipped({ ...cgroups, ...root }), skipped(root)], false).lines).toEqual([
      "",
      "skipped for want of:",
      "  cgroups             1 tests  no cgroup; in CI too: read-only there",
      "  root                2 tests  not root",
    ]);
  });

  it("names what failed, with its errors, the middle of long ones left out", () => {
    const long = Array.from({ length: 100 }, (_, i) => `line ${i}`).join("\n");
    const [short, cut] = read(
      [
        { status: "failed", failureMessages: ["Error: no\n\n  at x"] },
        { status: "failed", failureMessages: [long] },
      ],
      false,
    ).failures;
    expect(short).toBe("test/a.test.ts: case 0\n    Error: no\n      at x");
    expect(cut?.split("\n")).toHaveLength(42);
    expect(cut).toMatch(/case 1\n {4}line 0\n.* line 19\n {4}\[…\]\n {4}line 80\n.* line 99$/s);
  });

  it("counts a run without a report as failed", () => {
    expect(readTestReport("/nonexistent/report.json", { ci: false }).failures).toEqual(["the test run left no report"]);
  });

  it("finds in vitest's own report what a test and the groups around it declared", () => {
    const directory = temporaryDirectory("vitest");
    symlinkSync(join(CHECKOUT, "node_modules"), join(directory, "node_modules"));
    const test = `import { describe, it } from "vitest";
describe("group", { skip: true, meta: ${JSON.stringify(root)} }, () => {
  it("in it", () => {});
  it("with an own need", { skip: true, meta: ${JSON.stringify(cgroups)} }, () => {});
});
describe("other", { meta: {} }, () => {
  it.each([1, 2])("row %i", { skip: true, meta: ${JSON.stringify(cgroups)} }, () => {});
  it.skip("bare", () => {});
  it("passes", () => {});
});
`;
    writeFileSync(join(directory, "some.test.js"), test);
    writeFileSync(join(directory, "vitest.config.js"), "export default { test: {} };\n");
    const vitest = join(CHECKOUT, "node_modules/vitest/vitest.mjs");
    const argv = [vitest, "run", "--root", directory, "--reporter=json", "--outputFile.json=report.json"];
    const { status, stderr } = spawnSync(process.execPath, argv, { cwd: directory, encoding: "utf8", env: { PATH: process.env.PATH } });
    expect(status, stderr).toBe(0);
    const { passed, failures, skipped, lines } = readTestReport(join(directory, "report.json"), { ci: false });
    expect([passed, skipped]).toEqual([1, 4]);
    expect(failures).toEqual([expect.stringMatching(/^skipped without a declared reason: .*some\.test\.js: other bare$/)]);
    expect(lines).toEqual([
      "",
      "skipped for want of:",
      "  cgroups             3 tests  no cgroup; in CI too: read-only there",
      "  root                2 tests  not root",
    ]);
  });
});
