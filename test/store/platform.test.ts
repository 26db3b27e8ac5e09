import { describe, expect, it } from "vitest";
import type { Platform } from "../../store/oci.ts";
import { bestForPlatform, machinePlatform, platformMatch, platformOf, platformText } from "../../store/platform.ts";

/** "windows(10.0.1+feature)/amd64": as platformText writes them. */
const parse = (text: string): Platform => {
  const [system = "", architecture = "", variant] = text.split("/");
  const [, os = "", version, feature] = /^([a-z0-9]+)(?:\(([0-9.]*)\+?([a-z0-9]*)\))?$/.exec(system) ?? [];
  return {
    os,
    architecture,
    ...(variant !== undefined && { variant }),
    ...(version && { "os.version": version }),
    ...(feature && { "os.features": [feature] }),
  };
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
    ["amd64/v1 as amd64", "linux/amd64", ["linux/amd64/v2", "linux/amd64/v1"], "linux/amd64/v1"],
    ["amd64 as amd64/v1", "linux/amd64/v1", ["linux/amd64"], "linux/amd64"],
    ["the exact amd64 variant", "linux/amd64/v3", ["linux/amd64", "linux/amd64/v4", "linux/amd64/v3", "linux/amd64/v2"], "linux/amd64/v3"],
    ["the newest older amd64 variant", "linux/amd64/v3", ["linux/amd64", "linux/amd64/v2"], "linux/amd64/v2"],
    ["amd64 where no older variant is there", "linux/amd64/v4", ["linux/amd64/v5", "linux/amd64"], "linux/amd64"],
    ["never a newer amd64 variant than was asked for", "linux/amd64/v2", ["linux/amd64/v3"], undefined],
    ["arm64 for arm64/v9", "linux/arm64/v9", ["linux/arm64"], "linux/arm64"],
    ["never arm64/v9 for arm64", "linux/arm64", ["linux/arm64/v9"], undefined],
    ["a variant without a number when it is the same", "linux/mips/r6", ["linux/mips/r2", "linux/mips/r6"], "linux/mips/r6"],
    ["no other architecture", "linux/arm64", ["linux/arm/v7"], undefined],
    [
      "the newest Windows",
      "windows/amd64",
      ["windows(10.0.17763.1)/amd64", "windows(10.0.20348.9)/amd64", "windows(10.0.9999.1)/amd64"],
      "windows(10.0.20348.9)/amd64",
    ],
    [
      "the newest revision of one build of Windows",
      "windows(10.0.17763.7)/amd64",
      ["windows(10.0.17763.99)/amd64", "windows(10.0.17763.100)/amd64", "windows(10.0.20348.1)/amd64"],
      "windows(10.0.17763.100)/amd64",
    ],
    ["no other build of Windows", "windows(10.0.17763)/amd64", ["windows(10.0.20348.1)/amd64"], undefined],
    ["Windows of no version where one is wanted", "windows(10.0.17763)/amd64", ["windows/amd64"], "windows/amd64"],
    [
      "no offer that needs a feature nobody wants",
      "windows/amd64",
      ["windows(+win32k)/amd64", "windows(10.0.1)/amd64"],
      "windows(10.0.1)/amd64",
    ],
    ["an offer whose features are wanted", "windows(+win32k)/amd64", ["windows(+win32k)/amd64"], "windows(win32k)/amd64"],
    ["Linux whatever its version", "linux/amd64", ["linux(6.1)/amd64", "linux(6.9)/amd64"], "linux(6.1)/amd64"],
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

it("tells the platform of what has one", () => {
  const config = { ...parse("windows(10.0.1+win32k)/amd64/v2"), rootfs: {}, author: "me" };
  expect(platformOf(config)).toEqual(parse("windows(10.0.1+win32k)/amd64/v2"));
  expect(platformOf({ os: "linux", architecture: "arm64", variant: "", "os.features": [] })).toEqual({
    os: "linux",
    architecture: "arm64",
  });
});

it("names this machine as images do", () => {
  const { os, architecture } = machinePlatform();
  expect(os).toBe("linux");
  expect(["amd64", "arm64", "arm", "386", "ppc64le", "s390x", "riscv64", "loong64"]).toContain(architecture);
  expect(platformMatch(machinePlatform(), machinePlatform())).toBe(100);
});
