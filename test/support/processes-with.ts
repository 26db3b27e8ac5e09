import { readdirSync, readFileSync } from "node:fs";

/** Host pids of the processes that have this word in their command line. */
export function processesWith(word: string): string[] {
  return readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0").includes(word);
    } catch {
      // It ended between the listing and the reading.
      return false;
    }
  });
}
