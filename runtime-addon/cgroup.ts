/** What everything in a group has used together. */
export interface CgroupUsage {
  readonly cpuMs: number;
  readonly peakMemoryBytes: number;
  readonly readBytes?: number;
  readonly writtenBytes?: number;
  /** The kernel killed a process of the group for lack of memory. */
  readonly oomKilled: boolean;
}

/** Control groups of one sandbox. */
export interface Cgroup {
  /** Moves a process into the groups. */
  add(pid: number): void;
  usage(): CgroupUsage;
}
