/** Limits of one sandbox; absent means none. */
export interface ResourceLimits {
  readonly memoryBytes?: number;
  /** Memory and swap together, as in Docker; -1 is unlimited, absent is twice the memory. */
  readonly memorySwapBytes?: number;
  /** Processors' worth of time, e.g. 1.5. */
  readonly cpus?: number;
  readonly cpuShares?: number;
  readonly cpusetCpus?: string;
  /** Processes and threads of the command. */
  readonly pids?: number;
}

/** A file of a group that sets a limit. */
export interface LimitFile {
  readonly controller: string;
  readonly limit: keyof ResourceLimits;
  readonly file: string;
  readonly value: string;
  /** Follows from another limit: not an error where this kernel has no such file. */
  readonly implied?: boolean;
}

/** Period of a CPU quota in microseconds, the kernel's default. */
const CPU_PERIOD_US = 100_000;

/** tsb-init and the sandbox's first process are in the group too. */
const OWN_PROCESSES = 2;

/** Documentation/admin-guide/cgroup-v1. The order matters: memory and swap together cannot be less than memory. */
export function limitFilesV1(limits: ResourceLimits): LimitFile[] {
  const files: LimitFile[] = [];
  const { memoryBytes, memorySwapBytes, cpus, cpuShares, cpusetCpus, pids } = limits;
  if (memoryBytes !== undefined) {
    files.push({ controller: "memory", limit: "memoryBytes", file: "memory.limit_in_bytes", value: String(memoryBytes) });
  }
  const swap = swapTotal(limits);
  if (swap !== undefined) {
    const implied = memorySwapBytes === undefined;
    files.push({ controller: "memory", limit: "memorySwapBytes", file: "memory.memsw.limit_in_bytes", value: String(swap), implied });
  }
  if (cpus !== undefined) {
    files.push({ controller: "cpu", limit: "cpus", file: "cpu.cfs_period_us", value: String(CPU_PERIOD_US) });
    files.push({ controller: "cpu", limit: "cpus", file: "cpu.cfs_quota_us", value: String(Math.round(cpus * CPU_PERIOD_US)) });
  }
  if (cpuShares !== undefined) files.push({ controller: "cpu", limit: "cpuShares", file: "cpu.shares", value: String(cpuShares) });
  if (cpusetCpus !== undefined) files.push({ controller: "cpuset", limit: "cpusetCpus", file: "cpuset.cpus", value: cpusetCpus });
  if (pids !== undefined) files.push({ controller: "pids", limit: "pids", file: "pids.max", value: String(pids + OWN_PROCESSES) });
  return files;
}

/** Documentation/admin-guide/cgroup-v2.rst. */
export function limitFilesV2(limits: ResourceLimits): LimitFile[] {
  const files: LimitFile[] = [];
  const { memoryBytes, memorySwapBytes, cpus, cpuShares, cpusetCpus, pids } = limits;
  if (memoryBytes !== undefined) files.push({ controller: "memory", limit: "memoryBytes", file: "memory.max", value: String(memoryBytes) });
  const swap = swapTotal(limits);
  if (swap !== undefined) {
    // v2 counts swap alone.
    const value = swap === -1 ? "max" : String(swap - (memoryBytes ?? 0));
    files.push({ controller: "memory", limit: "memorySwapBytes", file: "memory.swap.max", value, implied: memorySwapBytes === undefined });
  }
  if (cpus !== undefined) {
    files.push({ controller: "cpu", limit: "cpus", file: "cpu.max", value: `${Math.round(cpus * CPU_PERIOD_US)} ${CPU_PERIOD_US}` });
  }
  if (cpuShares !== undefined)
    files.push({ controller: "cpu", limit: "cpuShares", file: "cpu.weight", value: String(weightOf(cpuShares)) });
  if (cpusetCpus !== undefined) files.push({ controller: "cpuset", limit: "cpusetCpus", file: "cpuset.cpus", value: cpusetCpus });
  if (pids !== undefined) files.push({ controller: "pids", limit: "pids", file: "pids.max", value: String(pids + OWN_PROCESSES) });
  return files;
}

/** Docker's default: as much swap as memory. */
function swapTotal({ memoryBytes, memorySwapBytes }: ResourceLimits): number | undefined {
  return memorySwapBytes ?? (memoryBytes === undefined ? undefined : 2 * memoryBytes);
}

/** Shares of 2–262144 on the weights of 1–10000, as runc does it. */
function weightOf(shares: number): number {
  return 1 + Math.floor(((Math.max(2, Math.min(shares, 262_144)) - 2) * 9999) / 262_142);
}
