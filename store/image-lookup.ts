import { type Digest, hexOf, isDigest } from "./digest.ts";
import { TsbuildError } from "./errors.ts";
import { referenceOf, shownName } from "./image-names.ts";
import type { Descriptor } from "./oci.ts";
import { familiarName, fullName, parseReference, type Reference, sameRepository } from "./reference.ts";

/** What a text may mean when it names an image that exists. */
export type ImageQuery =
  | { readonly by: "name"; readonly reference: Reference; readonly orHex?: string }
  /** Of a manifest or of a config (the image id); hex digits, 4 to 64. */
  | { readonly by: "hex"; readonly hex: string };

/**
 * A name, name@digest, digest, image id, or at least four hex digits that one of the two begins with. Hex digits may be a name too: then
 * the name goes first. Throws INVALID_REFERENCE.
 */
export function parseImageQuery(text: string): ImageQuery {
  if (isDigest(text)) return { by: "hex", hex: hexOf(text) };
  const prefix = /^sha256:([0-9a-f]{4,63})$/.exec(text)?.[1];
  if (/^[0-9a-f]{64}$/.test(text)) return { by: "hex", hex: text };
  if (/^[0-9a-f]{4,63}$/.test(text)) return { by: "name", reference: parseReference(text), orHex: text };
  // "sha256:abcd" is a digest cut short to everyone, though the grammar would take it for a repository with a tag.
  if (prefix !== undefined) return { by: "hex", hex: prefix };
  return { by: "name", reference: parseReference(text) };
}

/** The listed entry that bears this name; with a digest, one of this repository with that digest. */
export function findByName(manifests: readonly Descriptor[], reference: Reference): Descriptor | undefined {
  return manifests.find((entry) => {
    const named = referenceOf(entry);
    if (named === undefined) return false;
    if (reference.digest !== undefined) return entry.digest === reference.digest && sameRepository(named, reference);
    return fullName(named) === fullName(reference);
  });
}

/** What answers to a name, a digest or an id. */
export interface FoundEntry {
  readonly entry: Descriptor;
  /** The manifest that is meant inside the listed index; absent: the entry itself. */
  readonly inner?: Descriptor;
}

/** What the search by hex digits looks at. */
export interface Identified extends FoundEntry {
  readonly imageId: Digest | undefined;
}

/** The one image whose manifest digest or id begins so, by each manifest that is of this one id. Throws AMBIGUOUS_IMAGE with all images that do. */
export function findByHex(images: readonly Identified[], hex: string): readonly FoundEntry[] {
  const found = new Map<string, Identified>();
  for (const image of images) {
    const { entry, inner = entry, imageId } = image;
    if (hexOf(inner.digest).startsWith(hex) || (imageId !== undefined && hexOf(imageId).startsWith(hex)))
      found.set(`${entry.digest} ${inner.digest}`, image);
  }
  const [first] = found.values();
  const isOne = first?.imageId !== undefined && [...found.values()].every(({ imageId }) => imageId === first.imageId);
  if (found.size > 1 && !isOne && hex.length < 64) {
    const candidates = [...found.values()]
      .map(({ entry, inner = entry, imageId }) => `${imageId ?? inner.digest} (${shownName(entry) ?? "no name"})`)
      .sort();
    throw new TsbuildError("AMBIGUOUS_IMAGE", `looking for image "${hex}": ${found.size} images begin so: ${candidates.join(", ")}`, {
      hint: "give more digits, or a name",
    });
  }
  return [...found.values()];
}

/** How a query reads in a message: names as they were understood. */
export function queryText(query: ImageQuery): string {
  return query.by === "hex" ? `with digest or id ${query.hex}` : `named ${fullName(query.reference)}`;
}

export function queryName(query: ImageQuery): string {
  return query.by === "hex" ? query.hex : familiarName(query.reference);
}
