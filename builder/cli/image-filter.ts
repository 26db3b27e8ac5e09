import { bytesOf } from "../../runtime-addon/index.ts";
import type { ImageStore, ImageSummary } from "../../store/images.ts";
import { checkPattern, compilePattern } from "../context/pattern.ts";
import { UsageError } from "./usage-error.ts";

/** Whether an image is to be listed. */
export type ImageFilter = (image: ImageSummary) => boolean;

const forms = "dangling=true|false, label=KEY[=VALUE], reference=PATTERN, before=IMAGE or since=IMAGE";

/**
 * What `docker images --filter` knows: several filters of one kind mean any of them, of different kinds all of them; labels must all be there. Throws INVALID_VALUE,
 * and for before= and since= what ImageStore.open throws.
 */
export async function imageFilter(words: readonly string[], images: ImageStore): Promise<ImageFilter> {
  const kinds = new Map<string, ImageFilter[]>();
  for (const word of words) {
    const at = word.indexOf("=");
    const key = word.slice(0, Math.max(at, 0));
    const filters = kinds.get(key) ?? [];
    kinds.set(key, filters);
    filters.push(await oneFilter(word, key, word.slice(at + 1), images));
  }
  return (image) =>
    [...kinds].every(([key, filters]) =>
      key === "label" ? filters.every((passes) => passes(image)) : filters.some((passes) => passes(image)),
    );
}

async function oneFilter(word: string, key: string, value: string, images: ImageStore): Promise<ImageFilter> {
  switch (key) {
    case "dangling": {
      if (value !== "true" && value !== "false") throw invalid(word);
      return ({ names, digestNames }) => (names.length + digestNames.length === 0) === (value === "true");
    }
    case "label": {
      const at = value.indexOf("=");
      if (at < 0) return ({ labels }) => Object.hasOwn(labels, value);
      return ({ labels }) => Object.hasOwn(labels, value.slice(0, at)) && labels[value.slice(0, at)] === value.slice(at + 1);
    }
    case "reference":
      return nameFilter(word, value);
    case "before":
    case "since": {
      const limit = Date.parse((await images.open(value)).config.created ?? "");
      return ({ created }) => {
        const timeMs = Date.parse(created ?? "");
        return key === "before" ? timeMs < limit : timeMs > limit;
      };
    }
    default:
      throw invalid(word);
  }
}

function invalid(word: string): UsageError {
  return new UsageError("INVALID_VALUE", `reading --filter: "${word}" is no filter of images`, { hint: `write ${forms}` });
}

/** As Docker has it: the name as people write it, with its tag or digest or without. */
function nameFilter(word: string, pattern: string): ImageFilter {
  try {
    checkPattern(pattern);
  } catch {
    throw invalid(word);
  }
  const matches = compilePattern(bytesOf(pattern));
  return ({ names, digestNames }) =>
    [...names, ...digestNames].some((name) => {
      const bare = name.replace(/@.*$/, "").replace(/:[^:/]*$/, "");
      // A tag that is not written is "latest".
      return [name, bare, ...(name === bare ? [`${bare}:latest`] : [])].some((text) => matches(bytesOf(text)));
    });
}
