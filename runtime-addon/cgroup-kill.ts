import { readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isSystemError } from "./system-error.ts";

/**
 * Kills everything in a group and in those below it, and removes those below. With cgroup.kill (version 2, Linux 5.14) nothing escapes; else what starts
 * meanwhile is left for the next call.
 */
export async function killGroup(directory: string): Promise<void> {
  try {
    await killAll(directory);
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      await killGroup(join(directory, entry.name));
      await rmdir(join(directory, entry.name));
    }
  } catch (error) {
    // Gone meanwhile; or its dead still count for a moment.
    if (!isSystemError(error, "ENOENT", "ENODEV", "EBUSY")) throw error;
  }
}

async function killAll(directory: string): Promise<void> {
  try {
    await writeFile(join(directory, "cgroup.kill"), "1", { flag: "r+" });
  } catch (error) {
    if (!isSystemError(error, "ENOENT")) throw error;
    for (const line of (await readFile(join(directory, "cgroup.procs"), "utf8")).split("\n")) kill(Number(line));
  }
}

function kill(pid: number): void {
  // 0 stands for processes of another pid namespace, and would be our own group.
  if (!(pid > 0)) return;
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!isSystemError(error, "ESRCH")) throw error;
  }
}
