import { canonicalJson } from "./canonical-json.ts";
import type { ImageConfig } from "./oci.ts";

/** One field that two images' configs do not have in common. */
export interface ConfigDifference {
  /** "config.Env.PATH", "architecture". */
  readonly field: string;
  /** Absent where the image has no such field. */
  readonly a?: unknown;
  readonly b?: unknown;
}

/**
 * The fields that differ, sorted: of objects each key by itself, of Env each variable, other lists as a whole. Layers and history are left out: how an image was made
 * is not what it is. `times: false` leaves `created` out.
 */
export function diffConfigs(a: ImageConfig, b: ImageConfig, options: { readonly times: boolean }): readonly ConfigDifference[] {
  const [before, after] = [fieldsOf(a, options.times), fieldsOf(b, options.times)];
  return [...new Set([...before.keys(), ...after.keys()])].sort().flatMap((field) => {
    const [one, other] = [before.get(field), after.get(field)];
    if (one !== undefined && other !== undefined && canonicalJson(one).equals(canonicalJson(other))) return [];
    return { field, ...(one !== undefined && { a: one }), ...(other !== undefined && { b: other }) };
  });
}

/** Empty lists, objects and texts mean the same as absent ones. */
function fieldsOf({ rootfs: _rootfs, history: _history, created, config, ...rest }: ImageConfig, times: boolean): Map<string, unknown> {
  const fields = new Map<string, unknown>();
  const collect = (name: string, value: unknown): void => {
    if (Array.isArray(value)) {
      if (value.length > 0) fields.set(name, value);
    } else if (typeof value === "object" && value !== null) {
      const entries = Object.entries(value);
      // A set, as of ports and volumes.
      if (entries.length === 0 && name.split(".").length > 2) fields.set(name, value);
      for (const [key, inner] of entries) collect(name === "" ? key : `${name}.${key}`, inner);
    } else if (value !== undefined && value !== null && value !== "" && value !== false) fields.set(name, value);
  };
  const { Env, ...container } = config ?? {};
  collect("", rest);
  collect("config", container);
  for (const variable of Env ?? []) {
    const at = variable.indexOf("=");
    fields.set(`config.Env.${at < 0 ? variable : variable.slice(0, at)}`, at < 0 ? "" : variable.slice(at + 1));
  }
  if (times && created !== undefined) fields.set("created", created);
  return fields;
}
