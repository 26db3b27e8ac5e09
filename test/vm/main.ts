import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startVm, type Vm } from "../support/vm/vm.ts";
import { CUT, GUEST_SUITES, GUEST_UID, type GuestSuite } from "./suites.ts";

/**
 * Runs the suites in a virtual machine, from the checkout in the working directory; `--reports` names a directory for vitest's JSON report of each, `--cpus`
 * and `--memory` (in MiB) what the machine gets. Operands are test files to be run instead, as root or, with `--user`, as an ordinary user. Ends with 1 when a test failed.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    reports: { type: "string" },
    user: { type: "boolean", default: false },
    accelerator: { type: "string" },
    cpus: { type: "string", default: "2" },
    memory: { type: "string", default: "3072" },
  },
});
const { accelerator: wanted } = values;
if (wanted !== undefined && wanted !== "kvm" && wanted !== "tcg") throw new Error("--accelerator is kvm or tcg");
const suites: readonly GuestSuite[] = positionals.length > 0 ? [asked(positionals)] : GUEST_SUITES;
const LIMIT_MS = 1_500_000;
const VITEST = "node_modules/vitest/vitest.mjs";
const CONFIG = ["--config", "test/vm/guest.config.ts"];

const started = Date.now();
const modules = mkdtempSync(join(tmpdir(), "tsbuild-vm-modules-"));
transformModules();
const vm = await startVm({
  memoryMiB: Number(values.memory),
  cpus: Number(values.cpus),
  ...(wanted === undefined ? {} : { accelerator: wanted }),
});
try {
  console.log(`Linux ${vm.release} under ${vm.accelerator === "kvm" ? "KVM" : "software emulation"}, up after ${seconds(vm.bootMs)}`);
  await addUser(vm);
  for (const [index, suite] of suites.entries()) {
    console.log(`\n== in the virtual machine, as ${suite.name}: ${suite.files.join(" ")}`);
    const code = await runSuite(vm, suite, `${suite.uid === undefined ? "root" : "user"}-${index}.json`);
    if (code !== 0) process.exitCode = 1;
  }
  if (positionals.length === 0) console.log(`\nnot run in the virtual machine: ${CUT.join("; ")}`);
  console.log(`the virtual machine took ${seconds(Date.now() - started)}`);
} finally {
  await vm.kill();
  rmSync(modules, { recursive: true, force: true });
}

function asked(files: readonly string[]): GuestSuite {
  return values.user ? { name: "an ordinary user", uid: GUEST_UID, files } : { name: "root", files };
}

/** Has vitest read all test files here: in the machine, which sees these files, that takes minutes. */
function transformModules(): void {
  chmodSync(modules, 0o755);
  const files = new Set(suites.flatMap((suite) => suite.files));
  const env = { ...process.env, TSBUILD_TEST_BUILD: "0", TSBUILD_TEST_MODULES: modules };
  const { status } = spawnSync(process.execPath, [VITEST, "list", ...CONFIG, ...files], { env, stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0) throw new Error("vitest cannot read the test files");
}

async function addUser({ run }: Vm): Promise<void> {
  const script = `set -e
echo "guest:x:${GUEST_UID}:${GUEST_UID}::/scratch/guest:/bin/sh" >> /etc/passwd
echo "guest:x:${GUEST_UID}:" >> /etc/group
echo "guest:4000000:65536" | tee -a /etc/subuid >> /etc/subgid
mkdir -m 700 -p /scratch/guest/tmp /scratch/root && chown -R ${GUEST_UID}:${GUEST_UID} /scratch/guest
# Vitest writes there, in the machine's own layer.
cd node_modules && mkdir -p .vite .vite-temp && chmod -R 777 .vite .vite-temp`;
  const { code, output } = await run(script, { cwd: process.cwd() });
  if (code !== 0) throw new Error(`adding a user: ${output}`);
}

/** `reportName` is that of the file below --reports. */
async function runSuite({ run, accelerator }: Vm, { uid, files }: GuestSuite, reportName: string): Promise<number> {
  const home = uid === undefined ? "/scratch/root" : "/scratch/guest";
  const report = `${home}/${reportName}`;
  const reporters = ["--reporter=verbose", "--reporter=json", `--outputFile.json=${report}`];
  const script = [process.execPath, VITEST, "run", ...CONFIG, ...reporters, ...files].map((word) => `'${word}'`).join(" ");
  const env = {
    HOME: home,
    TMPDIR: uid === undefined ? "/scratch" : `${home}/tmp`,
    TSBUILD_TEST_BUILD: "0",
    TSBUILD_TEST_MODULES: modules,
    ...(accelerator === "tcg" ? { TSBUILD_TEST_SLOW_MACHINE: "1" } : {}),
    CI: "true",
    NO_COLOR: "1",
  };
  const options = { cwd: process.cwd(), env, timeoutMs: LIMIT_MS, ...(uid === undefined ? {} : { uid }) };
  const { code } = await run(script, { ...options, onOutput: (text) => void process.stdout.write(text) });
  if (values.reports !== undefined) {
    const read = await run(`cat ${report}`, {});
    if (read.code === 0) writeFileSync(join(values.reports, reportName), read.output);
  }
  return code;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
