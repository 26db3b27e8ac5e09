import { DockerfileError } from "../../../builder/dockerfile/errors.ts";
import { parseDockerfile } from "../../../builder/dockerfile/parse.ts";
import { type BuildPlan, outlineBuild, type PlannedImage, type PlanOptions, planBuild } from "../../../builder/plan/build-plan.ts";
import { imageKey } from "../../../builder/plan/stages.ts";
import type { ContainerConfig, ImageConfig } from "../../../store/oci.ts";

export const amd64 = { os: "linux", architecture: "amd64" } as const;

export type Planning = Partial<PlanOptions> & {
  /** Base images by name: what their configs say. */
  readonly images?: Readonly<Record<string, ContainerConfig | { readonly whole: Partial<ImageConfig> }>>;
};

/** The plan of a Dockerfile; images that are not given have an empty config and no layers. */
export function planned(text: string, { images = {}, ...options }: Planning = {}): BuildPlan {
  const dockerfile = parseDockerfile(text, "Dockerfile");
  const all: PlanOptions = { buildArgs: {}, platform: amd64, network: "default", ...options };
  const { outline, sources, images: uses } = outlineBuild(dockerfile, all);
  const resolved = new Map(uses.map((use) => [imageKey(use), imageOf(images[use.image])]));
  return planBuild(dockerfile, outline, sources, resolved, all);
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
