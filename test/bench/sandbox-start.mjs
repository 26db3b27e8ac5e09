// Starts a sandbox again and again from a process that holds memory, and writes the median in milliseconds: node sandbox-start.mjs RUNTIME MIB ROUNDS DIRECTORY FILE [SECCOMP]
// Of a RUNTIME of "-" it starts a program without a sandbox.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [runtimePath, mebibytes, rounds, directory, file, seccomp] = process.argv.slice(2);
// Touched, page by page: only then it is this process's.
const held = Array.from({ length: Number(mebibytes) }, () => Buffer.alloc(2 ** 20, 1));
const start = runtimePath === "-" ? plainStart() : await sandboxStart();
const times = [];
for (let round = -2; round < Number(rounds); round++) {
  const startNs = process.hrtime.bigint();
  await start(round + 2);
  if (round >= 0) times.push(Number(process.hrtime.bigint() - startNs) / 1e6);
}
times.sort((a, b) => a - b);
writeFileSync(file, String(held.length >= 0 ? times[times.length >> 1] : 0));

function plainStart() {
  return () => once(spawn("/bin/true", { stdio: "ignore" }), "exit");
}

async function sandboxStart() {
  const { helperPath, runSandbox } = await import(runtimePath);
  const lower = join(directory, "lower");
  for (const name of ["dev", "proc", "sys"]) mkdirSync(join(lower, name), { recursive: true });
  // Static, and ends at once.
  copyFileSync(helperPath(), join(lower, "true"));
  return async (round) => {
    const [upper, work] = ["upper", "work"].map((name) => join(directory, `${name}-${round}`));
    for (const path of [upper, work]) mkdirSync(path);
    const process = { args: ["/true", "--version"], env: {}, cwd: "/", uid: 0, gid: 0, groups: [], ...(seccomp && { seccomp }) };
    const spec = { root: { lowers: [lower], upper, work }, network: "host", hostname: "bench", mounts: [], files: [], process };
    await runSandbox(spec, { stdin: "null", output: () => {} });
  };
}
