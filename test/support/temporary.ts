import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
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

/**
 * A path in the temporary directory at which nothing is; what is made there is gone when the calling test file is done. Unlike a directory it
 * may be asked for outside of hooks and tests: a file whose tests are all skipped runs no hooks that could remove something.
 */
export function temporaryPath(name = "test"): string {
  const path = join(tmpdir(), `tsbuild-${name}-${randomUUID()}`);
  made.add(path);
  return path;
}

afterAll(() => {
  for (const path of made) removeDirectory(path);
  made.clear();
  // Many small files, on a machine that does much else.
}, 120_000);

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
