import { isDeepStrictEqual } from "node:util";
import { nearest } from "../dockerfile/suggest.ts";
import type { BuildOutput } from "../options.ts";
import { UsageError } from "./usage-error.ts";

/** Where the image goes, and names that an output brings along. */
export interface Outputs {
  readonly outputs: readonly BuildOutput[];
  readonly names: readonly string[];
}

interface OutputFlags {
  readonly output?: readonly string[];
  readonly push?: boolean;
  readonly load?: boolean;
}

type Fields = Readonly<Record<string, string>>;

const types = ["image", "registry"] as const;
const keys = ["type", "name", "push", "compression", "oci-mediatypes"] as const;
const typesHint = "type=image (the store) and type=registry are; tsbuild save writes archives and layouts";
const keysHint = `keys: ${keys.join(", ")}`;

/** Fields of buildx that ask for nothing here, or for what is done anyway. */
const withoutEffect: ReadonlySet<string> = new Set(["unpack", "store", "dangling-name-prefix"]);
/** Those that would change layers of a base, unless they say no. */
const onlyOff: ReadonlySet<string> = new Set(["rewrite-timestamp", "force-compression"]);

/** --output, --push and --load. Nothing of it means the store alone. Throws UsageError. */
export function readOutputs({ output = [], push, load }: OutputFlags): Outputs {
  const specs = [...output.map(fieldsOf), ...(push ? [{ type: "registry" }] : []), ...(load ? [{ type: "image" }] : [])];
  const outputs = new Map<BuildOutput["type"], BuildOutput>();
  for (const fields of specs.length === 0 ? [{ type: "image" }] : specs) {
    for (const found of outputsOf(fields)) {
      const before = outputs.get(found.type);
      if (before !== undefined && !isDeepStrictEqual(before, found)) {
        throw new UsageError("INVALID_VALUE", `reading --output: type=${found.type} is given twice, with different settings`);
      }
      outputs.set(found.type, found);
    }
  }
  const names = specs.flatMap((fields: Fields) => fields.name?.split(",").filter((name) => name !== "") ?? []);
  return { outputs: [...outputs.values()], names };
}

function outputsOf(fields: Fields): readonly BuildOutput[] {
  const { type = "", push, name: _name, compression, "oci-mediatypes": oci, ...others } = fields;
  const unknown = Object.entries(others).find(([key, value]) => !withoutEffect.has(key) && !(onlyOff.has(key) && !isTrue(key, value)))?.[0];
  if (type !== "image" && type !== "registry") {
    throw unsupported(type === "" ? "an output without type=" : `type=${type}`, didYouMean("type=", type, types, "") ?? typesHint);
  }
  if (unknown !== undefined) throw unsupported(`${unknown}= of type=${type}`, didYouMean("", unknown, keys, "=") ?? keysHint);
  const sent = type === "registry" || isTrue("push", push ?? "false");
  const registry: BuildOutput = {
    type: "registry",
    ...(compression === undefined ? {} : { compression: compressionOf(compression) }),
    ...(oci === undefined ? {} : { format: isTrue("oci-mediatypes", oci) ? "oci" : "docker" }),
  };
  return [...(type === "image" ? [{ type: "image" } as const] : []), ...(sent ? [registry] : [])];
}

/** "type=image,name=a,push=true" as CSV: a field in double quotes may hold commas. */
function fieldsOf(text: string): Fields {
  if (!text.includes("=")) throw unsupported(text === "-" ? "an archive to standard output" : `a directory (${text})`, typesHint);
  const fields: Record<string, string> = {};
  for (const part of text.match(/"(?:[^"]|"")*"|[^,]+/g) ?? []) {
    const field = part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part;
    const at = field.indexOf("=");
    if (at < 1) throw new UsageError("INVALID_VALUE", `reading --output: "${field}" is not KEY=VALUE`, { hint: keysHint });
    fields[field.slice(0, at).trim().toLowerCase()] = field.slice(at + 1);
  }
  return fields;
}

function compressionOf(text: string): "gzip" | "none" {
  if (text === "gzip") return "gzip";
  if (text === "uncompressed" || text === "none") return "none";
  throw unsupported(`compression=${text}`, "compression=gzip or compression=uncompressed");
}

function isTrue(name: string, text: string): boolean {
  if (text === "true" || text === "1") return true;
  if (text === "false" || text === "0") return false;
  throw new UsageError("INVALID_VALUE", `reading --output: ${name}="${text}" is neither true nor false`);
}

function didYouMean(before: string, word: string, candidates: readonly string[], after: string): string | undefined {
  const found = nearest(word, candidates);
  return found === undefined || found === word ? undefined : `did you mean ${before}${found}${after}?`;
}

function unsupported(what: string, hint: string): UsageError {
  return new UsageError("UNSUPPORTED_VALUE", `reading --output: ${what} is not supported`, { hint });
}
