import type { ResolvedBuildOptions } from "./options.ts";
import type { StageWork } from "./plan/build-plan.ts";

/** Whether a stage's steps may take what the store has. */
export function usesCache({ noCache, noCacheFilter }: ResolvedBuildOptions): (stage: StageWork) => boolean {
  return (stage) => !noCache && !noCacheFilter.some((name) => name.toLowerCase() === stage.name || name === String(stage.index));
}
