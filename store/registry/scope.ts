/** What a token shall allow (distribution "Token Scope Documentation"): repository:<name>:<actions>. */
export interface Scope {
  readonly repository: string;
  readonly actions: readonly ("pull" | "push" | "delete")[];
}

// Scopes as token servers read them: "repository:library/app:pull,push". One text for each resource.

/** The scopes as texts, actions of one repository together, in the order in which repositories are first named. */
export function scopeTexts(scopes: readonly Scope[]): readonly string[] {
  return mergeScopes(scopes.map(({ repository, actions }) => `repository:${repository}:${actions.join(",")}`));
}

/** The scopes of a challenge; what cannot be one is left out. */
export function challengedScopes(scope: string | undefined): readonly string[] {
  return mergeScopes((scope ?? "").split(" ").filter((text) => /^[\x21-\x7e]+$/.test(text)));
}

/** All that any of the lists asks for. */
export function mergeScopes(...lists: readonly (readonly string[])[]): readonly string[] {
  return [...byResource(lists.flat())].map(([resource, actions]) =>
    [resource, ...(actions.size === 0 ? [] : [[...actions].sort().join(",")])].join(":"),
  );
}

/** Whether who has `wide` has `narrow`. */
export function coversScopes(wide: readonly string[], narrow: readonly string[]): boolean {
  const held = byResource(wide);
  return [...byResource(narrow)].every(([resource, actions]) => {
    const allowed = held.get(resource);
    return allowed !== undefined && [...actions].every((action) => allowed.has(action));
  });
}

/** The actions are what follows the last of at least two colons; a resource's name may hold colons itself. */
function byResource(texts: readonly string[]): Map<string, Set<string>> {
  const resources = new Map<string, Set<string>>();
  for (const text of texts) {
    const colon = text.indexOf(":") === text.lastIndexOf(":") ? text.length : text.lastIndexOf(":");
    const resource = text.slice(0, colon);
    const actions = resources.get(resource) ?? new Set();
    resources.set(resource, actions);
    for (const action of text.slice(colon + 1).split(",")) if (action !== "") actions.add(action);
  }
  return resources;
}
