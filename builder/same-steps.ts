import { canonicalJson } from "../store/canonical-json.ts";
import { type Digest, digestOf } from "../store/digest.ts";
import type { Operation } from "./plan/operation.ts";
import type { Files, StepOutcome } from "./steps/step.ts";

/** What a step that makes a layer without running a command depends on, in one build. */
export interface SameStep {
  readonly operation: Exclude<Operation, { op: "run" }>;
  /** What it stands on. */
  readonly files: Files;
  /** What it copies from, where that are layers. */
  readonly origin?: Files;
  /** Seconds. */
  readonly epoch?: number;
  readonly useCache: boolean;
}

/** Does the same step once, for whatever stages and platforms of a build it is wanted; all but the first get its layer as a cached one. */
export type OncePerStep = (step: SameStep, work: () => Promise<StepOutcome>) => Promise<StepOutcome>;

export function sameSteps(): OncePerStep {
  const done = new Map<Digest, Promise<StepOutcome>>();
  return (step, work) => {
    const name = nameOf(step);
    const known = done.get(name);
    if (known !== undefined) return known.then(asCached);
    const outcome = work();
    done.set(name, outcome);
    return outcome;
  };
}

/** To whom the work was not done. What there was to say of it has been said. */
export function asCached({ layer, created }: StepOutcome): StepOutcome {
  return { layer, created, cached: true };
}

/** All that decides what becomes of it but the files of contexts and of the web, which are the same in all of the build. */
function nameOf({ operation, files, origin, epoch, useCache }: SameStep): Digest {
  return digestOf(canonicalJson([operation, files.chain, origin?.chain ?? null, epoch ?? null, useCache]));
}
