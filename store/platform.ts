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

/** "linux/amd64", "linux/arm/v7". */
export function platformText({ os, architecture, variant }: Platform): string {
  return variant === undefined || variant === "" ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

/**
 * How well `offered` serves `wanted`; undefined when not at all. Larger is better: the exact variant first, then none named,
 * then older variants of arm, newest first (an arm/v7 machine runs v6 and v5). arm64 alone is v8.
 */
export function platformMatch(offered: Platform, wanted: Platform): number | undefined {
  if (offered.os !== wanted.os || offered.architecture !== wanted.architecture) return undefined;
  const have = variantNumber(offered);
  const want = variantNumber(wanted);
  if (have === want) return 100;
  if (have === undefined) return 50;
  if (want === undefined) return have < 10 ? 10 - have : undefined;
  return offered.architecture === "arm" && have < want ? have : undefined;
}

function variantNumber({ architecture, variant }: Platform): number | undefined {
  if (variant === undefined || variant === "") return architecture === "arm64" ? 8 : undefined;
  const digits = /^v([0-9]{1,2})$/.exec(variant)?.[1];
  return digits === undefined ? Number.NaN : Number(digits);
}

/** The best of them for a platform; of equal ones the first, as registries and other tools choose. */
export function bestForPlatform<T extends { readonly platform?: Platform | undefined }>(
  offers: readonly T[],
  wanted: Platform,
): T | undefined {
  let best: T | undefined;
  let bestMatch = 0;
  for (const offer of offers) {
    const match = offer.platform === undefined ? undefined : platformMatch(offer.platform, wanted);
    if (match !== undefined && match > bestMatch) {
      best = offer;
      bestMatch = match;
    }
  }
  return best;
}
