import type { StepCache } from "./cache/records.ts";
import type { Contexts } from "./context/open-contexts.ts";
import type { RemoteSources } from "./fetch/remote-sources.ts";
import type { BuildPlan } from "./plan/build-plan.ts";
import { baseChain } from "./plan/key.ts";
import type { CopyOperation, FileOrigin, GitSource, HttpSource, Operation } from "./plan/operation.ts";
import { publicUrl } from "./plan/public-url.ts";
import { type CopyInputs, type InputsRequest, joinInputs, requestOf } from "./steps/copy-inputs.ts";
import { gitInputs, httpInputs } from "./steps/remote-inputs.ts";
import { rootfsInputs } from "./steps/rootfs-inputs.ts";
import type { Files, StepContext } from "./steps/step.ts";

/** What the steps of one build read besides the layers below them. */
export interface Origins {
  /** The sources of a COPY or ADD, in the order of its words. */
  copy(operation: CopyOperation): Promise<CopyInputs>;
  /** What a request finds in one origin. */
  inputs(origin: FileOrigin, request: InputsRequest): Promise<CopyInputs>;
  /** The layers of an origin that has some: a stage or an image. */
  files(origin: Exclude<FileOrigin, { from: "context" }>): Promise<Files>;
}

export interface OriginsOptions {
  readonly plan: BuildPlan;
  readonly cache: StepCache;
  readonly contexts: Pick<Contexts, "reader">;
  readonly remote: () => Promise<RemoteSources>;
  readonly rootfs: StepContext["rootfs"];
  /** Of a stage that is done, or will be. */
  readonly stageFiles: (stage: number) => Promise<Files>;
}

export function openOrigins({ plan, cache, contexts, remote, rootfs, stageFiles }: OriginsOptions): Origins {
  const files: Origins["files"] = async (origin) => (origin.from === "stage" ? stageFiles(origin.stage) : imageFiles(plan, origin.image));

  const inputs: Origins["inputs"] = async (origin, request) => {
    if (origin.from === "context") return (await contexts.reader(origin.name)).inputs(request);
    const { layers, chain } = await files(origin);
    const describe = origin.from === "stage" ? `stage ${plan.stageLabel(origin.stage)}` : `image "${origin.image}"`;
    return rootfsInputs(request, { chain, describe, rootfs: () => rootfs(layers) }, cache);
  };

  return {
    files,
    inputs,
    async copy(operation) {
      const parts: CopyInputs[] = [];
      for (const word of inRuns(operation.words)) {
        if (isPaths(word)) parts.push(await inputs(operation.origin, requestOf(operation, word)));
        else if (word.kind === "http") parts.push(httpInputs(await (await remote()).http(word), word));
        else {
          const tree = await (await remote()).git(word);
          parts.push(gitInputs(tree, word, requestOf(operation, [""]), cache, `the repository ${publicUrl(word.remote)}`));
        }
      }
      return joinInputs(parts);
    },
  };
}

/** The stages that a step waits for: those whose files it reads. */
export function stagesReadBy(operation: Operation): readonly number[] {
  switch (operation.op) {
    case "workdir":
      return [];
    case "copy":
      return stagesIn([operation.origin]);
    case "run":
      return stagesIn(operation.mounts.map((mount) => ("origin" in mount ? mount.origin : undefined)));
  }
}

/** A copy of all that a named context has, onto nothing: what FROM of such a context stands on. */
export function copyOfContext(name: string): CopyOperation {
  return {
    op: "copy",
    origin: { from: "context", name },
    words: [{ kind: "path", path: "" }],
    documents: [],
    target: "/",
    unpack: { local: false, remote: false },
    link: false,
    parents: false,
    exclude: [],
  };
}

function stagesIn(origins: readonly (FileOrigin | undefined)[]): readonly number[] {
  return origins.flatMap((origin) => (origin?.from === "stage" ? [origin.stage] : []));
}

function imageFiles(plan: BuildPlan, image: string): Files {
  const { layers } = plan.image(image);
  return { layers, chain: baseChain(layers.map(({ diffId }) => diffId)) };
}

function isPaths(run: readonly string[] | HttpSource | GitSource): run is readonly string[] {
  return Array.isArray(run);
}

/** Paths that follow each other are asked for together. */
function inRuns(words: CopyOperation["words"]): readonly (readonly string[] | HttpSource | GitSource)[] {
  const runs: (string[] | HttpSource | GitSource)[] = [];
  for (const word of words) {
    const last = runs.at(-1);
    if (word.kind !== "path") runs.push(word);
    else if (Array.isArray(last)) last.push(word.path);
    else runs.push([word.path]);
  }
  return runs;
}
