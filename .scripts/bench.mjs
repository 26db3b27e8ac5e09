// Measures whole processes beside their floors and beside the peers that are installed. Prints a table; judges nothing.
//   npm run bench [-- --only ROW,ROW] [--rounds N] [--on tmpfs|ext4|DIRECTORY] [--node PATH] [--json FILE] [--no-system-packages]
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { formatTable } from "../test/bench/format.mjs";
import { measure } from "../test/bench/measure.mjs";
import { availablePeers, removePeerLeftovers } from "../test/bench/peers.mjs";
import { stopServers } from "../test/bench/registry.mjs";
import { workloads } from "../test/bench/workloads.mjs";
import { baseTar } from "./bases.mjs";
import { output, run } from "./command.mjs";
import { ensureSystemPackages } from "./system-packages.mjs";

const SELF = fileURLToPath(import.meta.url);

const { values: options } = parseArgs({
  options: {
    only: { type: "string" },
    rounds: { type: "string" },
    on: { type: "string" },
    node: { type: "string", multiple: true },
    json: { type: "string" },
    "no-system-packages": { type: "boolean" },
  },
});

async function main() {
  const isRoot = process.getuid() === 0;
  const on = options.on ?? (isRoot ? "tmpfs" : tmpdir());
  const isMounted = on === "tmpfs" || on === "ext4";
  if (isMounted && process.env.TSBUILD_BENCH_PLACE === undefined) return inPrivateMounts(isRoot);
  const place = process.env.TSBUILD_BENCH_PLACE ?? mkdtempSync(join(on, "tsbuild-bench-"));
  try {
    if (isMounted) mountOver(place, on);
    await measureAll(place, isMounted ? (on === "ext4" ? "ext4 with a journal, loop-mounted" : "tmpfs") : place);
  } finally {
    // What is mounted goes with the namespace; deleting it file by file would only disturb the machine.
    if (!isMounted) rmSync(place, { recursive: true, force: true });
  }
}

/** Starts this script again where a file system can be mounted that nobody else sees. */
function inPrivateMounts(isRoot) {
  if (!isRoot) throw new Error("mounting tmpfs or ext4 needs root: give --on DIRECTORY");
  ensureSystemPackages(["bench"], options["no-system-packages"] ? { install: false } : {});
  const place = mkdtempSync(join(tmpdir(), "tsbuild-bench-"));
  try {
    const args = ["--mount", "--propagation", "private", process.execPath, SELF, ...process.argv.slice(2)];
    const result = spawnSync("unshare", args, { stdio: "inherit", env: { ...process.env, TSBUILD_BENCH_PLACE: place } });
    process.exitCode = result.status ?? 1;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

function mountOver(place, on) {
  if (on === "tmpfs") {
    run(["mount", "-t", "tmpfs", "-o", "size=75%", "none", place]);
    return;
  }
  const image = join(place, "image");
  const top = join(place, "top");
  run(["truncate", "-s", "16G", image]);
  run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", "-O", "has_journal", image], { quiet: true });
  mkdirSync(top);
  run(["mount", "-o", "loop", image, top]);
  run(["mount", "--move", top, place]);
}

async function measureAll(place, placeName) {
  const { file: busybox } = await baseTar("busybox");
  const peers = availablePeers(place, busybox);
  const only = options.only?.split(",");
  const all = workloads({ place, busybox, peers, nodes: options.node ?? [] });
  const unknown = only?.find((name) => !all.some((row) => row.name === name));
  if (unknown !== undefined)
    throw new Error(`there is no row ${JSON.stringify(unknown)}; there are ${all.map(({ name }) => name).join(", ")}`);
  const rows = all.filter(({ name }) => only === undefined || only.includes(name));
  const cpu = /model name\s*: (.*)/.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? "unknown processor";
  console.log(
    `${cpus().length} × ${cpu}, kernel ${output(["uname", "-r"]).trim()}, node ${process.version}, on ${placeName}, load ${loadavg()[0]?.toFixed(2)}`,
  );
  const peerNames = peers.map((peer) => `${peer.name} ${peer.version}`).join(", ");
  console.log(`peers: ${peerNames === "" ? "none installed (buildah, podman, docker, skopeo)" : peerNames}\n`);
  const results = [];
  try {
    for (const row of rows) {
      const result = measure(row, options.rounds === undefined ? row.rounds : Number(options.rounds));
      results.push(result);
      console.log(formatTable(result));
    }
  } finally {
    stopServers();
    removePeerLeftovers();
  }
  console.log(`load afterwards ${loadavg()[0]?.toFixed(2)}`);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(results, undefined, 2)}\n`);
}

try {
  await main();
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
