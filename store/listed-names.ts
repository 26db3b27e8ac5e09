import type { Digest } from "./digest.ts";
import { parseNewName, referenceOf, shownName } from "./image-names.ts";
import type { Descriptor } from "./oci.ts";
import { fullName, parseReference, type Reference, sameRepository } from "./reference.ts";

// Entries of index.json that bear a name with a digest stand for images that were pulled by it: such a name finds the image, but is no tag.

/** Tags of what has this digest, as people see them. */
export function namesOf(entries: readonly Descriptor[], digest: Digest): readonly string[] {
  return entries.flatMap((entry) => (entry.digest === digest && !isByDigest(entry) ? (shownName(entry) ?? []) : []));
}

/** Names with digest of what has this digest. */
export function digestNamesOf(entries: readonly Descriptor[], digest: Digest): readonly string[] {
  return entries.flatMap((entry) => (entry.digest === digest && isByDigest(entry) ? (shownName(entry) ?? []) : []));
}

function isByDigest(entry: Descriptor): boolean {
  return referenceOf(entry)?.digest !== undefined;
}

/** A name to be listed for what has this digest; one with the digest itself is kept without its tag. Throws INVALID_REFERENCE for any other digest. */
export function parseListedName(text: string, digest: Digest): Reference {
  const { tag: _, ...reference } = parseReference(text);
  return reference.digest === digest ? reference : parseNewName(text);
}

/** The list without this tag. With the last tag of a repository go the digests by which the image was pulled from there, as Docker has it. */
export function removeName(entries: readonly Descriptor[], name: Reference): readonly Descriptor[] {
  const isNamed = (entry: Descriptor) => {
    const reference = referenceOf(entry);
    return reference !== undefined && fullName(reference) === fullName(name);
  };
  const removed = entries.find(isNamed);
  const kept = entries.filter((entry) => !isNamed(entry));
  const siblings = kept.filter((entry) => {
    const reference = referenceOf(entry);
    return reference !== undefined && entry.digest === removed?.digest && sameRepository(reference, name);
  });
  return siblings.every(isByDigest) ? kept.filter((entry) => !siblings.includes(entry)) : kept;
}
