import { constants, existsSync } from "node:fs";
import { access, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type LimitFile, limitFilesV1, limitFilesV2, type ResourceLimits } from "./cgroup-files.ts";
import { type Group, makeGroup, removeGroups } from "./cgroup-group.ts";
import { type CgroupMount, cgroupMounts, ownGroups } from "./cgroup-mounts.ts";
import { type CgroupUsage, usageV1, usageV2 } from "./cgroup-usage.ts";
import { SandboxError } from "./sandbox-error.ts";
import { isSystemError } from "./system-error.ts";

/** Control groups of one sandbox. */
export interface Cgroup {
  /** Moves a process into the groups; what it starts afterwards is born there. */
  add(pid: number): Promise<void>;
  /** As far as the groups' controllers measure it. */
  usage(): Partial<CgroupUsage>;
  /** Removes the groups. Their processes must be dead. */
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
  const v1 = (controller: string) => machine.mounts.find((mount) => mount.version === 1 && mount.controllers.includes(controller));
  const onV1 = limitFilesV1(limits).filter(({ controller }) => v1(controller) !== undefined);
  const onV2 = limitFilesV2(limits).filter(({ controller }) => v1(controller) === undefined);
  const groups: Group[] = [];
  try {
    for (const file of onV1) {
      const mount = v1(file.controller);
      const parent = mount === undefined ? "" : groupDirectory(mount, machine.own.get(file.controller) ?? "/");
      let group = groups.find((one) => one.parent === parent);
      if (group === undefined) {
        group = await groupFor(parent, 1, file);
        groups.push(group);
      }
      await writeLimit(group.directory, file);
    }
    const [first] = onV2;
    if (first !== undefined) {
      const parent = await delegatedParent(machine, [...new Set(onV2.map(({ controller }) => controller))], first.limit);
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

/**
 * The v2 group below which one group can have all these controllers. A group with processes cannot hand controllers down (cgroups(7),
 * "no internal processes"), but the one above it can, where it is ours too.
 */
async function delegatedParent(machine: Machine, controllers: readonly string[], limit: string): Promise<string> {
  const mount = machine.mounts.find(({ version }) => version === 2);
  if (mount === undefined) throw unavailable(limit, `no hierarchy with the controllers ${controllers.join(", ")} is mounted`);
  const own = groupDirectory(mount, machine.own.get("") ?? "/");
  const candidates = new Set([
    own,
    own === mount.mountPoint ? own : join(own, ".."),
    ...(process.getuid?.() === 0 ? [mount.mountPoint] : []),
  ]);
  const refusals: string[] = [];
  for (const parent of candidates) {
    const refusal = await handDown(parent, controllers);
    if (refusal === undefined) return parent;
    refusals.push(refusal);
  }
  throw unavailable(limit, refusals.join("; "));
}

/** Why groups below `parent` cannot have the controllers; undefined where they can. Only the hierarchy's own root has no type, and may have processes. */
async function handDown(parent: string, controllers: readonly string[]): Promise<string | undefined> {
  try {
    await access(parent, constants.W_OK);
    // Asked for controllers of threads, the kernel would make such a group a threaded one, and those below it ones that take no process.
    if (existsSync(join(parent, "cgroup.type")) && (await readFile(join(parent, "cgroup.procs"), "utf8")) !== "") {
      return `${parent} has processes`;
    }
    const available = (await readFile(join(parent, "cgroup.controllers"), "utf8")).trim().split(" ");
    const missing = controllers.filter((controller) => !available.includes(controller));
    if (missing.length > 0) return `${parent} lacks the controllers ${missing.join(", ")}`;
    const enabled = (await readFile(join(parent, "cgroup.subtree_control"), "utf8")).trim().split(" ");
    const added = controllers.filter((controller) => !enabled.includes(controller));
    if (added.length > 0) await writeFile(join(parent, "cgroup.subtree_control"), added.map((controller) => `+${controller}`).join(" "));
    return undefined;
  } catch (error) {
    if (isSystemError(error)) return `${parent}: ${error.code}`;
    throw error;
  }
}

/** The directory of a group, given by its path within the hierarchy, of which a part may be mounted. */
function groupDirectory({ mountPoint, root }: CgroupMount, group: string): string {
  return join(mountPoint, root !== "/" && group.startsWith(root) ? group.slice(root.length) : group);
}

async function writeLimit(directory: string, { limit, file, value, implied }: LimitFile): Promise<void> {
  try {
    // "r+": in these file systems a file that is not there must not be asked to be made.
    await writeFile(join(directory, file), value, { flag: "r+" });
  } catch (cause) {
    if (implied === true && isSystemError(cause, "ENOENT")) return;
    throw unavailable(limit, `writing ${value} to ${file}`, cause);
  }
}

function unavailable(limit: string, what: string, cause?: unknown): SandboxError {
  const reason = isSystemError(cause) ? `: ${cause.code}` : "";
  return new SandboxError("LIMIT_UNAVAILABLE", `setting the limit ${limit}: ${what}${reason}`, {
    ...(cause !== undefined && { cause }),
    hint: "build without this limit, as root, or in a session whose control groups are delegated (systemd-run --user --scope -p Delegate=yes)",
  });
}
