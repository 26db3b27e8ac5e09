import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { delegatedParent } from "./cgroup-delegation.ts";
import { unavailable } from "./cgroup-error.ts";
import { limitFilesV1, limitFilesV2 } from "./cgroup-files.ts";
import { type Group, makeGroup, removeGroups } from "./cgroup-group.ts";
import { type CgroupMount, cgroupMounts, groupDirectory, ownGroups } from "./cgroup-mounts.ts";
import { type CgroupUsage, usageV1, usageV2 } from "./cgroup-usage.ts";
import { deviceNumbers } from "./device-numbers.ts";
import type { LimitFile, ResourceLimits } from "./resource-limits.ts";
import { isSystemError } from "./system-error.ts";

/** Control groups of one sandbox. */
export interface Cgroup {
  /** Moves a process into the groups; what it starts afterwards is born there. */
  add(pid: number): Promise<void>;
  /** As far as the groups' controllers measure it. */
  usage(): Partial<CgroupUsage>;
  /** Kills what still is in the groups and removes them. */
  close(): Promise<void>;
}

/**
 * Makes control groups with these limits, below this process's own. Without limits there is no group: entering one costs tens of
 * milliseconds, and the kernel measures the children of a process anyway.
 * Throws SandboxError LIMIT_UNAVAILABLE, naming limit and reason, where one cannot be set.
 */
export async function openCgroup(limits: ResourceLimits): Promise<{ readonly group?: Cgroup }> {
  const machine: Machine = { mounts: cgroupMounts(), own: ownGroups() };
  const { memoryBytes, memorySwapBytes = -1 } = limits;
  // v2 counts swap alone, and would take it for no swap at all.
  if (memoryBytes !== undefined && memorySwapBytes !== -1 && memorySwapBytes < memoryBytes) {
    throw unavailable("memorySwapBytes", `memory and swap together cannot be less than the memory of ${memoryBytes} bytes`);
  }
  // A machine may have both versions: a controller is where v1 has it, else in v2.
  const v1 = (controller: string) => machine.mounts.find((mount) => mount.version === 1 && mount.controllers.includes(nameV1(controller)));
  const numbers = deviceNumbers();
  const onV1 = limitFilesV1(limits, numbers).filter(({ controller }) => v1(controller) !== undefined);
  const onV2 = limitFilesV2(limits, numbers).filter(({ controller }) => v1(controller) === undefined);
  const groups: Group[] = [];
  try {
    for (const file of onV1) {
      const mount = v1(file.controller);
      const parent = mount === undefined ? "" : groupDirectory(mount, machine.own.get(nameV1(file.controller)) ?? "/");
      let group = groups.find((one) => one.parent === parent);
      if (group === undefined) {
        group = await groupFor(parent, 1, file);
        groups.push(group);
      }
      await writeLimit(group.directory, file);
    }
    const [first] = onV2;
    if (first !== undefined) {
      const controllers = [...new Set(onV2.map(({ controller }) => controller))];
      const mount = machine.mounts.find(({ version }) => version === 2);
      if (mount === undefined) throw unavailable(first.limit, `no hierarchy with the controllers ${controllers.join(", ")} is mounted`);
      const own = groupDirectory(mount, machine.own.get("") ?? "/");
      const parent = await delegatedParent(mount.mountPoint, own, controllers, first.limit);
      const group = await groupFor(parent, 2, first);
      groups.push(group);
      for (const file of onV2) await writeLimit(group.directory, file);
    }
  } catch (error) {
    await removeGroups(groups);
    throw error;
  }
  return groups.length === 0 ? {} : { group: cgroupOf(groups) };
}

interface Machine {
  readonly mounts: readonly CgroupMount[];
  /** This process's own groups. */
  readonly own: ReadonlyMap<string, string>;
}

function cgroupOf(groups: readonly Group[]): Cgroup {
  return {
    async add(pid) {
      for (const { directory } of groups) await writeFile(join(directory, "cgroup.procs"), String(pid));
    },
    usage: () => Object.assign({}, ...groups.map(({ directory, version }) => (version === 1 ? usageV1(directory) : usageV2(directory)))),
    close: () => removeGroups(groups),
  };
}

async function groupFor(parent: string, version: 1 | 2, { controller, limit }: LimitFile): Promise<Group> {
  let group: Group;
  try {
    group = await makeGroup(parent, version);
  } catch (cause) {
    throw unavailable(limit, `making a group in ${parent}`, cause);
  }
  try {
    if (version === 1 && controller === "cpuset") await inheritCpuset(parent, group.directory);
    return group;
  } catch (cause) {
    await removeGroups([group]);
    throw unavailable(limit, `filling the group ${group.directory}`, cause);
  }
}

/** A new v1 cpuset is empty, and takes no process before it has processors and memory nodes. */
async function inheritCpuset(parent: string, directory: string): Promise<void> {
  for (const file of ["cpuset.cpus", "cpuset.mems"]) await writeFile(join(directory, file), await readFile(join(parent, file), "utf8"));
}

async function writeLimit(directory: string, { controller, limit, file, value, implied, otherwise }: LimitFile): Promise<void> {
  try {
    // "r+": in these file systems a file that is not there must not be asked to be made.
    await writeFile(join(directory, file), value, { flag: "r+" });
  } catch (cause) {
    const isMissing = isSystemError(cause, "ENOENT");
    if (isMissing && implied === true) return;
    if (isMissing && otherwise !== undefined) return writeLimit(directory, { controller, limit, ...otherwise });
    throw unavailable(limit, `writing ${value} to ${file}`, cause);
  }
}

function nameV1(controller: string): string {
  return controller === "io" ? "blkio" : controller;
}
