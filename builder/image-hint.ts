import type { Dockerfile, Instruction } from "./dockerfile/instruction.ts";
import { nearest } from "./dockerfile/suggest.ts";

/** Failures that a name may be to blame for. */
const nameCodes: ReadonlySet<string> = new Set([
  "NOT_FOUND",
  "INVALID_REFERENCE",
  "REGISTRY_UNREACHABLE",
  "REGISTRY_TLS",
  "REGISTRY_DENIED",
  "REGISTRY_NOT_FOUND",
]);

/** Images that many Dockerfiles stand on. */
const commonImages = ["alpine", "busybox", "centos", "debian", "fedora", "golang", "nginx", "node", "python", "ruby", "rust", "ubuntu"];

/** Where skopeo, podman and buildah read images, as they write it. */
const transport = /^(oci|oci-archive|docker-archive|docker-daemon|dir|containers-storage):/;

/** A name of an image that could not be had, where it stands, and what else it could have been. */
export interface MissingImage {
  /** As written, or as a named context has it. */
  readonly image: string;
  readonly instruction: Instruction;
  readonly dockerfile: Dockerfile;
  /** Names of contexts, each with its image where it stands for one. */
  readonly contexts: ReadonlyMap<string, string | undefined>;
}

/** What whoever wrote the name of an image may have meant, which `code` says that it cannot be had; undefined where there is nothing to say. */
export function imageHint(code: string, missing: MissingImage): string | undefined {
  const { image, contexts } = missing;
  if (!nameCodes.has(code) || [...contexts.values()].includes(image)) return undefined;
  return transportHint(image) ?? stageHint(missing) ?? commonHint(image) ?? takenForImage(missing);
}

function transportHint(image: string): string | undefined {
  switch (transport.exec(image)?.[1]) {
    case undefined:
      return undefined;
    case "oci":
      return `an image layout is given as a context: --build-context NAME=oci-layout://${image.slice("oci:".length)}, and then it is NAME`;
    case "oci-archive":
    case "docker-archive":
      return "an archive is loaded first: tsbuild load FILE; then the image has the name that it has there";
    default:
      return "images of other tools come as archives: save it there, load it with tsbuild load FILE, and use its name";
  }
}

function stageHint({ image, instruction, dockerfile, contexts }: MissingImage): string | undefined {
  const line = instruction.range.start.line;
  const names = dockerfile.stages.flatMap(({ from }) =>
    from.stage === undefined ? [] : [{ name: from.stage, line: from.range.start.line }],
  );
  const later = names.find((stage) => stage.line >= line && stage.name.toLowerCase() === image.toLowerCase());
  if (later !== undefined) return `the stage "${later.name}" comes later: put it before line ${line}`;
  // The stage that an instruction stands in begins at or above its line; that one it cannot mean.
  const own = dockerfile.stages.findLast(({ from }) => from.range.start.line <= line)?.from.range.start.line ?? line;
  const stage = nearest(
    image,
    names.filter((one) => one.line < own).map(({ name }) => name),
  );
  if (stage !== undefined) return `did you mean the stage "${stage}"?`;
  const context = nearest(image, contexts.keys());
  return context === undefined ? undefined : `did you mean the context "${context}"?`;
}

function commonHint(image: string): string | undefined {
  const [, repository = "", version = ""] = /^([a-z0-9._-]+)((?::[^/@]*)?(?:@.*)?)$/.exec(image) ?? [];
  const near = nearest(repository, commonImages);
  return near === undefined || near === repository ? undefined : `did you mean ${near}${version}?`;
}

/** Only of what could be a stage's name, and where a stage or context could be meant: the first FROM of a file without contexts names an image. */
function takenForImage({ image, instruction, dockerfile, contexts }: MissingImage): string | undefined {
  if (!/^[A-Za-z0-9_-]+$/.test(image)) return undefined;
  const first = dockerfile.stages[0]?.from;
  if (contexts.size === 0 && instruction.range.start.line === first?.range.start.line) return undefined;
  return `no stage or context is called "${image}", so it was taken for an image`;
}
