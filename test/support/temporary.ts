import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

/**
 * A new directory that is gone when the calling test file is done. Other users may enter it, so that tests that run
 * commands as another user can hand things over.
 */
export function temporaryDirectory(name = "test"): string {
  const directory = mkdtempSync(join(tmpdir(), `tsbuild-${name}-`));
  chmodSync(directory, 0o755);
  made.add(directory);
  return directory;
}

const made = new Set<string>();

function removeAll(): void {
  for (const directory of made) removeDirectory(directory);
  made.clear();
}

afterAll(removeAll);
// Hooks do not run in a file whose tests are all skipped.
process.once("exit", removeAll);

/** Removes a tree, also one with files of mapped owners that an ordinary user made in a user namespace. */
export function removeDirectory(directory: string): void {
  try {
    rmSync(directory, { recursive: true, force: true });
  } catch (error) {
    if (process.getuid?.() === 0) throw error;
    // Files of sub-ids can only be removed from inside a namespace that maps them.
    const result = spawnSync("unshare", ["--user", "--map-root-user", "--map-auto", "rm", "-rf", directory], { encoding: "utf8" });
    if (result.status !== 0)
      throw new Error(`removing ${directory}: ${result.stderr}`, {
        cause: error,
      });
  }
}
