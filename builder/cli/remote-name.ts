import { parseReference, type Reference, refuseScratch } from "../../store/reference.ts";

/** The name of an image of a registry. Throws INVALID_REFERENCE. */
export function readRemoteName(text: string): Reference {
  const reference = parseReference(text);
  refuseScratch(reference);
  return reference;
}
