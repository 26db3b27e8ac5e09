import { statSync } from "node:fs";
import type { LayerForm } from "../../store/layer-form.ts";
import { nearest } from "../dockerfile/suggest.ts";
import type { ArchiveTarget, BuildOutput, FilesForm, ImageForm } from "../options.ts";
import { archiveToStdout } from "./archive-destination.ts";
import type { CliIo } from "./cli-io.ts";
import { readLevel } from "./layer-form.ts";
import { UsageError } from "./usage-error.ts";

/** Where the image goes, and names that an output brings along. */
export interface Outputs {
  readonly outputs: readonly BuildOutput[];
  readonly names: readonly string[];
  /** An archive goes to standard output: nothing else may. */
  readonly takesStdout: boolean;
}

interface OutputFlags {
  readonly output?: readonly string[];
  readonly push?: boolean;
  readonly load?: boolean;
}

type OutputIo = Pick<CliIo, "stdout" | "stream">;
type Fields = Readonly<Record<string, string>>;
type Type = BuildOutput["type"];

const formKeys = ["compression", "compression-level", "force-compression", "oci-mediatypes", "annotation.KEY"] as const;
const keysOf: Readonly<Record<Type, readonly string[]>> = {
  image: ["type", "name", "push", ...formKeys],
  registry: ["type", "name", ...formKeys],
  oci: ["type", "dest", "name", "tar", ...formKeys],
  docker: ["type", "dest", "name", ...formKeys],
  tar: ["type", "dest", "platform-split"],
  local: ["type", "dest", "platform-split"],
  cacheonly: ["type"],
};
const types = Object.keys(keysOf) as readonly Type[];
const typesHint = `types: ${types.join(", ")}`;

/** Fields of buildx that ask for nothing here, or for what is done anyway. */
const withoutEffect: ReadonlySet<string> = new Set(["unpack", "store", "dangling-name-prefix"]);
/** Those that would change layers of a base unless they say no. */
const onlyOff: ReadonlySet<string> = new Set(["rewrite-timestamp"]);

/** --output, --push and --load. Nothing of it means the store alone. Throws UsageError. */
export function readOutputs({ output = [], push, load }: OutputFlags, io: OutputIo): Outputs {
  const specs = [...output.map(fieldsOf), ...(push ? [{ type: "registry" }] : []), ...(load ? [{ type: "image" }] : [])];
  const outputs = new Map<string, { readonly output: BuildOutput; readonly said: string }>();
  for (const fields of specs.length === 0 ? [{ type: "image" }] : specs) {
    for (const found of outputsOf(fields, io)) {
      const place = placeOf(found);
      const said = JSON.stringify(found, (key, value) => (key === "stream" ? "-" : value));
      const before = outputs.get(place);
      if (before !== undefined && before.said !== said) {
        throw new UsageError("INVALID_VALUE", `reading --output: ${place} is given twice, with different settings`);
      }
      outputs.set(place, { output: found, said });
    }
  }
  const names = specs.flatMap((fields: Fields) => fields.name?.split(",").filter((name) => name !== "") ?? []);
  return { outputs: [...outputs.values()].map(({ output }) => output), names, takesStdout: outputs.has(stdoutPlace) };
}

const stdoutPlace = "standard output";

/** What no two outputs may share. */
function placeOf(output: BuildOutput): string {
  if (output.type === "local") return `the directory ${output.directory}`;
  if (!("to" in output)) return `type=${output.type}`;
  if ("stream" in output.to) return stdoutPlace;
  return "file" in output.to ? `the file ${output.to.file}` : `the directory ${output.to.directory}`;
}

function outputsOf(fields: Fields, io: OutputIo): readonly BuildOutput[] {
  const type = typeOf(fields);
  refuseUnknown(type, fields);
  const { push, dest } = fields;
  switch (type) {
    case "image":
      return [{ type }, ...(push !== undefined && isTrue("push", push) ? [{ type: "registry", ...formOf(type, fields) } as const] : [])];
    case "registry":
      return [{ type, ...formOf(type, fields) }];
    case "oci": {
      const isTar = fields.tar === undefined || isTrue("tar", fields.tar);
      return [{ type, to: isTar ? archiveAt(type, dest, io) : { directory: destOf(type, dest) }, ...formOf(type, fields) }];
    }
    case "docker":
      return [{ type, to: archiveAt(type, dest, io), ...formOf(type, fields) }];
    case "tar":
      return [{ type, to: archiveAt(type, dest, io), ...filesFormOf(fields) }];
    case "local":
      return [{ type, directory: destOf(type, dest), ...filesFormOf(fields) }];
    case "cacheonly":
      return [{ type }];
  }
}

function typeOf({ type }: Fields): Type {
  const found = types.find((one) => one === type);
  if (found !== undefined) return found;
  const hint = didYouMean("type=", type ?? "", types, "") ?? typesHint;
  throw unsupported(type === undefined ? "an output without type=" : `type=${type}`, hint);
}

function refuseUnknown(type: Type, fields: Fields): void {
  const keys = keysOf[type];
  for (const [key, value] of Object.entries(fields)) {
    if (keys.includes(key) || withoutEffect.has(key) || (onlyOff.has(key) && !isTrue(key, value))) continue;
    if (key.startsWith("annotation.") && keys.includes("annotation.KEY")) continue;
    throw unsupported(`${key}= of type=${type}`, didYouMean("", key, keys, "=") ?? `keys: ${keys.join(", ")}`);
  }
}

function archiveAt(type: Type, dest: string | undefined, io: OutputIo): ArchiveTarget {
  if (dest === "-" || dest === undefined) return { stream: archiveToStdout(io) };
  const file = destOf(type, dest);
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UsageError("NOT_A_FILE", `reading --output: type=${type}: ${file} is a directory`, { hint: "dest=FILE" });
  }
  return { file };
}

function destOf(type: Type, dest: string | undefined): string {
  if (dest !== undefined && dest !== "" && dest !== "-") return dest;
  throw new UsageError("MISSING_VALUE", `reading --output: type=${type} needs dest=${type === "local" ? "DIRECTORY" : "PATH"}`);
}

function filesFormOf({ "platform-split": split }: Fields): FilesForm {
  return split === undefined ? {} : { platformSplit: isTrue("platform-split", split) };
}

function formOf(type: "image" | "registry" | "oci" | "docker", fields: Fields): ImageForm {
  const { compression: kind, "compression-level": level, "force-compression": force, "oci-mediatypes": oci } = fields;
  const compression = kind === undefined ? undefined : compressionOf(kind);
  const annotations = Object.entries(fields)
    .filter(([key]) => key.startsWith("annotation."))
    .map(([key, value]) => [key.slice("annotation.".length), value] as const);
  return {
    ...(compression === undefined ? {} : { compression }),
    ...(level === undefined
      ? {}
      : { compressionLevel: readLevel("--output: compression-level", level, compression ?? (type === "docker" ? "none" : "gzip")) }),
    ...(force === undefined || !isTrue("force-compression", force) ? {} : { forceCompression: true }),
    ...(oci === undefined ? {} : { format: isTrue("oci-mediatypes", oci) ? "oci" : "docker" }),
    ...(annotations.length === 0 ? {} : { annotations: Object.fromEntries(annotations) }),
  };
}

/** "type=image,name=a,push=true" as CSV: a field in double quotes may hold commas. A path alone is a directory for the files, "-" a tar of them. */
function fieldsOf(text: string): Fields {
  if (text === "-") return { type: "tar", dest: "-" };
  if (text === "") throw new UsageError("INVALID_VALUE", "reading --output: it is empty", { hint: typesHint });
  if (!text.includes("=")) return { type: "local", dest: text };
  const fields: Record<string, string> = {};
  for (const part of text.match(/"(?:[^"]|"")*"|[^,]+/g) ?? []) {
    const field = part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part;
    const at = field.indexOf("=");
    if (at < 1)
      throw new UsageError("INVALID_VALUE", `reading --output: "${field}" is not KEY=VALUE`, { hint: `keys: ${keysOf.image.join(", ")}` });
    const key = field.slice(0, at).trim();
    // A key of an annotation means what it says.
    fields[key.startsWith("annotation.") ? key : key.toLowerCase()] = field.slice(at + 1);
  }
  return fields;
}

function compressionOf(text: string): LayerForm["compression"] {
  if (text === "gzip" || text === "zstd") return text;
  if (text === "uncompressed" || text === "none") return "none";
  throw unsupported(`compression=${text}`, "compression=gzip, zstd or uncompressed");
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
