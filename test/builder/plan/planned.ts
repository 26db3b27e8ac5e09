import { DockerfileError } from "../../../builder/dockerfile/errors.ts";
import { parseDockerfile } from "../../../builder/dockerfile/parse.ts";
import {
  type BuildPlan,
  outlineBuild,
  type PlannedImage,
  type PlanOptions,
  planBuild,
  type StageWork,
} from "../../../builder/plan/build-plan.ts";
import { imageKey } from "../../../builder/plan/stages.ts";
import type { ContainerConfig, ImageConfig } from "../../../store/oci.ts";

export const amd64 = { os: "linux", architecture: "amd64" } as const;

export type Planning = Partial<PlanOptions> & {
  /** Base images by name: what their configs say. */
  readonly images?: Readonly<Record<string, ContainerConfig | { readonly whole: Partial<ImageConfig> }>>;
};

/** What the plan of a build depends on, as a plain build has it. */
export const plainOptions: PlanOptions = { targets: [], contexts: {}, hermetic: false, buildArgs: {}, platform: amd64, network: "default" };

/** The plan of a Dockerfile, with its first target; images that are not given have an empty config and no layers. */
export function planned(text: string, { images = {}, ...options }: Planning = {}): BuildPlan & { readonly target: StageWork } {
  const dockerfile = parseDockerfile(text, "Dockerfile");
  const all: PlanOptions = { ...plainOptions, ...options };
  const resolved = new Map<string, PlannedImage>();
  let outline = outlineBuild(dockerfile, all, resolved);
  for (let missing = outline.images; missing.length > 0; missing = outline.images.filter((use) => !resolved.has(imageKey(use)))) {
    for (const use of missing) resolved.set(imageKey(use), imageOf(images[use.image]));
    outline = outlineBuild(dockerfile, all, resolved);
  }
  const plan = planBuild(dockerfile, outline, resolved, all);
  const [target] = plan.targets;
  if (target === undefined) throw new Error("no target");
  return { ...plan, target };
}

function imageOf(config: NonNullable<Planning["images"]>[string] = {}): PlannedImage {
  const whole = "whole" in config ? config.whole : { config };
  return { config: { ...amd64, rootfs: { type: "layers", diff_ids: [] }, ...whole }, layers: [] };
}

/** The code, message, hint and line of the error that planning throws. */
export function planError(text: string, options: Planning = {}): { code: string; message: string; hint?: string; line: number } {
  try {
    planned(text, options);
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error;
    const { code, message, hint, range } = error;
    return { code, message, ...(hint === undefined ? {} : { hint }), line: range.start.line };
  }
  throw new Error("planning threw nothing");
}
