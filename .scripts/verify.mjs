// Everything that must hold before a change is done: types, lint, a build without warnings, all tests.
// At the end stands what failed, with its errors, and last "N passed, N failed, N skipped"; types, lint and build count as one check each.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureSystemPackages } from "./system-packages.mjs";
import { readTestReport } from "./test-report.mjs";

const CHECKOUT = fileURLToPath(new URL("..", import.meta.url));

const counts = { passed: 0, skipped: 0 };
const failures = [];

function check(name, argv, env = {}) {
  console.log(`\n== ${name}: ${argv.join(" ")}`);
  const [command, ...args] = argv;
  const result = spawnSync(command, args, { cwd: CHECKOUT, stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, ...env } });
  if (result.error) console.error(`${name}: ${result.error.message}`);
  return result.status === 0;
}

function countCheck(name, argv) {
  const passed = check(name, argv);
  if (passed) counts.passed += 1;
  else failures.push(`${name}: see above`);
  return passed;
}

function test() {
  const work = mkdtempSync(join(tmpdir(), "tsbuild-verify-"));
  try {
    const report = join(work, "report.json");
    const argv = [
      "npx",
      "vitest",
      "run",
      "--config",
      "test/vitest.config.ts",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${report}`,
    ];
    const passed = check("tests", argv, { TSBUILD_TEST_BUILD: "0" });
    const failed = addReport(report, { ci: process.env.CI === "true" });
    if (!passed && failed === 0) failures.push("the test run failed outside of the tests: see above");
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** What a kernel can change the outcome of once more, in a virtual machine: one of ours, which lacks nothing. */
function testInVm() {
  const missing = process.arch !== "x64" ? "not an x86-64 machine" : process.getuid() !== 0 ? "not root" : undefined;
  if (missing !== undefined) {
    const line = `nothing tested in a virtual machine: ${missing}`;
    console.log(`\n${line}`);
    if (process.env.CI === "true" && process.arch === "x64") failures.push(line);
    else counts.skipped += 1;
    return;
  }
  const reports = mkdtempSync(join(tmpdir(), "tsbuild-verify-"));
  try {
    const passed = check("tests in a virtual machine", ["node", ".scripts/vm.mjs", "--reports", reports]);
    const skippedBefore = counts.skipped;
    const failed = readdirSync(reports)
      .map((name) => addReport(join(reports, name), { ci: true, lacking: name.startsWith("user-") ? ["root"] : [] }))
      .reduce((sum, count) => sum + count, 0);
    if (counts.skipped > skippedBefore) failures.push("skipped in a machine that must lack nothing: see above");
    if (!passed && failed === 0) failures.push("the run in the virtual machine failed outside of the tests: see above");
  } finally {
    rmSync(reports, { recursive: true, force: true });
  }
}

/** Adds a report's counts and failures to ours; returns how many failed. */
function addReport(file, options) {
  const result = readTestReport(file, options);
  for (const line of result.lines) console.log(line);
  counts.passed += result.passed;
  failures.push(...result.failures);
  counts.skipped += result.skipped;
  return result.failures.length;
}

try {
  ensureSystemPackages(["tests"], process.argv.includes("--no-system-packages") ? { install: false } : {});
  countCheck("types", ["npx", "tsc", "--noEmit"]);
  countCheck("lint", ["npx", "biome", "check", "--error-on-warnings", "."]);
  if (countCheck("build", ["npm", "run", "--silent", "build"])) {
    test();
    testInVm();
  }
} catch (error) {
  failures.push(`error: ${error.message}`);
}
process.exitCode = failures.length === 0 ? 0 : 1;
if (failures.length > 0) console.log(`\nfailed:\n${failures.join("\n")}`);
console.log(`\n${counts.passed} passed, ${failures.length} failed, ${counts.skipped} skipped`);
