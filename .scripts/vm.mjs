// Runs the suites of sandbox and limits in a virtual machine with Debian's own kernel and a unified hierarchy of control groups.
//   npm run test:vm [-- --accelerator kvm|tcg] [--cpus N] [--memory MIB] [--user] [FILE…]
// Needs root and the packages of the tests; see test/vm/main.ts.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { withBundled } from "./bundled.mjs";
import { run } from "./command.mjs";

const CHECKOUT = fileURLToPath(new URL("..", import.meta.url));

/** Runs test/vm/main.ts with these arguments; returns its exit code. */
export function runInVm(args) {
  return withBundled("test/vm/main.ts", (program) => {
    // The machine reads the bases' cache, and cannot fill it.
    run([process.execPath, join(CHECKOUT, ".scripts/bases.mjs"), "busybox", "--path", "--no-system-packages"], { quiet: true });
    return spawnSync(process.execPath, [program, ...args], { cwd: CHECKOUT, stdio: ["ignore", "inherit", "inherit"] }).status ?? 1;
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) process.exitCode = await runInVm(process.argv.slice(2));
