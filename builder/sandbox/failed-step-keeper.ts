import type { Digest } from "../../store/digest.ts";

/**
 * Keeps one failed step of a build, and says whether it is this one: whose turn is first, unless the build was stopped by another failure before. That nothing could be kept (the disk is full)
 * must not hide why the step failed: then it is the next one's turn.
 */
export type FailedStepKeeper = (keep: (build: Digest) => Promise<void>, signal: AbortSignal) => Promise<boolean>;

export function failedStepKeeper(build: Digest): FailedStepKeeper {
  let turn: Promise<unknown> = Promise.resolve();
  let isTaken = false;
  return (keep, signal) => {
    const kept = turn.then(async () => {
      if (isTaken || signal.aborted) return false;
      isTaken = await keep(build).then(
        () => true,
        () => false,
      );
      return isTaken;
    });
    turn = kept;
    return kept;
  };
}
