import { describe, expect, it } from "vitest";
import type { Platform } from "../../store/oci.ts";
import { bestForPlatform, machinePlatform, platformMatch, platformText } from "../../store/platform.ts";

const parse = (text: string) => {
  const [os = "", architecture = "", variant] = text.split("/");
  return { os, architecture, ...(variant !== undefined && { variant }) };
};

describe("bestForPlatform", () => {
  it.each<[name: string, wanted: string, offers: string[], best: string | undefined]>([
    ["the one architecture", "linux/amd64", ["linux/arm64", "linux/amd64"], "linux/amd64"],
    ["no other system", "linux/amd64", ["windows/amd64"], undefined],
    ["the plain form before a newer variant", "linux/amd64", ["linux/amd64/v3", "linux/amd64"], "linux/amd64"],
    ["a variant when nothing else is there", "linux/amd64", ["linux/amd64/v2"], "linux/amd64/v2"],
    ["arm64 is arm64/v8", "linux/arm64", ["linux/arm64/v8"], "linux/arm64/v8"],
    ["arm64/v8 is arm64", "linux/arm64/v8", ["linux/arm64"], "linux/arm64"],
    ["the exact arm variant", "linux/arm/v7", ["linux/arm/v5", "linux/arm/v7", "linux/arm/v6"], "linux/arm/v7"],
    ["the newest older arm variant", "linux/arm/v7", ["linux/arm/v5", "linux/arm/v6"], "linux/arm/v6"],
    ["never a newer arm variant", "linux/arm/v6", ["linux/arm/v7"], undefined],
    ["nothing of nothing", "linux/amd64", [], undefined],
  ])("takes %s", (_, wanted, offers, best) => {
    const found = bestForPlatform(
      offers.map((text) => ({ platform: parse(text) })),
      parse(wanted),
    );
    expect(found && platformText(found.platform)).toBe(best);
  });

  it("takes the first of equals, and none without a platform", () => {
    const first = { platform: parse("linux/amd64"), id: 1 };
    expect(
      bestForPlatform<{ platform?: Platform; id: number }>(
        [{ id: 0 }, first, { platform: parse("linux/amd64"), id: 2 }],
        parse("linux/amd64"),
      ),
    ).toBe(first);
  });
});

it("names this machine as images do", () => {
  const { os, architecture } = machinePlatform();
  expect(os).toBe("linux");
  expect(["amd64", "arm64", "arm", "386", "ppc64le", "s390x", "riscv64", "loong64"]).toContain(architecture);
  expect(platformMatch(machinePlatform(), machinePlatform())).toBe(100);
});
