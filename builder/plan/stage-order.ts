import { TsbuildError } from "../../store/errors.ts";
import { collecting, type DockerfileError } from "../dockerfile/errors.ts";
import { quoted } from "../dockerfile/fault.ts";
import type { Dockerfile, Instruction } from "../dockerfile/instruction.ts";
import { stageLabel } from "./stages.ts";

/** That a stage must be done before another. */
export interface StageNeed {
  /** By index. */
  readonly stage: number;
  /** Which needs it, and how errors call that. */
  readonly instruction: Instruction;
  readonly text: string;
  /** Whether it may stand behind the one that needs it: names in --from mean earlier stages only, those of contexts mean any. */
  readonly mayBeLater: boolean;
}

type Needs = ReadonlyMap<number, readonly StageNeed[]>;

/** Looking for a circle takes all needs, and a hostile file may have many times many; more errors than these nobody reads. */
const maxCircles = 50;
const none: Needs = new Map();

/**
 * The stages in the order of the file, but each behind all that it needs. Stages that need each other, and stages named before they are defined, go to `onError`; the
 * order is then of no use.
 */
export function stagesInOrder(dockerfile: Dockerfile, needs: Needs, onError: (error: DockerfileError) => void): readonly number[] {
  const later = [...needs]
    .sort(([a], [b]) => a - b)
    .flatMap(([stage, wanted]) => wanted.flatMap((need) => (need.mayBeLater ? [] : [{ stage, need }])));
  for (const [i, { stage, need }] of later.entries()) {
    const known = i < maxCircles ? needs : none;
    collecting(onError, dockerfile, need.instruction.range, () => refuseLater(dockerfile, known, stage, need));
  }
  if (later.length > 0) return [];
  const order: number[] = [];
  const done = new Set<number>();
  let left = [...needs.keys()].sort((a, b) => a - b);
  while (left.length > 0) {
    const blocked = left.filter((stage) => {
      if (!(needs.get(stage) ?? []).every((need) => done.has(need.stage))) return true;
      order.push(stage);
      done.add(stage);
      return false;
    });
    if (blocked.length === left.length) {
      refuseCircle(dockerfile, needs, blocked, onError);
      return [];
    }
    left = blocked;
  }
  return order;
}

function refuseLater(dockerfile: Dockerfile, needs: Needs, stage: number, need: StageNeed): never {
  const reading = `reading ${quoted(need.text).slice(1, -1)}`;
  const label = stageLabel(dockerfile, need.stage);
  const circle = need.stage === stage ? undefined : pathBetween(needs, need.stage, stage);
  if (circle !== undefined) throw circular(dockerfile, reading, [stage, ...circle]);
  throw new TsbuildError("INVALID_STAGE", `${reading}: stage "${label}" must be defined before this one`, {
    hint: need.stage === stage ? "a stage cannot read from itself" : `move stage "${label}" above this one`,
  });
}

function refuseCircle(dockerfile: Dockerfile, needs: Needs, blocked: readonly number[], onError: (error: DockerfileError) => void): void {
  for (const stage of blocked) {
    for (const need of needs.get(stage) ?? []) {
      const path = pathBetween(needs, need.stage, stage);
      if (path === undefined) continue;
      collecting(onError, dockerfile, need.instruction.range, () => {
        throw circular(dockerfile, `reading ${quoted(need.text).slice(1, -1)}`, [stage, ...path]);
      });
      return;
    }
  }
}

function circular(dockerfile: Dockerfile, reading: string, chain: readonly number[]): TsbuildError {
  const names = chain.map((stage) => `"${stageLabel(dockerfile, stage)}"`);
  return new TsbuildError("CIRCULAR_DEPENDENCY", `${reading}: stages need each other: ${shortened(names).join(" → ")}`);
}

const maxShown = 12;

function shortened(names: readonly string[]): readonly string[] {
  return names.length <= maxShown ? names : [...names.slice(0, maxShown - 2), "…", ...names.slice(-1)];
}

/** The stages from one to another along what they need, both included. */
function pathBetween(needs: Needs, from: number, to: number): readonly number[] | undefined {
  const cameFrom = new Map<number, number | undefined>([[from, undefined]]);
  const waiting = [from];
  for (let stage = waiting.shift(); stage !== undefined; stage = waiting.shift()) {
    if (stage === to) {
      const path: number[] = [];
      for (let at: number | undefined = to; at !== undefined; at = cameFrom.get(at)) path.unshift(at);
      return path;
    }
    for (const { stage: next } of needs.get(stage) ?? []) {
      if (cameFrom.has(next)) continue;
      cameFrom.set(next, stage);
      waiting.push(next);
    }
  }
  return undefined;
}
