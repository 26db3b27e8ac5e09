import type { StepInfo } from "../progress/event.ts";
import type { BuildPlan, StageWork } from "./build-plan.ts";

/** The plans of one build for several platforms, their steps numbered through: an id is of one step of the build. Pure. */
export function numberedPlans<Plan extends BuildPlan>(plans: readonly Plan[]): readonly Plan[] {
  let before = 0;
  return plans.map((plan) => {
    const numbered = renumbered(plan, before);
    before += stepsOf(plan).length;
    return numbered;
  });
}

/** All steps of a plan, by their ids. */
export function stepsOf({ stages }: Pick<BuildPlan, "stages">): readonly StepInfo[] {
  return stages.flatMap(({ fromInfo, infos }) => [fromInfo, ...infos]).sort((a, b) => a.id - b.id);
}

function renumbered<Plan extends BuildPlan>(plan: Plan, by: number): Plan {
  if (by === 0) return plan;
  const info = (step: StepInfo): StepInfo => ({ ...step, id: step.id + by });
  const stages = new Map<StageWork, StageWork>(
    plan.stages.map((stage) => [stage, { ...stage, fromInfo: info(stage.fromInfo), infos: stage.infos.map(info) }]),
  );
  return { ...plan, stages: [...stages.values()], targets: plan.targets.map((target) => stages.get(target) ?? target) };
}
