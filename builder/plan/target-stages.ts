import { TsbuildError } from "../../store/errors.ts";
import type { Dockerfile } from "../dockerfile/instruction.ts";
import { nearest } from "../dockerfile/suggest.ts";
import { findStage } from "./stages.ts";

/** The stages that the names mean, each once: the last stage where there are none, all for "*". Throws UNKNOWN_TARGET. */
export function targetStages(dockerfile: Dockerfile, names: readonly string[]): readonly number[] {
  if (names.length === 0) return [dockerfile.stages.length - 1];
  return [
    ...new Set(names.flatMap((name) => (name === "*" ? dockerfile.stages.map((_, index) => index) : [stageNamed(dockerfile, name)]))),
  ];
}

/** The last stage of a name, wherever it stands. Throws UNKNOWN_TARGET. */
export function stageNamed(dockerfile: Dockerfile, name: string): number {
  const found = findStage(dockerfile, name, dockerfile.stages.length, false);
  if (found !== undefined) return found;
  const names = dockerfile.stages.flatMap((stage) => (stage.from.stage === undefined ? [] : [stage.from.stage]));
  const near = nearest(name, names);
  throw new TsbuildError("UNKNOWN_TARGET", `looking for the target stage "${name}": ${dockerfile.file} has no stage of that name`, {
    hint:
      near !== undefined
        ? `did you mean "${near}"?`
        : names.length > 0
          ? `its stages are: ${names.join(", ")}`
          : "it has no named stages: add AS <name> to a FROM",
  });
}
