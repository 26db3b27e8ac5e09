import { TsbuildError } from "../../store/errors.ts";
import type { Platform } from "../../store/oci.ts";
import { machinePlatform, platformOf, platformText } from "../../store/platform.ts";
import { isKnownArchitecture, isKnownSystem } from "./known-platform.ts";

/**
 * "linux/arm64/v8", "windows(10.0.20348)/amd64" → its parts, under the names that images use (normalizePlatform). A word alone is a system, with this machine's architecture, or an
 * architecture of Linux, as for containerd. Throws INVALID_PLATFORM.
 */
export function parsePlatform(text: string): Platform {
  const word = text.toLowerCase();
  if (isKnownSystem(word)) return normalizePlatform({ ...machinePlatform(), os: word });
  if (isKnownArchitecture(word) || Object.hasOwn(architectureAliases, word)) return normalizePlatform({ os: "linux", architecture: word });
  const [system = "", architecture, variant, ...rest] = text.split("/");
  const [, os, version] = /^([\w.-]+)(?:\(([\w.-]+)\))?$/.exec(system) ?? [];
  if (![os, architecture, variant ?? "v"].every((part) => part !== undefined && /^[\w.-]+$/.test(part)) || rest.length > 0) {
    throw new TsbuildError("INVALID_PLATFORM", `reading the platform "${text}": expected OS/ARCHITECTURE[/VARIANT]`, {
      hint: "for example linux/amd64",
    });
  }
  return normalizePlatform({
    os: os ?? "",
    architecture: architecture ?? "",
    ...(variant === undefined ? {} : { variant }),
    ...(version === undefined ? {} : { "os.version": version }),
  });
}

const architectureAliases: Readonly<Record<string, readonly [architecture: string, variant?: string]>> = {
  x86_64: ["amd64"],
  "x86-64": ["amd64"],
  i386: ["386"],
  aarch64: ["arm64"],
  armhf: ["arm", "v7"],
  armel: ["arm", "v6"],
};

/** One name for what has several: x86_64 is amd64, arm64/v8 is arm64, arm alone is arm/v7 (containerd's normalization, which image indexes use). */
export function normalizePlatform(platform: Platform): Platform {
  const os = platform.os.toLowerCase();
  const named = platform.architecture.toLowerCase();
  const [architecture, implied] = (Object.hasOwn(architectureAliases, named) ? architectureAliases[named] : undefined) ?? [named];
  const variant = normalizeVariant(architecture, implied ?? platform.variant?.toLowerCase());
  const { variant: _, ...rest } = platformOf(platform);
  return { ...rest, os: os === "macos" ? "darwin" : os, architecture, ...(variant === undefined ? {} : { variant }) };
}

function normalizeVariant(architecture: string, variant: string | undefined): string | undefined {
  const written = variant === "" ? undefined : variant;
  switch (architecture) {
    case "386":
      return undefined;
    case "amd64":
      return written === "v1" ? undefined : written;
    case "arm64":
      return written === "8" || written === "v8" ? undefined : written;
    case "arm":
      return written === undefined ? "v7" : /^\d$/.test(written) ? `v${written}` : written;
    default:
      return written;
  }
}

/**
 * The platform variables that exist without being declared (Dockerfile reference, "Automatic platform ARGs in the global scope"), with --build-arg over them.
 * `targetStage` is absent where several targets are built.
 */
export function platformArgs(
  target: Platform,
  build: Platform,
  targetStage: string | undefined,
  buildArgs: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const known = {
    BUILDPLATFORM: platformText(build),
    BUILDOS: build.os,
    BUILDOSVERSION: build["os.version"] ?? "",
    BUILDARCH: build.architecture,
    BUILDVARIANT: build.variant ?? "",
    TARGETPLATFORM: platformText(target),
    TARGETOS: target.os,
    TARGETOSVERSION: target["os.version"] ?? "",
    TARGETARCH: target.architecture,
    TARGETVARIANT: target.variant ?? "",
    ...(targetStage === undefined && !Object.hasOwn(buildArgs, "TARGETSTAGE") ? {} : { TARGETSTAGE: targetStage ?? "" }),
  };
  return Object.fromEntries(
    Object.entries(known).map(([name, value]) => [name, Object.hasOwn(buildArgs, name) ? (buildArgs[name] ?? "") : value]),
  );
}
