import { posix } from "node:path";
import { tolerant } from "../checks/checked-file.ts";
import type { CheckedStep } from "../checks/walk-stages.ts";
import type { Run } from "../dockerfile/instruction.ts";
import { mountSpec } from "../dockerfile/mount.ts";
import type { StageOutline } from "./target-outline.ts";

/** The secrets, SSH agents and caches that a RUN mounts. */
export function mountsOfStep({ expand }: CheckedStep, { mounts, range }: Run): Omit<StageOutline, "args"> {
  const specs = mounts.flatMap((flag) => tolerant(() => mountSpec(flag, (value) => expand(value)?.text ?? value)) ?? []);
  const of = (type: string) => specs.filter((spec) => spec.type === type);
  return {
    secrets: of("secret").map(({ id, source, target = "", required = false }) => ({
      name: id ?? source ?? posix.basename(target),
      isRequired: required,
      range,
    })),
    ssh: of("ssh").map(({ id = "default", required = false }) => ({ name: id, isRequired: required, range })),
    caches: of("cache").map(({ id, target = "" }) => ({ name: id ?? posix.resolve("/", target), range })),
  };
}
