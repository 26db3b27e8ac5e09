import { ioFilesV1, ioFilesV2 } from "./cgroup-io-files.ts";
import type { DeviceNumbers, LimitFile, ResourceLimits } from "./resource-limits.ts";

/** Period of a CPU quota in microseconds, the kernel's default. */
const CPU_PERIOD_US = 100_000;

/** tsb-init and the sandbox's first process are in the group too. */
export const OWN_PROCESSES = 2;

/** Documentation/admin-guide/cgroup-v1. The order matters: memory and swap together cannot be less than memory. */
export function limitFilesV1(limits: ResourceLimits, numbers: DeviceNumbers): LimitFile[] {
  const files: LimitFile[] = [];
  const add = (controller: string, limit: keyof ResourceLimits, file: string, value: number | string, implied = false): void => {
    files.push({ controller, limit, file, value: String(value), ...(implied && { implied }) });
  };
  const { memoryBytes, memorySwapBytes, memoryReservationBytes, memorySwappiness, cpus, cpuPeriodUs, cpuShares } = limits;
  if (memoryBytes !== undefined) add("memory", "memoryBytes", "memory.limit_in_bytes", memoryBytes);
  const swap = swapTotal(limits);
  if (swap !== undefined) add("memory", "memorySwapBytes", "memory.memsw.limit_in_bytes", swap, memorySwapBytes === undefined);
  if (memoryReservationBytes !== undefined) add("memory", "memoryReservationBytes", "memory.soft_limit_in_bytes", memoryReservationBytes);
  if (memorySwappiness !== undefined) add("memory", "memorySwappiness", "memory.swappiness", memorySwappiness);
  const period = periodOf(limits);
  if (period !== undefined) add("cpu", cpuPeriodUs === undefined ? "cpus" : "cpuPeriodUs", "cpu.cfs_period_us", period);
  if (cpus !== undefined && period !== undefined) add("cpu", "cpus", "cpu.cfs_quota_us", Math.round(cpus * period));
  if (cpuShares !== undefined) add("cpu", "cpuShares", "cpu.shares", cpuShares);
  return [...files, ...commonFiles(limits), ...ioFilesV1(limits, numbers)];
}

/** Documentation/admin-guide/cgroup-v2.rst. */
export function limitFilesV2(limits: ResourceLimits, numbers: DeviceNumbers): LimitFile[] {
  const files: LimitFile[] = [];
  const add = (controller: string, limit: keyof ResourceLimits, file: string, value: number | string, implied = false): void => {
    files.push({ controller, limit, file, value: String(value), ...(implied && { implied }) });
  };
  const { memoryBytes, memorySwapBytes, memoryReservationBytes, memorySwappiness, cpus, cpuShares } = limits;
  if (memoryBytes !== undefined) add("memory", "memoryBytes", "memory.max", memoryBytes);
  const swap = swapTotal(limits);
  if (swap !== undefined) {
    // v2 counts swap alone.
    const value = swap === -1 ? "max" : swap - (memoryBytes ?? 0);
    add("memory", "memorySwapBytes", "memory.swap.max", value, memorySwapBytes === undefined);
  }
  if (memoryReservationBytes !== undefined) add("memory", "memoryReservationBytes", "memory.low", memoryReservationBytes);
  // There is no such file in version 2, and that is what the caller is to hear.
  if (memorySwappiness !== undefined) add("memory", "memorySwappiness", "memory.swappiness", memorySwappiness);
  const period = periodOf(limits);
  if (period !== undefined) {
    const quota = cpus === undefined ? "max" : Math.round(cpus * period);
    add("cpu", cpus === undefined ? "cpuPeriodUs" : "cpus", "cpu.max", `${quota} ${period}`);
  }
  if (cpuShares !== undefined) add("cpu", "cpuShares", "cpu.weight", weightOf(cpuShares));
  return [...files, ...commonFiles(limits), ...ioFilesV2(limits, numbers)];
}

/** Those of the same name in both versions. */
function commonFiles({ cpusetCpus, cpusetMems, pids }: ResourceLimits): LimitFile[] {
  return [
    ...(cpusetCpus === undefined ? [] : [{ controller: "cpuset", limit: "cpusetCpus", file: "cpuset.cpus", value: cpusetCpus } as const]),
    ...(cpusetMems === undefined ? [] : [{ controller: "cpuset", limit: "cpusetMems", file: "cpuset.mems", value: cpusetMems } as const]),
    ...(pids === undefined ? [] : [{ controller: "pids", limit: "pids", file: "pids.max", value: String(pids + OWN_PROCESSES) } as const]),
  ];
}

/** Docker's default: as much swap as memory. */
function swapTotal({ memoryBytes, memorySwapBytes }: ResourceLimits): number | undefined {
  return memorySwapBytes ?? (memoryBytes === undefined ? undefined : 2 * memoryBytes);
}

function periodOf({ cpus, cpuPeriodUs }: ResourceLimits): number | undefined {
  return cpuPeriodUs ?? (cpus === undefined ? undefined : CPU_PERIOD_US);
}

/** Shares of 2–262144 on the weights of 1–10000, as runc does it. */
function weightOf(shares: number): number {
  return 1 + Math.floor(((Math.max(2, Math.min(shares, 262_144)) - 2) * 9999) / 262_142);
}
