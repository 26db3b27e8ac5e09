import { describe, expect, it, vi } from "vitest";
import { needs } from "./needs.ts";

vi.mock("./requirements.ts", () => ({
  REQUIREMENTS: {
    root: { reason: "not root", holds: () => false },
    cgroups: { reason: "no cgroup", missingInCi: "read-only there", holds: () => false },
    attr: { reason: "no getfattr", holds: () => true },
  },
}));

describe("needs", () => {
  it("skips, and declares each missing requirement", () => {
    expect(needs("attr", "root", "cgroups")).toEqual({
      skip: true,
      meta: { "needs:root": { reason: "not root" }, "needs:cgroups": { reason: "no cgroup", missingInCi: "read-only there" } },
    });
  });

  it("skips nothing where everything is there", () => {
    expect(needs("attr")).toStrictEqual({ meta: {} });
  });
});
