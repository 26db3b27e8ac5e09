import type { BuildEvent, StepUsage } from "./event.ts";
import { formatBytes, formatDuration, formatMemory } from "./measures.ts";

type StepEnd = Extract<BuildEvent, { type: "step-end" }>;

/** "done 3.2 s, 2.9 s cpu, 120 MiB memory": what the end of a step says, in one line. `startMs` is the start's `atMs`. */
export function describeResult(end: StepEnd, startMs: number | undefined): string {
  const said: string[] = [];
  if (end.outcome === "cached" || startMs === undefined) said.push(end.outcome);
  else said.push(`${end.outcome} ${formatDuration(end.usage?.wallMs ?? end.atMs - startMs)}`);
  if (end.usage !== undefined) said.push(...describeUsage(end.usage));
  if (end.note !== undefined) said.push(end.note);
  return said.join(", ");
}

function describeUsage(usage: StepUsage): string[] {
  const said: string[] = [];
  if (usage.cpuMs !== undefined) said.push(`${formatDuration(usage.cpuMs)} cpu`);
  if (usage.peakMemoryBytes !== undefined)
    said.push(`${formatMemory(usage.peakMemoryBytes)} memory${usage.peakMemoryOf === "largest" ? " (largest process)" : ""}`);
  if (usage.readBytes) said.push(`${formatBytes(usage.readBytes)} read`);
  if (usage.network === "host") said.push("network of the host");
  if (usage.writtenBytes) said.push(`${formatBytes(usage.writtenBytes)} written`);
  if (usage.peakPids) said.push(usage.peakPids === 1 ? "1 process" : `${usage.peakPids} processes`);
  return said;
}
