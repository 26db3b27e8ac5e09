import type { Platform } from "../../store/oci.ts";
import { parsePlatform } from "../plan/platform.ts";
import type { FlagTable } from "./flags.ts";
import { readPlatform } from "./values.ts";

/** On commands that look at one image of several platforms. */
export const platformFlags = {
  platform: { value: "OS/ARCH", help: "Of an image for several platforms this one (this machine's)" },
} as const satisfies FlagTable;

export function platformOfFlag(flags: { readonly platform?: string }): Platform | undefined {
  return flags.platform === undefined ? undefined : parsePlatform(readPlatform("--platform", flags.platform));
}
