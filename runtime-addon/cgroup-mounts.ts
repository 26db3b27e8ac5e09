import { readFileSync } from "node:fs";
import { join } from "node:path";

/** One mounted hierarchy of control groups. */
export interface CgroupMount {
  readonly version: 1 | 2;
  /** What v1 mounts there; empty for v2 (see cgroup.controllers) and for named hierarchies. */
  readonly controllers: readonly string[];
  /** The group that is mounted, within the hierarchy. */
  readonly root: string;
  readonly mountPoint: string;
}

const CONTROLLERS = new Set([
  "cpuset",
  "cpu",
  "cpuacct",
  "blkio",
  "memory",
  "devices",
  "freezer",
  "net_cls",
  "perf_event",
  "net_prio",
  "hugetlb",
  "pids",
  "rdma",
  "misc",
]);

/** The hierarchies mounted here (proc_pid_mountinfo(5)). */
export function cgroupMounts(mountinfo: string = readFileSync("/proc/self/mountinfo", "utf8")): CgroupMount[] {
  const mounts: CgroupMount[] = [];
  for (const line of mountinfo.split("\n")) {
    const fields = line.split(" ");
    const [type, , options = ""] = fields.slice(fields.indexOf("-") + 1);
    if (type !== "cgroup" && type !== "cgroup2") continue;
    const controllers = type === "cgroup" ? options.split(",").filter((option) => CONTROLLERS.has(option)) : [];
    mounts.push({
      version: type === "cgroup" ? 1 : 2,
      controllers,
      root: unescapeOctal(fields[3] ?? ""),
      mountPoint: unescapeOctal(fields[4] ?? ""),
    });
  }
  return mounts;
}

/** This process's group in each hierarchy (cgroups(7)): by controller for v1, under "" for v2. */
export function ownGroups(cgroup: string = readFileSync("/proc/self/cgroup", "utf8")): ReadonlyMap<string, string> {
  const groups = new Map<string, string>();
  for (const line of cgroup.split("\n")) {
    const [, names, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (names === undefined || path === undefined) continue;
    for (const name of names.split(",")) groups.set(name, path);
  }
  return groups;
}

/** The directory of a group, given by its path within the hierarchy, of which a part may be mounted. */
export function groupDirectory({ mountPoint, root }: CgroupMount, group: string): string {
  return join(mountPoint, root !== "/" && group.startsWith(root) ? group.slice(root.length) : group);
}

/** Space, tab, newline and backslash are written in octal. */
function unescapeOctal(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
