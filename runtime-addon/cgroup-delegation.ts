import { constants, existsSync } from "node:fs";
import { access, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { unavailable } from "./cgroup-error.ts";
import { isOwnLeaf, makeGroup } from "./cgroup-group.ts";
import type { ResourceLimits } from "./resource-limits.ts";
import { isSystemError } from "./system-error.ts";

/**
 * The v2 group below which one group can have all these controllers: `own`, that of this process, or one above it where that is ours too.
 * Throws SandboxError LIMIT_UNAVAILABLE, for `limit`, with every reason.
 */
export async function delegatedParent(
  mountPoint: string,
  own: string,
  controllers: readonly string[],
  limit: keyof ResourceLimits,
): Promise<string> {
  const home = isOwnLeaf(basename(own)) ? dirname(own) : own;
  const candidates = new Set([home, home === mountPoint ? home : dirname(home), ...(process.getuid?.() === 0 ? [mountPoint] : [])]);
  const refusals: string[] = [];
  for (const parent of candidates) {
    const refusal = await handDown(parent, controllers, parent === home);
    if (refusal === undefined) return parent;
    refusals.push(refusal);
  }
  throw unavailable(limit, refusals.join("; "));
}

/** Why groups below `parent` cannot have the controllers; undefined where they can. */
async function handDown(parent: string, controllers: readonly string[], isHome: boolean): Promise<string | undefined> {
  try {
    await access(parent, constants.W_OK);
    const missing = without(controllers, await words(join(parent, "cgroup.controllers")));
    if (missing.length > 0) return `${parent} lacks the controllers ${missing.join(", ")}`;
    if ((await mustBeEmpty(parent)) && !(isHome && (await moveIntoLeaf(parent)))) return `${parent} has processes`;
    await enable(parent, controllers);
    return undefined;
  } catch (error) {
    if (isSystemError(error)) return `${parent}: ${error.code}`;
    throw error;
  }
}

/**
 * A group with processes cannot hand controllers down (cgroups(7), "no internal processes"); asked for controllers of threads, the kernel would make it a threaded
 * one, and those below it ones that take no process. Only the hierarchy's own root, which has no type, may have processes.
 */
async function mustBeEmpty(parent: string): Promise<boolean> {
  return existsSync(join(parent, "cgroup.type")) && (await words(join(parent, "cgroup.procs"))).length > 0;
}

async function enable(parent: string, controllers: readonly string[]): Promise<void> {
  const file = join(parent, "cgroup.subtree_control");
  const added = without(controllers, await words(file));
  if (added.length > 0) await writeFile(file, added.map((controller) => `+${controller}`).join(" "));
}

/**
 * Where only this process and its children are in a group, as in a scope that systemd made for them, they move into one below it, for the rest of
 * their lives. False where others are there too.
 */
async function moveIntoLeaf(parent: string): Promise<boolean> {
  const pids = (await words(join(parent, "cgroup.procs"))).map(Number);
  const ours = await descendants();
  if (!pids.every((pid) => ours.has(pid))) return false;
  // Empty: another call has just done it.
  if (pids.length === 0) return true;
  const leaf = await makeGroup(parent, 2, "leaf");
  for (const pid of pids) {
    await writeFile(join(leaf.directory, "cgroup.procs"), String(pid)).catch((error: unknown) => {
      // It has ended.
      if (!isSystemError(error, "ESRCH")) throw error;
    });
  }
  return true;
}

/** This process and all that it and its children have started. */
async function descendants(): Promise<ReadonlySet<number>> {
  const found = new Set([process.pid]);
  for (const pid of found) {
    for (const task of await readdir(`/proc/${pid}/task`).catch(() => [])) {
      // An ended process has no more children.
      const children = await words(`/proc/${pid}/task/${task}/children`).catch(() => []);
      for (const child of children) found.add(Number(child));
    }
  }
  return found;
}

async function words(file: string): Promise<string[]> {
  return (await readFile(file, "utf8")).split(/\s+/).filter((word) => word !== "");
}

function without(words: readonly string[], others: readonly string[]): string[] {
  return words.filter((word) => !others.includes(word));
}
