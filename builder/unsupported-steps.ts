import { collecting, type DockerfileError, throwCollected } from "./dockerfile/errors.ts";
import type { BuildPlan } from "./plan/build-plan.ts";
import { refuseUnsupported, unsupportedFlag } from "./steps/run-mounts.ts";

/** Throws UNSUPPORTED_FEATURE for all steps that can be planned but not yet be run. */
export function refuseSteps({ dockerfile, stages }: BuildPlan): void {
  const errors: DockerfileError[] = [];
  for (const { instruction, operation } of stages.flatMap(({ steps }) => steps)) {
    if (operation.op !== "run") continue;
    collecting(
      (error) => void errors.push(error),
      dockerfile,
      instruction.range,
      () => refuseUnsupported(operation),
    );
  }
  throwCollected(errors);
}

/** Those steps, by id, each with the flag that cannot be done. */
export function unsupportedSteps({ stages }: BuildPlan): ReadonlyMap<number, string> {
  return new Map(
    stages.flatMap(({ steps, infos }) =>
      steps.flatMap(({ operation }, i) => {
        const flag = operation.op === "run" ? unsupportedFlag(operation) : undefined;
        const id = infos[i]?.id;
        return flag === undefined || id === undefined ? [] : [[id, flag] as const];
      }),
    ),
  );
}
