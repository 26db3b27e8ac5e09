import type { CgroupUsage } from "../../runtime-addon/index.ts";
import type { ResourceLimits } from "../options.ts";
import { formatMemory } from "../progress/measures.ts";

/** A limit that a command ran into: what happened, and what to do about it. */
export interface LimitHit {
  readonly what: string;
  readonly hint: string;
}

/** What the exit code of a command does not tell of its end; undefined where it ran into no limit. */
export function limitHit(usage: Partial<CgroupUsage>, { memoryBytes, pids }: ResourceLimits): LimitHit | undefined {
  if (usage.oomKilled === true) {
    const figures = [
      ...(memoryBytes === undefined ? [] : [`limit ${formatMemory(memoryBytes)}`]),
      ...(usage.peakMemoryBytes === undefined ? [] : [`peak ${formatMemory(usage.peakMemoryBytes)}`]),
    ].join(", ");
    const hint = memoryBytes === undefined ? "the machine has not enough memory for it" : "raise --memory";
    return { what: `out of memory${figures === "" ? "" : ` (${figures})`}`, hint };
  }
  if (usage.pidsRefused === true && pids !== undefined) return { what: `out of processes (limit ${pids})`, hint: "raise --pids-limit" };
  return undefined;
}
