import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { tsbuildCgroups } from "./leftovers.ts";
import { mutantsDirectory } from "./mutants-directory.ts";

const CHECKOUT = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Before the first test: the bundle is built anew when a source is newer, and the run gets a temporary directory of its own, so that what
 * tests leave behind can be told from what others have there. After the last one: nothing is left in it.
 */
export function setup(): () => void {
  // Whoever has just built, or wants to test what is there, says so.
  if (process.env.TSBUILD_TEST_BUILD !== "0") buildWhenStale();
  const parent = tmpdir();
  const run = mkdtempSync(join(parent, "tsbuild-run-"));
  // Tests run commands as other users, who must be able to enter.
  chmodSync(run, 0o755);
  process.env.TMPDIR = run;
  const cgroupsBefore = tsbuildCgroups();
  return () => {
    process.env.TMPDIR = parent;
    rmSync(mutantsDirectory(run), { recursive: true, force: true });
    const directories = readdirSync(run);
    const cgroups = tsbuildCgroups().filter((path) => !cgroupsBefore.includes(path));
    rmSync(run, { recursive: true, force: true });
    const left = [...directories.map((name) => `temporary directory ${name}`), ...cgroups.map((path) => `cgroup ${path}`)];
    if (left.length > 0) throw new Error(`the tests left behind: ${left.join(", ")}`);
  };
}

function buildWhenStale(): void {
  const bundle = join(CHECKOUT, "dist/tsbuild.js");
  const addon = join(CHECKOUT, "runtime-addon/build/Release/addon.node");
  const builtMs = existsSync(bundle) && existsSync(addon) ? statSync(bundle).mtimeMs : 0;
  const newestMs = Math.max(...["builder", "store", "runtime-addon", "package.json"].map((path) => newest(join(CHECKOUT, path))));
  if (newestMs > builtMs)
    execFileSync("npm", ["run", "--silent", "build"], {
      cwd: CHECKOUT,
      stdio: ["ignore", "ignore", "inherit"],
    });
}

/** The latest modification time below a source path, in milliseconds. */
function newest(path: string): number {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  const children = readdirSync(path).filter((name) => name !== "build");
  return Math.max(0, ...children.map((name) => newest(join(path, name))));
}
