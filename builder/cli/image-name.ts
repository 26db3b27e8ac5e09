import type { Image } from "../../store/images.ts";
import { familiarName, parseReference } from "../../store/reference.ts";

/** The image's name that a text is; undefined when the image was found by an id or a digest. */
export function nameMeant({ names }: Image, text: string): string | undefined {
  if (/^sha256:|^[0-9a-f]{64}$|@/.test(text)) return undefined;
  const name = familiarName(parseReference(text));
  return names.includes(name) ? name : undefined;
}
