import type { Reference } from "../store/reference.ts";
import type { Registry } from "../store/registry/registry.ts";

/** Where names lead that the settings rewrite, a note for each repository: who sends something must see where it really goes. */
export function rewriteNotes(registry: Registry, references: readonly Reference[]): readonly string[] {
  const notes = references.flatMap((reference) => {
    const written = `${reference.registry}/${reference.repository}`;
    const { registry: host, name } = registry.repository(reference);
    return `${host}/${name}` === written ? [] : [`${written} is ${host}/${name} by registry.rewrite`];
  });
  return [...new Set(notes)];
}
