/**
 * JSON with the keys of every object in code-unit order, no white space, absent where `undefined`: the same value gives the same
 * bytes, however it was put together. For what we author; bytes from elsewhere are kept as they came.
 */
export function canonicalJson(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(sorted(value)));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  // Without a prototype, "__proto__" is a key as any other.
  const result: Record<string, unknown> = Object.create(null);
  for (const key of Object.keys(value).sort()) result[key] = sorted((value as Record<string, unknown>)[key]);
  return result;
}
