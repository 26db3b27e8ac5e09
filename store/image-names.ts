import { TsbuildError } from "./errors.ts";
import type { Descriptor } from "./oci.ts";
import { familiarName, fullName, parseReference, type Reference } from "./reference.ts";

/** Annotations that name an image in an index: what OCI tools go by, and what containerd and BuildKit add. */
export const nameAnnotations = {
  refName: "org.opencontainers.image.ref.name",
  imageName: "io.containerd.image.name",
} as const;

/** The name that an index entry carries; undefined for an untagged image. */
export function nameOf({ annotations }: Descriptor): string | undefined {
  return annotations?.[nameAnnotations.imageName] ?? annotations?.[nameAnnotations.refName];
}

/** The name as a reference; undefined for none, and for one of another tool that no image reference can be. */
export function referenceOf(descriptor: Descriptor): Reference | undefined {
  const name = nameOf(descriptor);
  if (name === undefined) return undefined;
  try {
    return parseReference(name);
  } catch (error) {
    if (error instanceof TsbuildError) return undefined;
    throw error;
  }
}

/** What people see: the shortest form that means the same, or another tool's text as it is. */
export function shownName(descriptor: Descriptor): string | undefined {
  const reference = referenceOf(descriptor);
  return reference === undefined ? nameOf(descriptor) : familiarName(reference);
}

/** The same image under a name. `ref.name` is what follows the colon in skopeo's and umoci's `oci:STORE:NAME`. */
export function withName(descriptor: Descriptor, reference: Reference): Descriptor {
  return {
    ...descriptor,
    annotations: {
      ...descriptor.annotations,
      [nameAnnotations.refName]: familiarName(reference),
      [nameAnnotations.imageName]: fullName(reference),
    },
  };
}

export function withoutName(descriptor: Descriptor): Descriptor {
  const { annotations = {}, ...rest } = descriptor;
  const others = Object.entries(annotations).filter(([key]) => key !== nameAnnotations.refName && key !== nameAnnotations.imageName);
  return others.length === 0 ? rest : { ...rest, annotations: Object.fromEntries(others) };
}

/** Names to give an image: with a tag, never with a digest (a digest cannot be chosen). Throws INVALID_REFERENCE. */
export function parseNewName(text: string): Reference {
  const reference = parseReference(text);
  if (reference.digest === undefined) return reference;
  throw new TsbuildError("INVALID_REFERENCE", `naming an image "${text}": a name cannot carry a digest`);
}

/**
 * The index's list with these names on one manifest. Whatever bore one of them loses it, and leaves the list when it bore no other; the
 * manifest's nameless entry goes when it gets a name. Without names the manifest is only made sure to be listed.
 */
export function nameManifest(manifests: readonly Descriptor[], manifest: Descriptor, names: readonly Reference[]): readonly Descriptor[] {
  const wanted = new Map(names.map((name) => [fullName(name), name]));
  const bare = withoutName(manifest);
  if (wanted.size === 0) return manifests.some(({ digest }) => digest === bare.digest) ? manifests : [...manifests, bare];
  const kept = manifests.filter((entry) => {
    const reference = referenceOf(entry);
    if (entry.digest === bare.digest && nameOf(entry) === undefined) return false;
    if (reference === undefined || !wanted.has(fullName(reference))) return true;
    // Already so: the entry stays as it is.
    if (entry.digest === bare.digest) wanted.delete(fullName(reference));
    return entry.digest === bare.digest;
  });
  return [...kept, ...[...wanted.values()].map((name) => withName(bare, name))];
}
