import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { checkStore } from "../../store/check/check-store.ts";
import { repairStore } from "../../store/check/repair-store.ts";
import { openStore } from "../../store/index.ts";
import { random } from "../builder/dockerfile/random.ts";
import { busyboxTar } from "../support/bases.ts";
import { CHECKOUT } from "../support/cli.ts";
import { checkLayout, readLayoutImage } from "../support/layout.ts";
import { needs } from "../support/needs.ts";
import { problemsIn } from "../support/store-health.ts";
import { removeDirectory, temporaryDirectory } from "../support/temporary.ts";
import { type PowerCuts, powerCuts } from "../support/vm/power-cut.ts";
import { startVm } from "../support/vm/vm.ts";
import { type LoggedRequest, SECTOR_BYTES, writtenBytes } from "../support/vm/write-log.ts";
import { powerCutSteps, statesOf } from "./power-cut-steps.ts";

const seed = Number(process.env.TSBUILD_TEST_SEED ?? Date.now() % 1_000_000);
const cuts = Number(process.env.TSBUILD_TEST_POWER_CUTS ?? 50);

/** The file system does not use all of the disk: behind it the workload marks where it is. */
const FILE_SYSTEM_BYTES = 192 * 2 ** 20;
const DISK_BYTES = FILE_SYSTEM_BYTES + 2 ** 20;
const BLOCK_BYTES = 4096;

const MAKE_CONTEXT = `set -e
mkdir -p /scratch/work/context/many && cd /scratch/work
for i in $(seq 40); do seq $((i * 50)) > context/many/$i; done
head -c 3000000 /dev/urandom > context/large
cat > context/Dockerfile <<'END'
FROM busybox
COPY many /many
ARG step
RUN echo $step > /step; rm /bin/vi; mkdir -p /made/in; seq 20000 > /made/in/it
COPY large /large
LABEL step=$step
END
mkdir /disk && mount /dev/vdb /disk`;

/** Runs one step after another, and writes around the file system where it begins and where its command has returned. */
function workload(steps: readonly { readonly args: string }[]): string {
  // A block that is written past the page cache is one request.
  const dd = `dd of=/dev/vdb oflag=direct conv=notrunc bs=${BLOCK_BYTES} status=none`;
  const mark = (text: string, block: number) =>
    `printf '%-${BLOCK_BYTES}s' "${text}" | ${dd} seek=${FILE_SYSTEM_BYTES / BLOCK_BYTES + block}`;
  const lines = steps.flatMap(({ args }, index) => [
    mark(`begin ${index}`, 2 * index),
    `echo ": ${args}"; ${process.execPath} ${CHECKOUT}/dist/tsbuild.js ${args}`,
    mark(`end ${index}`, 2 * index + 1),
  ]);
  return ["set -e", "cd /scratch/work", ...lines].join("\n");
}

/** How many steps had begun and how many had returned after none, one, … all requests of the log. */
function progressOf(requests: readonly LoggedRequest[], logFile: string): { readonly begun: number; readonly returned: number }[] {
  const log = openSync(logFile, "r");
  try {
    const progress = [{ begun: 0, returned: 0 }];
    for (const request of requests) {
      let at = progress.at(-1) ?? { begun: 0, returned: 0 };
      if (!request.discard && request.sector * SECTOR_BYTES >= FILE_SYSTEM_BYTES) {
        const [what, index] = writtenBytes(log, request).toString("latin1").trim().split(" ");
        at = what === "begin" ? { ...at, begun: Number(index) + 1 } : { ...at, returned: Number(index) + 1 };
      }
      progress.push(at);
    }
    return progress;
  } finally {
    closeSync(log);
  }
}

/** The store on the disk, after the file system's own recovery. */
function storeOn(disk: string, into: string): string {
  // 1: the journal was played back.
  execFileSync("sh", ["-c", 'e2fsck -p "$1" > "$1.log" 2>&1 || [ $? = 1 ] || { cat "$1.log" >&2; exit 1; }', "sh", disk], {
    stdio: "pipe",
  });
  mkdirSync(into);
  execFileSync("debugfs", ["-R", `rdump / ${into}`, disk], { stdio: "pipe" });
  return join(into, "store");
}

describe("a store whose machine loses power", needs("virtualMachine"), () => {
  const steps = powerCutSteps(busyboxTar());
  const states = statesOf(steps);
  let place: string;
  let power: PowerCuts;
  let progress: readonly { readonly begun: number; readonly returned: number }[];

  beforeAll(async () => {
    place = temporaryDirectory("power-cut");
    const files = { base: join(place, "base"), disk: join(place, "disk"), log: join(place, "log") };
    writeFileSync(files.base, "");
    truncateSync(files.base, DISK_BYTES);
    const sizes = [files.base, String(FILE_SYSTEM_BYTES / BLOCK_BYTES)];
    execFileSync("mkfs.ext4", ["-q", "-b", String(BLOCK_BYTES), "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", ...sizes], {
      stdio: "pipe",
    });
    execFileSync("cp", ["--sparse=always", files.base, files.disk]);
    writeFileSync(files.log, "");
    const vm = await startVm({ memoryMiB: 2048, cpus: 2, disks: [{ file: files.disk, logWritesTo: files.log }] });
    try {
      for (const script of [MAKE_CONTEXT, workload(steps)]) {
        const { code, output } = await vm.run(script, { env: { TSBUILD_ROOT: "/disk/store" }, timeoutMs: 900_000 });
        expect(code, output).toBe(0);
      }
    } finally {
      await vm.kill();
    }
    power = powerCuts(files.base, files.log);
    progress = progressOf(power.requests, files.log);
    return () => power.close();
  });

  it(`at any of ${cuts} points has all whole that it lists, and lists all that was there when a command returned (seed ${seed})`, async () => {
    expect(progress.at(-1)).toEqual({ begun: steps.length, returned: steps.length });
    const below = random(seed);
    const first = progress.findIndex(({ begun }) => begun > 0);
    const flushes = power.requests.flatMap(({ flush }, index) => (flush && index >= first ? [index + 1] : []));
    // Half of the points follow a flush, half lie anywhere.
    const points = Array.from({ length: cuts }, (_, i) =>
      i % 2 === 0 ? (flushes[below(flushes.length)] ?? first) : first + below(power.requests.length - first),
    ).sort((one, other) => one - other);
    const wrong: string[] = [];
    for (const [index, point] of points.entries()) {
      const disk = join(place, `disk-${index}`);
      const dump = join(place, `dump-${index}`);
      power.diskAt(point, disk, below);
      const { begun, returned } = progress[point] ?? { begun: steps.length, returned: steps.length };
      const store = storeOn(disk, dump);
      const where = `cut ${index} after request ${point}, ${returned} commands returned, ${begun} begun:`;
      wrong.push(...(await lossIn(store)).map((problem) => `${where} ${problem}`));
      const { names, damage } = checkLayout(store);
      wrong.push(...damage.map((problem) => `${where} ${problem}`));
      for (const name of new Set([...names, ...(states[returned]?.keys() ?? [])])) {
        const found = names.includes(name) ? stepOf(store, name) : undefined;
        const allowed = [states[returned]?.get(name), states[begun]?.get(name)];
        if (!allowed.includes(found)) wrong.push(`${where} ${name} is ${found ?? "lost"}, not ${allowed.join(" or ")}`);
      }
      removeDirectory(dump);
      removeDirectory(disk);
    }
    expect(wrong).toEqual([]);
  });
});

/** What is damaged of what nobody can make again, or is still damaged after a repair; and that all listed images can be exported before it. */
async function lossIn(root: string): Promise<readonly string[]> {
  const lost = (await problemsIn(root)).filter((problem) => !/^(?:tree|directory|record) /.test(problem));
  await using store = await openStore(root);
  const images = await repairStore(store, await checkStore(store));
  await store.close();
  return [
    ...lost,
    ...images.map(({ listed }) => `image ${listed} is lost`),
    ...(await problemsIn(root)).map((problem) => `repaired: ${problem}`),
  ];
}

function stepOf(store: string, name: string): string | undefined {
  const { Labels = {} } = readLayoutImage(store, name).config.config as { readonly Labels?: Readonly<Record<string, string>> };
  return Labels.step;
}
