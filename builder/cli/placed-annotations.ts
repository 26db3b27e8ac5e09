import type { PlacedAnnotation } from "../../store/registry/placed-annotations.ts";
import { parsePlatform } from "../plan/platform.ts";
import { UsageError } from "./usage-error.ts";
import { readAnnotations, readPlatform } from "./values.ts";

const level = "(?:index|manifest)(?:-descriptor)?(?:\\[[^\\]]*\\])?";
const levels = new RegExp(`^(${level}(?:,${level})*):`);

/** A level as it was written. */
export interface WrittenLevel {
  readonly level: "index" | "index-descriptor" | "manifest" | "manifest-descriptor";
  readonly platform: string | undefined;
}

/** Of "manifest:KEY=VALUE", "index,manifest[linux/amd64]:KEY=VALUE" what stands before the colon, as buildx has it; where nothing does, the manifest is meant. */
export function levelsOf(word: string): readonly WrittenLevel[] {
  const written = levels.exec(word)?.[1];
  if (written === undefined) return [{ level: "manifest", platform: undefined }];
  return [...written.matchAll(/([a-z-]+)(?:\[([^\]]*)\])?(?:,|$)/g)].map(([, name, platform]) => ({
    level: name as WrittenLevel["level"],
    platform,
  }));
}

/** What stands behind it. */
export function withoutLevels(word: string): string {
  return word.replace(levels, "");
}

/** All values of --annotation. Throws UsageError. */
export function readPlacedAnnotations(words: readonly string[]): readonly PlacedAnnotation[] {
  return words.flatMap((word) => {
    const pairs = Object.entries(readAnnotations([withoutLevels(word)]));
    return levelsOf(word).flatMap((place) => pairs.map(([key, value]) => ({ ...placeOf(place, word), key, value })));
  });
}

function placeOf({ level, platform }: WrittenLevel, word: string): Pick<PlacedAnnotation, "level" | "platform"> {
  if (level === "index-descriptor") {
    throw new UsageError(
      "UNSUPPORTED_VALUE",
      `reading --annotation: "${word}": a registry has no list that could say anything of the index`,
      {
        hint: "the levels are manifest, manifest-descriptor and index",
      },
    );
  }
  if (platform === undefined) return { level };
  if (level === "index") throw new UsageError("INVALID_VALUE", `reading --annotation: "${word}": the index is for all platforms`);
  return { level, platform: parsePlatform(readPlatform("--annotation", platform)) };
}
