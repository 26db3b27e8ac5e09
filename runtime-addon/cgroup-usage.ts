import { readFileSync } from "node:fs";
import { join } from "node:path";
import { OWN_PROCESSES } from "./cgroup-files.ts";

/** What a sandbox has used. */
export interface CgroupUsage {
  readonly cpuMs: number;
  readonly peakMemoryBytes: number;
  /** Whose peak that is: of all processes together, which only a group knows, or of the one that had most. */
  readonly peakMemoryOf: "all" | "largest";
  readonly readBytes: number;
  readonly writtenBytes: number;
  /** The kernel killed a process of the group for lack of memory. */
  readonly oomKilled: boolean;
  /** Most processes and threads of the command at a time; only a group knows. */
  readonly peakPids?: number;
  /** The limit of processes kept the command from starting one. */
  readonly pidsRefused?: boolean;
}

/** What the files of one v1 group tell, as far as its controllers have them. */
export function usageV1(directory: string): Partial<CgroupUsage> {
  const peak = numberIn(directory, "memory.max_usage_in_bytes");
  const oom = counters(directory, "memory.oom_control").get("oom_kill");
  const cpuNs = numberIn(directory, "cpuacct.usage");
  const io = textIn(directory, "blkio.throttle.io_service_bytes_recursive");
  return {
    ...(peak !== undefined && { peakMemoryBytes: peak, peakMemoryOf: "all" }),
    ...(oom !== undefined && { oomKilled: oom > 0 }),
    ...(cpuNs !== undefined && { cpuMs: cpuNs / 1e6 }),
    ...(io !== undefined && { readBytes: sumOf(io, / Read (\d+)/g), writtenBytes: sumOf(io, / Write (\d+)/g) }),
    ...pidsUsage(directory),
  };
}

/** The same of a v2 group. memory.peak needs Linux 5.19. */
export function usageV2(directory: string): Partial<CgroupUsage> {
  const peak = numberIn(directory, "memory.peak");
  const oom = counters(directory, "memory.events").get("oom_kill");
  const cpuUs = counters(directory, "cpu.stat").get("usage_usec");
  const io = textIn(directory, "io.stat");
  return {
    ...(peak !== undefined && { peakMemoryBytes: peak, peakMemoryOf: "all" }),
    ...(oom !== undefined && { oomKilled: oom > 0 }),
    ...(cpuUs !== undefined && { cpuMs: cpuUs / 1000 }),
    ...(io !== undefined && { readBytes: sumOf(io, /\brbytes=(\d+)/g), writtenBytes: sumOf(io, /\bwbytes=(\d+)/g) }),
    ...pidsUsage(directory),
  };
}

/** The same in both versions. Older kernels have no pids.peak. */
function pidsUsage(directory: string): Partial<CgroupUsage> {
  const peak = numberIn(directory, "pids.peak");
  const refused = counters(directory, "pids.events").get("max");
  return {
    ...(peak !== undefined && { peakPids: Math.max(0, peak - OWN_PROCESSES) }),
    ...(refused !== undefined && { pidsRefused: refused > 0 }),
  };
}

function numberIn(directory: string, file: string): number | undefined {
  const text = textIn(directory, file);
  return text === undefined ? undefined : Number(text);
}

/** Lines of "name number". */
function counters(directory: string, file: string): Map<string, number> {
  const lines = (textIn(directory, file) ?? "").trim().split("\n");
  return new Map(lines.map((line) => [line.split(" ")[0] ?? "", Number(line.split(" ")[1])]));
}

function sumOf(text: string, numbers: RegExp): number {
  return [...text.matchAll(numbers)].reduce((sum, [, number]) => sum + Number(number), 0);
}

function textIn(directory: string, file: string): string | undefined {
  try {
    return readFileSync(join(directory, file), "utf8");
  } catch {
    // This kernel or this group has no such file: the figure is not known.
    return undefined;
  }
}
