import { located } from "./dockerfile/errors.ts";
import type { Execution } from "./execute.ts";
import type { StageWork } from "./plan/build-plan.ts";
import { ofPlatform } from "./platform-error.ts";
import { refuseForeign } from "./sandbox/runnable.ts";
import { mayBeRecorded } from "./steps/run.ts";

type Prospect = Pick<Execution, "plan" | "cache" | "useCache" | "epoch"> & {
  readonly run: Pick<Execution["run"], "addHosts" | "security">;
};

/**
 * Throws UNSUPPORTED_PLATFORM, before anything else is done, for a RUN that this machine cannot run and that has to run: nothing like it was ever recorded. What was may still turn out to be
 * cached.
 */
export async function refuseForeignSteps(executions: readonly Prospect[]): Promise<void> {
  for (const execution of executions) {
    for (const stage of execution.plan.stages) await refuseIn(stage, execution);
  }
}

async function refuseIn(stage: StageWork, { plan, cache, run, useCache, epoch }: Prospect): Promise<void> {
  const runs = stage.steps.flatMap(({ operation, instruction }) => (operation.op === "run" ? [{ operation, instruction }] : []));
  if (runs.length === 0) return;
  try {
    refuseForeign(stage.basePlatform, "running the command");
  } catch (error) {
    const context = { cache, platform: stage.platform, ...(epoch === undefined ? {} : { epoch }) };
    for (const { operation, instruction } of runs) {
      if (useCache(stage) && (await mayBeRecorded(operation, context, run))) continue;
      const refused = located(error, plan.dockerfile, instruction.range);
      throw plan.platform === undefined ? refused : ofPlatform(refused, plan.platform);
    }
  }
}
