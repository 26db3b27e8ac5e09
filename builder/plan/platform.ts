import { TsbuildError } from "../../store/errors.ts";
import type { Platform } from "../../store/oci.ts";
import { platformText } from "../../store/platform.ts";

/** "linux/arm64/v8" → its parts. Throws INVALID_PLATFORM. */
export function parsePlatform(text: string): Platform {
  const [os, architecture, variant, ...rest] = text.split("/");
  if (!os || !architecture || rest.length > 0 || variant === "") {
    throw new TsbuildError("INVALID_PLATFORM", `reading the platform "${text}": expected OS/ARCHITECTURE[/VARIANT]`, {
      hint: "for example linux/amd64",
    });
  }
  return variant === undefined ? { os, architecture } : { os, architecture, variant };
}

/** The platform variables that exist without being declared (Dockerfile reference, "Automatic platform ARGs in the global scope"). */
export function platformArgs(target: Platform, build: Platform, targetStage: string): Readonly<Record<string, string>> {
  return {
    TARGETPLATFORM: platformText(target),
    TARGETOS: target.os,
    TARGETARCH: target.architecture,
    TARGETVARIANT: target.variant ?? "",
    BUILDPLATFORM: platformText(build),
    BUILDOS: build.os,
    BUILDARCH: build.architecture,
    BUILDVARIANT: build.variant ?? "",
    TARGETSTAGE: targetStage,
  };
}
