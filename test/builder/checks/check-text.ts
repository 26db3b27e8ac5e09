import type { CheckInput } from "../../../builder/checks/check-input.ts";
import { type CheckReport, runChecks } from "../../../builder/checks/run-checks.ts";
import { parseDockerfile } from "../../../builder/dockerfile/parse.ts";
import { outlineBuild, type PlannedImage } from "../../../builder/plan/build-plan.ts";
import type { PlannedStage } from "../../../builder/plan/stages.ts";
import { imageKey } from "../../../builder/plan/stages.ts";
import type { ImageConfig, Platform } from "../../../store/oci.ts";

export interface CheckedText {
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly platform?: Platform;
  /** Absent: all. */
  readonly targets?: readonly string[];
  /** The one image that is known, under the name "known". */
  readonly base?: Partial<ImageConfig>;
  /** Text of .dockerignore. */
  readonly ignore?: string;
}

export const amd64: Platform = { os: "linux", architecture: "amd64" };

/** A Dockerfile as checks and outlines take it, planned as a build would. */
export function inputOf(text: string, options: CheckedText = {}): CheckInput & { readonly targets: readonly PlannedStage[] } {
  const { buildArgs = {}, platform = amd64, targets = ["*"], base = {}, ignore } = options;
  const dockerfile = parseDockerfile(text, "Dockerfile");
  const config: ImageConfig = { ...platform, rootfs: { type: "layers", diff_ids: [] }, ...base };
  const images = new Map<string, PlannedImage>([[imageKey({ image: "known", platform }), { config, layers: [] }]]);
  const name = targets[0] === "*" ? (dockerfile.stages.at(-1)?.from.stage ?? "default") : targets[0];
  const planOptions = {
    targets,
    contexts: {},
    hermetic: false,
    buildArgs: { TARGETSTAGE: name ?? "default", ...buildArgs },
    platform,
    network: "default",
  } as const;
  const { plan } = outlineBuild(dockerfile, planOptions, images);
  return {
    ...{ dockerfile, buildArgs, platform, stages: plan.stages, images, targets: plan.targets },
    ...(ignore === undefined ? {} : { ignore: { file: ".dockerignore", text: ignore } }),
  };
}

export function checkText(text: string, options?: CheckedText): CheckReport {
  return runChecks(inputOf(text, options));
}

/** "LINE Rule: message" of each finding. */
export function findingsOf(text: string, options?: CheckedText): readonly string[] {
  return checkText(text, options).findings.map(({ rule, message, range }) => `${range.start.line} ${rule}: ${message}`);
}
