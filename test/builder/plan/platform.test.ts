import { describe, expect, it } from "vitest";
import { normalizePlatform, parsePlatform } from "../../../builder/plan/platform.ts";
import type { Platform } from "../../../store/oci.ts";
import { machinePlatform, platformText } from "../../../store/platform.ts";

describe("a platform's text", () => {
  it.each<[string, Platform, string]>([
    ["linux/x86_64", { os: "linux", architecture: "amd64" }, "linux/amd64"],
    ["linux/arm64/v8", { os: "linux", architecture: "arm64" }, "linux/arm64"],
    ["arm64", { os: "linux", architecture: "arm64" }, "linux/arm64"],
    ["AArch64", { os: "linux", architecture: "arm64" }, "linux/arm64"],
    ["windows", { ...machinePlatform(), os: "windows" }, `windows/${machinePlatform().architecture}`],
    ["linux/arm", { os: "linux", architecture: "arm", variant: "v7" }, "linux/arm/v7"],
    ["windows(10.0.20348)/amd64", { os: "windows", architecture: "amd64", "os.version": "10.0.20348" }, "windows(10.0.20348)/amd64"],
  ])("%s is read", (text, platform, again) => {
    expect(parsePlatform(text)).toEqual(platform);
    expect(platformText(parsePlatform(text))).toBe(again);
    expect(parsePlatform(again)).toEqual(platform);
  });

  it.each([
    "",
    "local",
    "arm65",
    "linux/",
    "windows()/amd64",
    "windows(10.0/amd64",
    "windows(1)(2)/amd64",
    "linux/amd64/v1/x",
    "l x/amd64",
  ])("%j is refused", (text) => {
    expect(() => parsePlatform(text)).toThrow(`reading the platform "${text}": expected OS/ARCHITECTURE[/VARIANT]`);
  });
});

it("keeps what Windows needs of a base's platform, and nothing else of its config", () => {
  const config = { os: "windows", architecture: "amd64", "os.version": "10.0.1", "os.features": ["win32k"], author: "me" };
  expect(normalizePlatform(config)).toEqual({ os: "windows", architecture: "amd64", "os.version": "10.0.1", "os.features": ["win32k"] });
});
