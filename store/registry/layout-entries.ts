import type { Digest } from "../digest.ts";
import { NotFoundError, TsbuildError } from "../errors.ts";
import { nameAnnotations, nameOf, referenceOf, shownName } from "../image-names.ts";
import { type Descriptor, type Index, mediaTypes, type Platform } from "../oci.ts";
import { bestForPlatform, platformText } from "../platform.ts";
import { fullName, parseReference } from "../reference.ts";

/**
 * The entry of an image layout's index.json that a name means; without a name, the only one. Several entries of one name are one image for several platforms. `where` is the
 * layout, for messages. Throws NotFoundError, AMBIGUOUS_IMAGE, PLATFORM_NOT_FOUND, NO_IMAGES.
 */
export function findEntry({ manifests }: Index, name: string | undefined, platform: Platform, where: string): Descriptor {
  if (manifests.length === 0) throw new TsbuildError("NO_IMAGES", `reading ${where}: its index.json lists no image`);
  const found = name === undefined ? manifests : manifests.filter((entry) => isCalled(entry, name));
  const names = [...new Set(manifests.map((entry) => shownName(entry) ?? entry.digest))].join(", ");
  const [first, ...others] = [...new Map<Digest, Descriptor>(found.map((entry) => [entry.digest, entry])).values()];
  if (first === undefined) throw new NotFoundError(`reading ${where}: it has no image "${name}"`, { hint: `it has ${names}` });
  if (others.length === 0) return first;
  if (new Set(found.map(nameOf)).size > 1) {
    throw new TsbuildError("AMBIGUOUS_IMAGE", `reading ${where}: it has several images, and none was named`, { hint: `it has ${names}` });
  }
  const best = bestForPlatform(found, platform);
  if (best !== undefined) return best;
  throw new TsbuildError("PLATFORM_NOT_FOUND", `reading ${where}: the image is not there for ${platformText(platform)}`);
}

/** index.json with one image more, under this name; whatever bore it before loses it. */
export function withEntry(index: Index, { mediaType, digest, size, platform }: Descriptor, name: string | undefined): Index {
  const bare = { mediaType, digest, size, ...(platform !== undefined && { platform }) };
  const entry = name === undefined ? bare : { ...bare, annotations: { [nameAnnotations.refName]: name } };
  const kept = index.manifests.filter((other) => {
    if (name !== undefined && isCalled(other, name)) return false;
    return other.digest !== digest || nameOf(other) !== undefined;
  });
  if (name === undefined && kept.some((other) => other.digest === digest)) return index;
  return { ...index, mediaType: mediaTypes.index, manifests: [...kept, entry] };
}

/** Literally, as skopeo goes by it, or as an image's name. */
function isCalled(entry: Descriptor, name: string): boolean {
  if (entry.annotations?.[nameAnnotations.refName] === name || nameOf(entry) === name) return true;
  const reference = referenceOf(entry);
  if (reference === undefined) return false;
  try {
    return fullName(reference) === fullName(parseReference(name));
  } catch (error) {
    if (error instanceof TsbuildError) return false;
    throw error;
  }
}
