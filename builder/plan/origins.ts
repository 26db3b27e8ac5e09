import { TsbuildError } from "../../store/errors.ts";
import { parseReference } from "../../store/reference.ts";
import { quoted } from "../dockerfile/fault.ts";
import type { Dockerfile, StageInstruction } from "../dockerfile/instruction.ts";
import type { NamedContext } from "./named-contexts.ts";
import type { FileOrigin } from "./operation.ts";
import { type ArgSources, expandGlobal, type Scope } from "./scope.ts";
import { type Base, findStage } from "./stages.ts";
import { stageNamed } from "./target-stages.ts";
import { isDeclared, unsetHint, withHint } from "./unset-hint.ts";

/** What names in FROM and --from may mean. */
export interface Names {
  readonly dockerfile: Dockerfile;
  readonly context: (name: string) => NamedContext | undefined;
  readonly globals: Scope;
  readonly sources: ArgSources;
}

/** An origin, or a stage that stands at or behind the one that wants it, which it may not name. */
export type FoundOrigin = FileOrigin | { readonly from: "later"; readonly stage: number };

/** The image without files: no registry has it. */
export const scratch = "scratch";

/** One --from of an instruction, and how errors call it. */
export interface NamedOrigin {
  readonly text: string;
  readonly origin: FoundOrigin | undefined;
}

/**
 * Where an instruction of a stage reads: of COPY its --from, of RUN the from of each mount; undefined for what has none. Earlier stages come first, then named contexts, then
 * images. Throws VARIABLE_IN_FROM, INVALID_STAGE, and INVALID_MOUNT for a mount whose value cannot be read.
 */
export function originsOf(names: Names, instruction: StageInstruction, stage: number): readonly NamedOrigin[] {
  if (instruction.keyword === "COPY" && instruction.flags.from !== undefined) {
    const text = `COPY --from=${instruction.flags.from}`;
    return [{ text, origin: originNamed(names, fromWord(names, instruction.flags.from, text), stage, true) }];
  }
  if (instruction.keyword !== "RUN") return [];
  return instruction.mounts.map((mount) => {
    const text = `RUN --mount=${mount.text}`;
    const written = mount.options.find(({ key }) => key === "from")?.value;
    // tmpfs, secrets and ssh have no files to begin with, and BuildKit does not look at their from.
    const type = mount.options.find(({ key }) => key === "type")?.value ?? "bind";
    if (written === undefined || written === "" || /^(?:tmpfs|secret|ssh)$/i.test(type)) return { text, origin: undefined };
    return { text, origin: originNamed(names, fromWord(names, written, text), stage, false) };
  });
}

/** Expanded with what stands before the first FROM: stages are chosen before any has variables of its own. */
function fromWord({ globals, sources, dockerfile }: Names, word: string, text: string): string {
  const { text: expanded, unset } = expandGlobal(word, globals, sources);
  const [name] = unset;
  const hint = unsetHint(unset, { dockerfile, globals });
  if (name !== undefined && hint !== undefined) {
    const problem = isDeclared(name, dockerfile)
      ? `${name} has no value`
      : `only variables from before the first FROM are known here, and ${name} is none`;
    throw new TsbuildError("VARIABLE_IN_FROM", `reading ${shown(text)}: ${problem}`, { hint });
  }
  if (expanded !== "") return expanded;
  throw new TsbuildError("VARIABLE_IN_FROM", `reading ${shown(text)}: the name expands to nothing`);
}

function originNamed(names: Names, name: string, stage: number, numbers: boolean): FoundOrigin {
  const { dockerfile } = names;
  const earlier = findStage(dockerfile, name, stage, numbers);
  if (earlier !== undefined) return { from: "stage", stage: earlier };
  const later = findStage(dockerfile, name, dockerfile.stages.length, false);
  if (later !== undefined) return { from: "later", stage: later };
  const found = names.context(name);
  if (found === undefined) return { from: "image", image: name };
  switch (found.context.kind) {
    case "files":
      return { from: "context", name: found.name };
    case "image":
      return { from: "image", image: found.context.image };
    case "stage":
      return { from: "stage", stage: stageNamed(dockerfile, found.context.stage) };
  }
}

/** What a FROM stands on: a context that has the stage's own name, an earlier stage, a context that has the image's name, or an image. Throws EMPTY_BASE, and INVALID_REFERENCE for what variables without a value make of a name. */
export function baseNamed(names: Names, stage: number): { readonly base: Base; readonly replaced: boolean } {
  const { dockerfile, sources, globals } = names;
  const from = dockerfile.stages[stage]?.from;
  if (from === undefined) throw new RangeError(`no stage ${stage}`);
  const own = from.stage === undefined ? undefined : names.context(from.stage.toLowerCase());
  if (own !== undefined) return { base: contextBase(dockerfile, own), replaced: true };
  const { text: image, unset } = expandGlobal(from.image, globals, sources);
  const hint = unsetHint(unset, names);
  if (image === "") {
    throw new TsbuildError("EMPTY_BASE", `reading FROM ${shown(from.image)}: the name of the base image expands to nothing`, {
      hint: hint ?? "give the ARG a default before the first FROM, or pass it with --build-arg",
    });
  }
  const earlier = findStage(dockerfile, image, stage, false);
  if (earlier !== undefined) return { base: { kind: "stage", stage: earlier }, replaced: false };
  const found = names.context(image);
  if (found !== undefined) return { base: contextBase(dockerfile, found), replaced: false };
  // Any other wrong name is told where the image is looked for, as far as it is.
  if (hint !== undefined) withHint(hint, () => parseReference(image));
  return { base: imageBaseNamed(image), replaced: false };
}

function contextBase(dockerfile: Dockerfile, { name, context }: NamedContext): Base {
  switch (context.kind) {
    case "files":
      return { kind: "context", context: name };
    case "image":
      return imageBaseNamed(context.image);
    case "stage":
      return { kind: "stage", stage: stageNamed(dockerfile, context.stage) };
  }
}

function imageBaseNamed(image: string): Base {
  return image === scratch ? { kind: "scratch" } : { kind: "image", image };
}

function shown(text: string): string {
  return quoted(text).slice(1, -1);
}
