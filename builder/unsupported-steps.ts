import { TsbuildError } from "../store/errors.ts";
import { collecting, type DockerfileError, throwCollected } from "./dockerfile/errors.ts";
import type { Entitlement, ResolvedBuildOptions } from "./options.ts";
import type { BuildPlan } from "./plan/build-plan.ts";
import type { RunOperation } from "./plan/operation.ts";
import { refuseUnsupported, unsupportedFlag } from "./steps/run-mounts.ts";

type Permissions = Pick<ResolvedBuildOptions, "allow" | "network">;

/** Throws UNSUPPORTED_FEATURE for all steps that can be planned but not yet be run, and NOT_ALLOWED for those that ask for what is not allowed. */
export function refuseSteps({ dockerfile, stages }: BuildPlan, permissions: Permissions): void {
  const errors: DockerfileError[] = [];
  for (const { instruction, operation } of stages.flatMap(({ steps }) => steps)) {
    if (operation.op !== "run") continue;
    collecting(
      (error) => void errors.push(error),
      dockerfile,
      instruction.range,
      () => {
        refuseUnsupported(operation);
        refuseUnentitled(operation, permissions);
      },
    );
  }
  throwCollected(errors);
}

/** The words of BuildKit. Who gives all steps the host's network has said what there is to say. */
function refuseUnentitled({ security, network }: RunOperation, { allow = [], network: usual }: Permissions): void {
  const wanted: readonly (readonly [Entitlement, boolean, string])[] = [
    ["security.insecure", security === "insecure", "--security=insecure"],
    ["network.host", network === "host" && usual !== "host", "--network=host"],
  ];
  for (const [entitlement, isAsked, flag] of wanted) {
    if (!isAsked || allow.includes(entitlement)) continue;
    throw new TsbuildError("NOT_ALLOWED", `planning the build: RUN ${flag}: ${entitlement} is not allowed`, {
      hint: `allow it: --allow ${entitlement}`,
    });
  }
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
