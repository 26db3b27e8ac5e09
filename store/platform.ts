import { arch } from "node:process";
import type { Platform } from "./oci.ts";

// GOARCH of Node's process.arch: the values that OCI images use.
const architectures: Readonly<Record<string, Platform>> = {
  x64: { os: "linux", architecture: "amd64" },
  arm64: { os: "linux", architecture: "arm64" },
  arm: { os: "linux", architecture: "arm", variant: "v7" },
  ia32: { os: "linux", architecture: "386" },
  ppc64: { os: "linux", architecture: "ppc64le" },
  s390x: { os: "linux", architecture: "s390x" },
  riscv64: { os: "linux", architecture: "riscv64" },
  loong64: { os: "linux", architecture: "loong64" },
};

/** The platform that this machine runs. */
export function machinePlatform(): Platform {
  return architectures[arch] ?? { os: "linux", architecture: arch };
}

/** The platform alone of what has one: an image's config. */
export function platformOf({ os, architecture, variant, "os.version": version, "os.features": features }: Platform): Platform {
  return {
    os,
    architecture,
    ...(variant && { variant }),
    ...(version && { "os.version": version }),
    ...(features && features.length > 0 && { "os.features": features }),
  };
}

/** "linux/amd64", "linux/arm/v7", "windows(10.0.20348.2159+win32k)/amd64". */
export function platformText({ os, architecture, variant, "os.version": version, "os.features": features }: Platform): string {
  const system = [version, ...(features ?? [])].filter((part) => part).join("+");
  return [system === "" ? os : `${os}(${system})`, architecture, variant].filter((part) => part).join("/");
}

/** Architectures whose newer variants run what was made for older ones. */
const upwards: readonly string[] = ["amd64", "arm", "arm64"];

/**
 * How well `offered` serves `wanted`; undefined when not at all. Larger is better: the exact variant first, then none named, then older variants,
 * newest first (an arm/v7 machine runs v6 and v5, an amd64/v3 one v2 and v1). amd64 alone is v1, arm64 alone v8. Where no variant is wanted the
 * oldest that there is comes last. All features that an offer needs must be wanted. Windows images are bound to the build of the system: of two
 * versions the first three numbers must agree.
 */
export function platformMatch(offered: Platform, wanted: Platform): number | undefined {
  if (offered.os !== wanted.os || offered.architecture !== wanted.architecture) return undefined;
  const features = wanted["os.features"] ?? [];
  if (offered["os.features"]?.some((feature) => !features.includes(feature))) return undefined;
  if (offered.os === "windows" && !isSameBuild(offered, wanted)) return undefined;
  const have = variantNumber(offered);
  const want = variantNumber(wanted);
  if (have === want || offered.variant === wanted.variant) return 100;
  if (have === undefined) return 50;
  // What variant this machine has nobody asked: it may well run a newer one.
  if (want === undefined || (wanted.architecture === "amd64" && !wanted.variant)) return have < 10 ? 10 - have : undefined;
  return upwards.includes(offered.architecture) && have < want ? have : undefined;
}

function variantNumber({ architecture, variant }: Platform): number | undefined {
  if (variant === undefined || variant === "") return architecture === "arm64" ? 8 : architecture === "amd64" ? 1 : undefined;
  const digits = /^v([0-9]{1,2})$/.exec(variant)?.[1];
  return digits === undefined ? Number.NaN : Number(digits);
}

/** Whether two versions of Windows are one for images, as far as both are known. */
function isSameBuild({ "os.version": a }: Platform, { "os.version": b }: Platform): boolean {
  return !a || !b || a.split(".").slice(0, 3).join(".") === b.split(".").slice(0, 3).join(".");
}

/** The best of them for a platform; of equal ones the first, as registries and other tools choose, but of Windows the newest version. */
export function bestForPlatform<T extends { readonly platform?: Platform | undefined }>(
  offers: readonly T[],
  wanted: Platform,
): T | undefined {
  let best: T | undefined;
  let bestMatch = 0;
  for (const offer of offers) {
    const match = offer.platform === undefined ? undefined : platformMatch(offer.platform, wanted);
    if (match === undefined || match < bestMatch || (match === bestMatch && !isNewer(offer.platform, best?.platform))) continue;
    best = offer;
    bestMatch = match;
  }
  return best;
}

function isNewer(a: Platform | undefined, b: Platform | undefined): boolean {
  if (a?.os !== "windows") return false;
  const [ours, theirs] = [a, b].map((platform) => (platform?.["os.version"] ?? "").split(".").map(Number));
  for (let i = 0; i < 4; i++) {
    const difference = (ours?.[i] || 0) - (theirs?.[i] || 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}
