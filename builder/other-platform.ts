import type { Platform } from "../store/oci.ts";
import { platformText } from "../store/platform.ts";
import { normalizePlatform } from "./plan/platform.ts";

/** What to say of an image that is there for one platform only, and for another one than is wanted; undefined where it fits. `config` is the image's. */
export function otherPlatform(name: string, config: Platform, wanted: Platform): string | undefined {
  const offered = normalizePlatform(config);
  if (offered.os === wanted.os && offered.architecture === wanted.architecture) return undefined;
  return `image "${name}" is for ${platformText(offered)}, and ${platformText(wanted)} is wanted`;
}
