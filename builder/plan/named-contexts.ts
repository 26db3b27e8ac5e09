import { parseReference } from "../../store/reference.ts";

/** What a name of --build-context means to the plan. */
export type PlanContext =
  | { readonly kind: "files" }
  /** As the image finder takes it: a name, or "oci-layout://DIRECTORY:TAG". */
  | { readonly kind: "image"; readonly image: string }
  /** A stage of this file. */
  | { readonly kind: "stage"; readonly stage: string };

/** A context, with the name that --build-context gave it. */
export interface NamedContext {
  readonly name: string;
  readonly context: PlanContext;
}

/**
 * Finds the context that stands in for a stage's name or an image's: names are compared as references, so that "alpine", "alpine:latest" and
 * "docker.io/library/alpine" are one. "scratch" and "context" are no names of contexts.
 */
export function contextFinder(contexts: Readonly<Record<string, PlanContext>>): (name: string) => NamedContext | undefined {
  const known = new Map(Object.entries(contexts).map(([name, context]) => [normalised(name), { name, context }]));
  return (name) => (known.size === 0 || /^(?:scratch|context)$/i.test(name) ? undefined : known.get(normalised(name)));
}

function normalised(name: string): string {
  try {
    const { registry, repository, tag = "", digest = "" } = parseReference(name);
    return `${registry}/${repository}:${tag}@${digest}`;
  } catch {
    // No reference, but maybe the name of a stage.
    return name.toLowerCase();
  }
}
