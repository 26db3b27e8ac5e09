import { openPatterns } from "../runtime-addon/index.ts";
import type { Platform } from "../store/oci.ts";
import { annotationsAt } from "../store/registry/placed-annotations.ts";
import type { Store } from "../store/store.ts";
import { assembleConfig } from "./assemble.ts";
import type { FinishedImage } from "./deliver.ts";
import type { BuiltStages } from "./execute.ts";
import type { BuildPlan, StageWork } from "./plan/build-plan.ts";
import type { Operation } from "./plan/operation.ts";
import type { PlatformPlan } from "./plan-platforms.ts";
import type { StepInfo } from "./progress/event.ts";
import { distinct, leaksInTree, refuseLeaks } from "./secrets/gate.ts";
import { baseLayersBelow, squash } from "./squash.ts";
import { stepsOfLayers } from "./target-layers.ts";

/** A plan whose steps are done. */
export interface BuiltPlan extends PlatformPlan {
  readonly results: BuiltStages;
}

/** A target's image for one platform. */
export interface PlatformImage extends FinishedImage {
  /** What it was built for. */
  readonly platform: Platform;
  /** As of PlatformBuild. */
  readonly steps: readonly StepInfo[];
}

/** Makes the image of a target, its layers merged where that is asked for. Throws what refuseLeaks and squash throw. */
export async function finishImage(store: Store, built: BuiltPlan, target: StageWork, names: readonly string[]): Promise<PlatformImage> {
  const { site, plan } = built;
  const { options, signal } = site;
  const image = imageOf(built, target, names);
  await refuseSecretsIn(image, built);
  if (options.squash === undefined) return image;
  const { fetcher } = await site.finder();
  const keep = options.squash === "all" ? 0 : baseLayersBelow(plan, target);
  return squash(store, image, { keep, fetcher, signal });
}

function imageOf({ plan, site, results }: BuiltPlan, target: StageWork, names: readonly string[]): PlatformImage {
  const { options, asked, planOptions, epoch } = site;
  const config = assembleConfig(plan, target, results, {
    labels: options.labels,
    ...(asked === undefined ? {} : { platform: asked }),
    ...(epoch === undefined ? {} : { epoch }),
  });
  const platform = asked ?? planOptions.platform;
  const layers = results.get(target.index)?.files.layers ?? [];
  const steps = options.squash === undefined ? stepsOfLayers(plan, target) : [];
  const annotations = { ...options.annotations, ...annotationsAt(options.placedAnnotations, "manifest", platform) };
  return { platform, config, layers, steps, annotations, names };
}

/** Steps have looked at their layers; this is for what else leaves: of all that the build's steps were given, cached or not. */
async function refuseSecretsIn({ config, annotations }: FinishedImage, { plan, site: { secrets, options } }: BuiltPlan): Promise<void> {
  const given = (await Promise.all([...secretsOf(plan)].map((id) => secrets.get(id)))).filter((secret) => secret !== undefined);
  const patterns = given.flatMap((secret) => secret.patterns);
  if (patterns.length === 0) return;
  const onWarning = (message: string) => options.onEvent({ type: "warning", message });
  const opened = openPatterns(patterns);
  const placed = options.placedAnnotations.map(({ key, value }) => ({ [key]: value }));
  const ofOutputs = options.outputs.flatMap((output) => ("annotations" in output ? [output.annotations] : []));
  const leaks = [annotations, ...placed, ...ofOutputs].flatMap((named) => leaksInTree(named, "annotations", opened));
  refuseLeaks(distinct([...leaksInTree(config, "the configuration", opened), ...leaks]), given, secrets, onWarning);
}

function secretsOf({ stages }: BuildPlan): ReadonlySet<string> {
  return new Set(stages.flatMap(({ steps }) => steps.flatMap(({ operation }) => secretIds(operation))));
}

function secretIds(operation: Operation): readonly string[] {
  return operation.op === "run" ? operation.mounts.flatMap((mount) => (mount.type === "secret" ? [mount.id] : [])) : [];
}
