/** What a JSON document holds; a bigint is a number that JavaScript's own cannot hold exactly. */
export type Json = string | number | bigint | boolean | null | readonly Json[] | { readonly [name: string]: Json | undefined };

/** The document as indented text. Members that are undefined are left out. */
export function jsonText(value: Json, indent = ""): string {
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const deeper = `${indent}  `;
  const isList = Array.isArray(value);
  const items = isList
    ? value.map((item: Json) => jsonText(item, deeper))
    : Object.entries(value).flatMap(([name, item]) => (item === undefined ? [] : `${JSON.stringify(name)}: ${jsonText(item, deeper)}`));
  const [open, close] = isList ? "[]" : "{}";
  return items.length === 0 ? `${open}${close}` : `${open}\n${deeper}${items.join(`,\n${deeper}`)}\n${indent}${close}`;
}
