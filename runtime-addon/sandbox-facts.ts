import { readFileSync } from "node:fs";
import { cgroupMounts } from "./cgroup-mounts.ts";
import { parseIdMap } from "./id-map.ts";
import { SandboxError } from "./sandbox-error.ts";
import type { CgroupView, PlanFacts } from "./sandbox-plan.ts";
import { thisMachine } from "./this-machine.ts";

/** What programs look up to learn their limits. */
const SHOWN = new Set(["memory", "cpu", "cpuacct", "cpuset", "pids", "blkio"]);

let view: CgroupView | undefined;

/**
 * Reads what a plan depends on: the id map of the sandbox's user namespace, and (once) how control groups are mounted here.
 * Throws SandboxError NAMESPACE_REFUSED where the process whose namespace it is has ended, and SECCOMP_UNSUPPORTED.
 */
export function sandboxFacts(userNamespacePid: number | undefined): PlanFacts {
  view ??= cgroupView();
  const map = parseIdMap(groupMap(userNamespacePid));
  const groups = map.find(({ inside }) => inside === 0)?.count ?? 1;
  return {
    terminalGroupMapped: map.some(({ inside, count }) => inside <= 5 && 5 < inside + count),
    lastGroup: Math.min(groups, 2 ** 31) - 1,
    cgroupView: view,
    machine: thisMachine(),
  };
}

function groupMap(pid: number | undefined): string {
  try {
    return readFileSync(`/proc/${pid ?? "self"}/gid_map`, "utf8");
  } catch (cause) {
    if (pid === undefined) throw cause;
    throw new SandboxError("NAMESPACE_REFUSED", `joining the user namespace of process ${pid}: it has ended`, { cause });
  }
}

function cgroupView(): CgroupView {
  const mounts = cgroupMounts().filter(({ mountPoint }) => mountPoint.startsWith("/sys/fs/cgroup"));
  const hierarchies = mounts
    .filter(({ version, controllers }) => version === 1 && controllers.some((name) => SHOWN.has(name)))
    .map(({ mountPoint, controllers }) => ({ name: mountPoint.slice("/sys/fs/cgroup/".length), controllers }))
    .filter(({ name }) => name !== "" && !name.includes("/"));
  if (hierarchies.length > 0) return { kind: "v1", hierarchies };
  return mounts.length > 0 ? { kind: "v2" } : { kind: "none" };
}
