import { TsbuildError } from "../store/errors.ts";
import type { Platform } from "../store/oci.ts";
import { platformText } from "../store/platform.ts";
import type { BuildOptions } from "./options.ts";
import { parsePlatform } from "./plan/platform.ts";

/** Each once, whatever it was called, in the order given; none where none was. Throws INVALID_PLATFORM. */
export function platformsOf(given: BuildOptions["platform"]): readonly Platform[] {
  const texts = given === undefined ? [] : typeof given === "string" ? [given] : given;
  return [...new Map(texts.map(parsePlatform).map((platform) => [platformText(platform), platform])).values()];
}

/** Of what is done for one platform; `doing` begins the message. */
export function severalPlatforms(platforms: readonly Platform[], doing: string): TsbuildError {
  const names = platforms.map(platformText);
  return new TsbuildError("SEVERAL_PLATFORMS", `${doing}: that is done for one platform, and here are ${names.join(", ")}`, {
    hint: `choose one: --platform ${names[0]}`,
  });
}
