import type { CheckInput } from "../checks/check-input.ts";
import { type CheckedFile, checkedFile } from "../checks/checked-file.ts";
import { commentsOf, descriptionOf } from "../checks/comments.ts";
import { walkStages } from "../checks/walk-stages.ts";
import type { PlannedStage } from "../plan/stages.ts";
import { argsOfStage, globalArgInfos } from "./outline-args.ts";
import { mountsOfStep } from "./outline-mounts.ts";
import type { OutlineArg, OutlineItem, OutlineMount, StageOutline, TargetOutline } from "./target-outline.ts";

/** `input.stages` are those that the target needs. Pure. */
export function outlineTarget(input: CheckInput, target: PlannedStage): TargetOutline {
  const file = checkedFile(input);
  const stages = outlinesOf(file, input);
  const order = reached(target, new Map(input.stages.map((stage) => [stage.index, stage])));
  const parts = order.flatMap((index) => stages.get(index) ?? []);
  const { from } = target.stage;
  const description = target.name === undefined ? undefined : descriptionOf(target.name, commentsOf(input.dockerfile)(from));
  return {
    ...(target.name === undefined ? {} : { name: target.name }),
    ...(description === undefined ? {} : { description }),
    args: merged(parts.map(({ args }) => args)),
    secrets: merged(parts.map(({ secrets }) => secrets)),
    ssh: merged(parts.map(({ ssh }) => ssh)),
    caches: merged(parts.map(({ caches }) => caches)),
  };
}

function outlinesOf(file: CheckedFile, input: CheckInput): ReadonlyMap<number, StageOutline> {
  const globals = globalArgInfos(file);
  const found = new Map<number, { args: OutlineArg[]; secrets: OutlineMount[]; ssh: OutlineMount[]; caches: OutlineItem[] }>();
  walkStages(file, input, {
    stage({ planned }) {
      const from = file.froms[planned.index];
      const args = from === undefined ? [] : globals.usedBy([...(from.image?.used ?? []), ...(from.platform?.used ?? [])]);
      found.set(planned.index, { args: [...args], secrets: [], ssh: [], caches: [] });
    },
    step(step) {
      const outline = found.get(step.stage.planned.index);
      if (step.instruction.keyword === "ARG") outline?.args.push(...argsOfStage(step, step.instruction, file, globals));
      if (step.instruction.keyword !== "RUN") return;
      const mounts = mountsOfStep(step, step.instruction);
      outline?.secrets.push(...mounts.secrets);
      outline?.ssh.push(...mounts.ssh);
      outline?.caches.push(...mounts.caches);
    },
  });
  return found;
}

/** The target's own stage first, then its base's, then those that it reads from. */
function reached(target: PlannedStage, stages: ReadonlyMap<number, PlannedStage>): readonly number[] {
  const seen = new Set<number>();
  const visit = (index: number): void => {
    const stage = stages.get(index);
    if (stage === undefined || seen.has(index)) return;
    seen.add(index);
    if (stage.base.kind === "stage") visit(stage.base.stage);
    for (const origin of [...stage.origins.values()].flat()) if (origin?.from === "stage") visit(origin.stage);
  };
  visit(target.index);
  return [...seen];
}

/** Of several of one name the last of the stage that comes first. */
function merged<T extends OutlineItem>(lists: readonly (readonly T[])[]): readonly T[] {
  const found = new Map<string, T>();
  for (const list of lists) {
    const own = new Map(list.map((item) => [item.name, item]));
    for (const [name, item] of own) if (!found.has(name)) found.set(name, item);
  }
  return [...found.values()].sort((a, b) => a.range.start.line - b.range.start.line);
}
