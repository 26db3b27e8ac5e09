import type { StageWork } from "./build-plan.ts";
import type { Operation } from "./operation.ts";

/**
 * For each RUN with a network of its own, how many more of them come after it: later in its stage, or in one that stands on that; of several such stages the
 * one with most counts. Whether they will really run is not known here. Pure.
 */
export function networksAfter(stages: readonly Pick<StageWork, "index" | "needs" | "steps">[]): ReadonlyMap<Operation, number> {
  const counts = new Map<Operation, number>();
  /** By the stages that others stand on. */
  const above = new Map<number, number>();
  for (const { index, needs, steps } of [...stages].reverse()) {
    let after = above.get(index) ?? 0;
    for (const { operation } of [...steps].reverse()) {
      if (operation.op !== "run" || operation.network !== "default") continue;
      counts.set(operation, after);
      after++;
    }
    for (const below of needs) above.set(below, Math.max(after, above.get(below) ?? 0));
  }
  return counts;
}
