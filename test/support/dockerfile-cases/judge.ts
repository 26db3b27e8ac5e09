import { expect } from "vitest";
import { DockerfileError, DockerfileErrors } from "../../../builder/dockerfile/errors.ts";
import { TsbuildError } from "../../../runtime-addon/index.ts";
import type { ImageConfig } from "../../../store/oci.ts";
import type { Built } from "./build-input.ts";
import type { Wanted, WantedError, WantedImage } from "./case.ts";
import type { FlatEntry, FlatImage } from "./flat-image.ts";

type Plain = Readonly<Record<string, unknown>>;

/** The errors that `work` ends with, by what `wanted` asks of each; throws when it does not fail. */
export async function errorsOf(work: () => unknown): Promise<readonly TsbuildError[]> {
  try {
    await work();
  } catch (error) {
    if (error instanceof DockerfileErrors) return error.errors;
    if (error instanceof TsbuildError) return [error];
    throw error;
  }
  throw new Error("nothing failed");
}

export function judgeErrors(errors: readonly TsbuildError[], wanted: readonly WantedError[]): void {
  const found = errors.map((error, index) => {
    const { message, hint } = wanted[index] ?? {};
    const { start } = error instanceof DockerfileError ? error.range : { start: undefined };
    return {
      code: error.code,
      message: message !== undefined && error.message.includes(message) ? message : error.message,
      hint: hint !== undefined && error.hint?.includes(hint) ? hint : error.hint,
      line: start?.line,
      column: start?.column,
    };
  });
  expect(found.map((one, index) => picked(one, wanted[index] ?? { code: "" }))).toEqual(wanted);
}

export function judgeImage(image: FlatImage, built: Pick<Built, "events">, wanted: WantedImage): void {
  const { tree, files, absent = [], config, image: fields, history, layers, warnings, noWarnings } = wanted;
  if (tree !== undefined) {
    const found = [...image.entries].map(([path, entry]) => [
      path,
      tree[path] === undefined ? summary(path, entry) : seen(path, entry, tree[path]),
    ]);
    expect(Object.fromEntries(found)).toEqual(tree);
  }
  if (files !== undefined) {
    const found = Object.entries(files).map(([path, one]) => [path, seen(path, image.entries.get(path), one)]);
    expect(Object.fromEntries(found)).toEqual(files);
  }
  expect(absent.filter((path) => image.entries.has(path))).toEqual([]);
  if (config !== undefined) expect(picked(image.config.config ?? {}, config)).toEqual(config);
  if (fields !== undefined) expect(picked(image.config, fields)).toEqual(fields);
  if (history !== undefined) expect(historyOf(image.config)).toEqual(history);
  if (layers !== undefined) expect(image.config.rootfs.diff_ids.length).toBe(layers);
  const said = built.events.flatMap((event) => (event.type === "warning" || event.type === "note" ? [event.message] : []));
  for (const part of warnings ?? []) expect(said).toContainEqual(expect.stringContaining(part));
  if (noWarnings) expect(built.events.filter(({ type }) => type === "warning")).toEqual([]);
}

/** The fields that `wanted` has; null where there is none. */
function picked(found: object, wanted: object): Plain {
  const fields = found as Plain;
  return Object.fromEntries(Object.keys(wanted).map((key) => [key, fields[key] ?? null]));
}

function historyOf({ history = [] }: ImageConfig): readonly string[] {
  return history.map(({ created_by = "", empty_layer }) => `${empty_layer ? "(empty) " : ""}${created_by}`);
}

/** An entry in the words of what is wanted of it: equal to it where it is as wanted. */
function seen(path: string, entry: FlatEntry | undefined, wanted: Wanted): unknown {
  if (entry === undefined) return "not there";
  if (typeof wanted === "string") {
    const short = summary(path, entry);
    return typeof short === "string" ? short : entry;
  }
  return picked(entry, wanted);
}

/** The short form of an entry that has one. */
function summary(path: string, entry: FlatEntry): unknown {
  if (entry.uid === 0 && entry.gid === 0) {
    if (path.endsWith("/")) return entry.mode;
    if (entry.kind === "file" && entry.mode === "644" && entry.content !== undefined) return entry.content;
  }
  const { kind: _, ...all } = entry;
  return all;
}
