import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { needs, testFileOf } from "./needs.ts";
import { temporaryDirectory } from "./temporary.ts";

vi.mock("./requirements.ts", () => ({
  REQUIREMENTS: {
    root: { reason: "not root", holds: () => false },
    cgroups: { reason: "no cgroup", missingInCi: "read-only there", holds: () => false },
    attr: { reason: "no getfattr", holds: () => true },
  },
}));

afterEach(() => vi.unstubAllEnvs());

describe("needs", () => {
  it("declares each missing requirement with the test file that asked", () => {
    const file = join(temporaryDirectory(), "skips");
    vi.stubEnv("TSBUILD_SKIPS_FILE", file);
    expect(needs("attr", "root", "cgroups")).toEqual({ skip: true, reason: "not root; no cgroup" });
    const lines = readFileSync(file, "utf8").trim().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { file: import.meta.filename, requirement: "root", reason: "not root" },
      { file: import.meta.filename, requirement: "cgroups", reason: "no cgroup", missingInCi: "read-only there" },
    ]);
  });

  it("skips nothing where everything is there", () => {
    vi.stubEnv("TSBUILD_SKIPS_FILE", "/nonexistent/never-written");
    expect(needs("attr")).toEqual({ skip: false, reason: "" });
  });

  it("finds the test file on a stack of file URLs and of paths", () => {
    expect(testFileOf("Error\n at needs (/x/test/support/needs.ts:3:1)\n at /x/test/a/b.test.ts:12:3")).toBe("/x/test/a/b.test.ts");
    expect(testFileOf("Error\n at file:///x/test/c.test.ts:1:1")).toBe("/x/test/c.test.ts");
    expect(testFileOf("Error\n at /x/other.ts:1:1")).toBe("");
  });
});
