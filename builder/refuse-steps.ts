import { TsbuildError } from "../store/errors.ts";
import { collecting, type DockerfileError, throwCollected } from "./dockerfile/errors.ts";
import type { Entitlement, ResolvedBuildOptions } from "./options.ts";
import type { BuildPlan } from "./plan/build-plan.ts";
import type { RunOperation } from "./plan/operation.ts";

type Permissions = Pick<ResolvedBuildOptions, "allow" | "network">;

/** Throws NOT_ALLOWED for all steps that ask for what is not allowed. */
export function refuseSteps({ dockerfile, stages }: BuildPlan, permissions: Permissions): void {
  const errors: DockerfileError[] = [];
  for (const { instruction, operation } of stages.flatMap(({ steps }) => steps)) {
    if (operation.op !== "run") continue;
    collecting(
      (error) => void errors.push(error),
      dockerfile,
      instruction.range,
      () => refuseUnentitled(operation, permissions),
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
