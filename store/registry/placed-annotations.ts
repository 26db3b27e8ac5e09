import { NotFoundError, TsbuildError } from "../errors.ts";
import type { Platform } from "../oci.ts";
import { platformMatch, platformOf, platformText } from "../platform.ts";

/** An annotation, and what of an image has it: the manifest, what the index says of the manifest, or the index itself. */
export interface PlacedAnnotation {
  readonly level: "manifest" | "manifest-descriptor" | "index";
  /** Of this one's manifest alone. Absent: of all. */
  readonly platform?: Platform;
  readonly key: string;
  readonly value: string;
}

const exactMatch = 100;

export function manifestAnnotations(annotations: Readonly<Record<string, string>>): readonly PlacedAnnotation[] {
  return Object.entries(annotations).map(([key, value]) => ({ level: "manifest", key, value }));
}

/** What goes to one place; later ones win. A manifest whose platform nobody says gets what is for all. */
export function annotationsAt(
  all: readonly PlacedAnnotation[],
  level: PlacedAnnotation["level"],
  platform?: Platform,
): Readonly<Record<string, string>> {
  const here = all.filter((one) => one.level === level && (one.platform === undefined || isSame(one.platform, platform)));
  return Object.fromEntries(here.map(({ key, value }) => [key, value]));
}

/** For an image without an index. Throws NotFoundError for what only an index has, PLATFORM_NOT_FOUND. */
export function checkWithoutIndex(all: readonly PlacedAnnotation[], platform: Platform, name: string): void {
  const indexed = all.find(({ level }) => level !== "manifest");
  if (indexed !== undefined) {
    throw new NotFoundError(`annotating ${name}: it goes without an index, which the level ${indexed.level} is for`, {
      hint: "leave the level out: the manifest is annotated",
    });
  }
  checkPlatforms(all, [platform], name);
}

/** Throws PLATFORM_NOT_FOUND for an annotation that would be nowhere. */
export function checkPlatforms(all: readonly PlacedAnnotation[], platforms: readonly (Platform | undefined)[], name: string): void {
  for (const { platform } of all) {
    if (platform === undefined || platforms.some((one) => isSame(platform, one))) continue;
    const text = platforms.map((one) => (one === undefined ? "an unknown platform" : platformText(platformOf(one)))).join(", ");
    throw new TsbuildError("PLATFORM_NOT_FOUND", `annotating ${name}: it is for ${text}, not ${platformText(platform)}`);
  }
}

function isSame(wanted: Platform, platform: Platform | undefined): boolean {
  return platform !== undefined && platformMatch(platform, wanted) === exactMatch;
}
