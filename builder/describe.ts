import { withBuildSite, withBuildSites } from "./build-site.ts";
import type { Source } from "./dockerfile/errors.ts";
import { isLockError } from "./lock/lock.ts";
import type { BuildOptions } from "./options.ts";
import { outlineTarget } from "./outline/outline-target.ts";
import { type ListedTarget, listTargets } from "./outline/target-list.ts";
import type { TargetOutline } from "./outline/target-outline.ts";
import { outlineSite } from "./plan-site.ts";

/**
 * What the target takes: build arguments, secrets, SSH agents, caches. Runs nothing. Base images are looked up for what their triggers take; one that cannot be
 * found takes nothing. Throws SEVERAL_PLATFORMS, what is wrong with the Dockerfile, LOCK_DRIFT and NOT_LOCKED.
 */
export function describeTarget(options: BuildOptions): Promise<{ readonly source: Source; readonly outline: TargetOutline }> {
  return withBuildSite(options, "telling what the target takes", async (site) => {
    const { dockerfile, planOptions, onNote } = site;
    const { outline, images } = await outlineSite(site, (error, { image }) => {
      if (isLockError(error)) throw error;
      onNote(`${image} is not known, nor what its triggers take: ${error.message}`);
    });
    const [target] = outline.plan.targets;
    if (target === undefined) throw new RangeError("there is no target");
    const [name] = planOptions.targets;
    const input = {
      dockerfile,
      images,
      buildArgs: planOptions.buildArgs,
      platform: planOptions.platform,
      stages: outline.plan.stages,
      ...(name === undefined ? {} : { target: name }),
    };
    return { source: dockerfile, outline: outlineTarget(input, target) };
  });
}

/** The stages that can be built, with their descriptions. Throws what is wrong with the Dockerfile. */
export function describeTargets(options: BuildOptions): Promise<{ readonly source: Source; readonly targets: readonly ListedTarget[] }> {
  return withBuildSites(options, async ([{ dockerfile }]) => ({ source: dockerfile, targets: listTargets(dockerfile) }));
}
