import type { BuildPlan, StageWork } from "./plan/build-plan.ts";
import type { StepInfo } from "./progress/event.ts";

/** The steps that made a target's layers, bottom first, those of the stages that it stands on too; layers of a base image come before them. Pure. */
export function stepsOfLayers({ stages }: Pick<BuildPlan, "stages">, target: StageWork): readonly StepInfo[] {
  const { base, fromInfo, infos } = target;
  if (base.kind === "context") return [fromInfo, ...infos];
  if (base.kind !== "stage") return infos;
  const parent = stages.find(({ index }) => index === base.stage);
  if (parent === undefined) throw new RangeError(`stage ${base.stage} was not planned`);
  return [...stepsOfLayers({ stages }, parent), ...infos];
}
