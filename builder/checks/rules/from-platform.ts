import { platformText } from "../../../store/platform.ts";
import { normalizePlatform, parsePlatform } from "../../plan/platform.ts";
import { tolerant } from "../checked-file.ts";
import type { Rule } from "../rule.ts";
import { at, quoted, shown } from "../rule.ts";

const targetPlatform = "TARGETPLATFORM";

export const redundantTargetPlatform: Rule = {
  name: "RedundantTargetPlatform",
  description: "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
  page: {
    why: "A base image is taken for the target platform unless FROM says otherwise.",
    bad: "FROM --platform=$TARGETPLATFORM alpine AS builder",
    good: "FROM alpine AS builder",
  },
  *file({ froms, globals }) {
    for (const { stage, platform } of froms) {
      if (platform?.used.length !== 1 || platform.used[0] !== targetPlatform || platform.unset.length > 0) continue;
      if (platform.text !== globals.variables.get(targetPlatform)) continue;
      const written = shown(stage.from.platform ?? "");
      yield at(stage.from, `Setting platform to predefined ${written} in FROM is redundant as this is the default behavior`);
    }
  },
};

export const fromPlatformFlagConstDisallowed: Rule = {
  name: "FromPlatformFlagConstDisallowed",
  description: "FROM --platform flag should not use a constant value",
  page: {
    why: "A stage with a fixed platform builds the same thing whatever --platform asks for. Where that is meant, name the platform's system or architecture in the stage's name, and the rule keeps silent.",
    bad: "FROM --platform=linux/amd64 alpine AS base",
    good: "FROM --platform=$BUILDPLATFORM alpine AS base\n\n# or\nFROM --platform=linux/amd64 alpine AS build_amd64",
  },
  *file({ froms }) {
    for (const { stage, platform } of froms) {
      if (platform === undefined || stage.from.platform?.includes("$")) continue;
      const parsed = tolerant(() => parsePlatform(platform.text));
      const name = stage.from.stage?.toLowerCase() ?? "";
      if (parsed === undefined || name.includes(parsed.os) || name.includes(parsed.architecture)) continue;
      yield at(stage.from, `FROM --platform flag should not use constant value ${quoted(platform.text)}`);
    }
  },
};

export const invalidBaseImagePlatform: Rule = {
  name: "InvalidBaseImagePlatform",
  description: "Base image platform does not match expected target platform",
  page: {
    why: "The base image is for another system or processor than the build. Its programs may not run, and the image is not for what was asked.",
    bad: "# tsbuild --platform=linux/arm64\nFROM registry.example/app-amd64",
    good: "# tsbuild --platform=linux/arm64\nFROM registry.example/app",
  },
  *stage({ from, planned: { base }, baseConfig, platform }) {
    if (base.kind !== "image" || baseConfig === undefined) return;
    const expected = normalizePlatform(platform);
    const actual = normalizePlatform(baseConfig);
    if (expected.os === actual.os && expected.architecture === actual.architecture) return;
    const [pulled, wanted] = [platformText(actual), platformText(expected)].map(quoted);
    yield at(from, `Base image ${shown(base.image)} was pulled with platform ${pulled}, expected ${wanted} for current build`);
  },
};
