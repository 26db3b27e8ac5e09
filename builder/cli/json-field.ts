import { TsbuildError } from "../../runtime-addon/index.ts";
import { nearest } from "../dockerfile/suggest.ts";

/** A field of a JSON value by the names on the way to it: "config.Env", "layers.0.digest". Keys may hold dots themselves. Throws FIELD_NOT_FOUND. */
export function jsonField(value: unknown, path: string): unknown {
  const found = look(value, path.split("."));
  if (found !== undefined) return found.value;
  const hint = hintFor(value, path.split("."));
  throw new TsbuildError("FIELD_NOT_FOUND", `reading the field ${JSON.stringify(path)}: there is none`, hint === "" ? {} : { hint });
}

function look(value: unknown, segments: readonly string[]): { readonly value: unknown } | undefined {
  if (segments.length === 0) return { value };
  if (typeof value !== "object" || value === null) return undefined;
  for (let count = 1; count <= segments.length; count++) {
    const key = segments.slice(0, count).join(".");
    if (!Object.hasOwn(value, key) || (Array.isArray(value) && !/^\d+$/.test(key))) continue;
    const found = look((value as Readonly<Record<string, unknown>>)[key], segments.slice(count));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What there is where the way ends. */
function hintFor(value: unknown, segments: readonly string[]): string {
  for (let count = segments.length - 1; count >= 0; count--) {
    const above = look(value, segments.slice(0, count));
    if (above === undefined) continue;
    const where = count === 0 ? "the image" : segments.slice(0, count).join(".");
    if (Array.isArray(above.value)) return `${where} is a list of ${above.value.length}: fields are its numbers from 0`;
    if (typeof above.value !== "object" || above.value === null) return "";
    const keys = Object.keys(above.value);
    const near = nearest(segments[count] ?? "", keys);
    const meant = near === undefined ? [] : [...segments.slice(0, count), near, ...segments.slice(count + 1)];
    if (near !== undefined && look(value, meant) !== undefined) return `did you mean ${meant.join(".")}?`;
    return keys.length === 0 ? `${where} has no fields` : `${where} has ${keys.slice(0, 20).join(", ")}`;
  }
  return "";
}
