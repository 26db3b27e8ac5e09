import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { type CgroupMount, cgroupMounts, groupDirectory, ownGroups } from "./cgroup-mounts.ts";

/** What the text of a file is; undefined where it cannot be read. */
type Read = (path: string) => string | undefined;

let counted: number | undefined;

/**
 * How many processors this process can keep busy, at least 1: those of its affinity mask (sched_setaffinity(2)), but no more than the quotas of its
 * control groups pay for. Found out once a process.
 */
export function usableCpus(): number {
  counted ??= Math.max(1, Math.min(availableParallelism(), Math.ceil(cpuQuota())));
  return counted;
}

/** On one file system, whose directories and journal are locked, more threads than this gain nothing. */
const mostFileSystemThreads = 8;

/** How many threads read or make the names of one file system at once. */
export function fileSystemThreads(): number {
  return Math.min(usableCpus(), mostFileSystemThreads);
}

/**
 * The processor time a second that the least quota of this process's control groups, and of those above them that can be seen, allows; Infinity where
 * there is none. Documentation/scheduler/sched-bwc.rst, Documentation/admin-guide/cgroup-v2.rst.
 */
export function cpuQuota(read: Read = readIfReadable): number {
  const groups = ownGroups(read("/proc/self/cgroup") ?? "");
  const quotas = cgroupMounts(read("/proc/self/mountinfo") ?? "").flatMap((mount) => {
    const group = groups.get(mount.version === 2 ? "" : "cpu");
    const isOfCpus = mount.version === 2 || mount.controllers.includes("cpu");
    if (group === undefined || !isOfCpus) return [];
    return upwards(groupDirectory(mount, group), mount.mountPoint).map((directory) => quotaOf(mount, directory, read));
  });
  return Math.min(Number.POSITIVE_INFINITY, ...quotas);
}

/** The directories from one to what it is mounted below. */
function upwards(directory: string, mountPoint: string): readonly string[] {
  const found = [mountPoint];
  for (let at = directory; at.length > mountPoint.length; at = dirname(at)) found.push(at);
  return found;
}

function quotaOf({ version }: CgroupMount, directory: string, read: Read): number {
  const [quota = "", period = ""] =
    version === 2
      ? (read(join(directory, "cpu.max")) ?? "").split(/\s/)
      : [read(join(directory, "cpu.cfs_quota_us")), read(join(directory, "cpu.cfs_period_us"))];
  // "max" in version 2 and -1 in version 1 is no quota.
  return Number(quota) > 0 && Number(period) > 0 ? Number(quota) / Number(period) : Number.POSITIVE_INFINITY;
}

function readIfReadable(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Whatever hides it: without it there is no quota to be known.
    return undefined;
  }
}
