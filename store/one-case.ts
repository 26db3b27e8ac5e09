/** A level of a document: the keys that we know there, by their folded form. */
export type KnownKeys = ReadonlyMap<string, string>;

export function knownKeys(...keys: readonly string[]): KnownKeys {
  return new Map(keys.map((key) => [folded(key), key]));
}

/**
 * The first key of an object that another one, or a known key, differs from in case only; undefined where there is none. Programs in Go read keys whatever their case
 * (encoding/json), so that such a document is another one to them.
 */
export function ambiguousKey(json: Readonly<Record<string, unknown>>, known: KnownKeys): string | undefined {
  const seen = new Set<string>();
  for (const key of Object.keys(json)) {
    const form = folded(key);
    if (seen.has(form) || (known.get(form) ?? key) !== key) return key;
    seen.add(form);
  }
  return undefined;
}

/** By way of capitals, as "\u017f" is an "s" and "\u212a" a "k" to Go too (strings.EqualFold). */
function folded(key: string): string {
  return key.toUpperCase().toLowerCase();
}
