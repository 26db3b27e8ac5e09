import { askSources } from "./ask-sources.ts";
import type { BuildSite } from "./build-site.ts";
import { DockerfileError, DockerfileErrors, throwCollected } from "./dockerfile/errors.ts";
import type { FoundImage } from "./found-image.ts";
import type { BuildPlan } from "./plan/build-plan.ts";
import { stageLabel } from "./plan/stages.ts";
import { planSite } from "./plan-site.ts";

/**
 * Where a lock file will be written: asks for all that other stages take from elsewhere than those of the plan, so that the file is the Dockerfile's and not a target's. Resolves with
 * whether everything could be asked; notes say what could not.
 */
export async function lockOtherStages(plan: BuildPlan, images: ReadonlyMap<string, FoundImage>, site: BuildSite): Promise<boolean> {
  const { dockerfile, lock, options, onNote } = site;
  if (lock.written === undefined) return true;
  // Nobody builds them, so nothing needs to be said of them.
  const silent: BuildSite = { ...site, options: { ...options, onEvent: () => undefined } };
  const asked = new Set(plan.stages.map(({ index }) => index));
  let known = images;
  let isWhole = true;
  for (const [index, { from }] of dockerfile.stages.entries()) {
    if (asked.has(index)) continue;
    try {
      // A stage without a name can be no target of its own.
      const targets = [from.stage ?? "*"];
      const other = await planSite({ ...silent, planOptions: { ...site.planOptions, targets } }, known);
      throwCollected(await askSources(other.plan, site));
      for (const stage of other.plan.stages) asked.add(stage.index);
      known = other.images;
    } catch (error) {
      if (!(error instanceof DockerfileError || error instanceof DockerfileErrors)) throw error;
      onNote(
        `what the stage ${stageLabel(dockerfile, index)} takes could not be locked, and the lock file keeps what it had: ${error.message}`,
      );
      isWhole = false;
    }
  }
  return isWhole;
}
