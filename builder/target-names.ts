import { TsbuildError } from "../store/errors.ts";
import { nearest } from "./dockerfile/suggest.ts";
import type { BuildPlan, StageWork } from "./plan/build-plan.ts";

/**
 * Whose names the tags are. One target has them all; of several, each tag says in front whose it is: "TARGET=NAME", by the stage's name or number. Throws AMBIGUOUS_NAME,
 * UNKNOWN_TARGET.
 */
export function namesByTarget({ targets }: Pick<BuildPlan, "targets">, tags: readonly string[]): ReadonlyMap<StageWork, readonly string[]> {
  const names = new Map<StageWork, string[]>(targets.map((target) => [target, []]));
  for (const tag of tags) {
    const equals = tag.indexOf("=");
    const target = equals < 0 ? onlyTarget(targets, tag) : targetCalled(targets, tag.slice(0, equals), tag);
    names.get(target)?.push(tag.slice(equals + 1));
  }
  return names;
}

function onlyTarget(targets: readonly StageWork[], tag: string): StageWork {
  const [only, ...others] = targets;
  if (only !== undefined && others.length === 0) return only;
  throw new TsbuildError("AMBIGUOUS_NAME", `naming the images: "${tag}" could be the name of each of the ${targets.length} targets`, {
    hint: `say whose it is: ${calledAs(targets[0])}=${tag}`,
  });
}

function targetCalled(targets: readonly StageWork[], called: string, tag: string): StageWork {
  const found = targets.find((target) => called.toLowerCase() === target.name || called === String(target.index));
  if (found !== undefined) return found;
  const names = targets.map(calledAs);
  const near = nearest(called, names);
  throw new TsbuildError("UNKNOWN_TARGET", `naming the images: "${tag}" is for "${called}", which is no target of this build`, {
    hint: near === undefined ? `its targets are: ${names.join(", ")}` : `did you mean "${near}"?`,
  });
}

function calledAs(target: StageWork | undefined): string {
  return target?.name ?? String(target?.index);
}
