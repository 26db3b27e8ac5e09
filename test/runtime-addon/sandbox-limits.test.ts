import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { openCgroup, type ResourceLimits } from "../../runtime-addon/index.ts";
import { goneWithin, tsbuildCgroups } from "../support/leftovers.ts";
import { needs } from "../support/needs.ts";
import { ON_SLOW_MACHINE } from "../support/slow-machine.ts";
import { type BoxRun, box, lines } from "./box.ts";

async function limited(limits: ResourceLimits, script: string): Promise<BoxRun> {
  const { group } = await openCgroup(limits);
  if (group === undefined) throw new Error("limits gave no group");
  try {
    return await box(script, { cgroup: group });
  } finally {
    await group.close();
  }
}

/** Where a group of these limits is. */
async function directoryOf(limits: ResourceLimits): Promise<string> {
  const { group } = await openCgroup(limits);
  const sleeper = spawn("sleep", ["100"]);
  try {
    await group?.add(sleeper.pid ?? 0);
    const [name = ""] = /tsbuild-\w+/.exec(readFileSync(`/proc/${sleeper.pid}/cgroup`, "utf8")) ?? [];
    return tsbuildCgroups().find((path) => basename(path) === name) ?? "";
  } finally {
    // Kills it, too.
    await group?.close();
  }
}

/** The first disk of the machine that has a device file. */
function disk(): string | undefined {
  return readdirSync("/sys/block")
    .filter((name) => !/^(loop|ram|zram)/.test(name))
    .map((name) => `/dev/${name}`)
    .find((path) => existsSync(path));
}

/** Takes CAP_SYS_RESOURCE over the machine, which root lacks in many containers. */
function mayLowerScore(): boolean {
  return spawnSync("sh", ["-c", "echo -999 > /proc/self/oom_score_adj"], { stdio: "ignore" }).status === 0;
}

/** Takes n MiB of memory in a process of its own, and holds them until its end. */
const take = (mebibytes: number) => `head -c ${mebibytes * 1024 * 1024} /dev/zero | tail -c ${mebibytes * 1024 * 1024} | wc -c`;

/** The same with nobody beside it who takes any: the kernel kills a second one where one asks for more before it has the first one's memory back. */
const takeAlone = (mebibytes: number) => `dd if=/dev/zero of=/dev/null bs=${mebibytes}M count=1`;

describe("limits of a sandbox", needs("root", "privateMounts", "cgroups"), () => {
  it("without any there is no group to be made", async () => {
    expect(await openCgroup({})).toEqual({});
  });

  it("memory: who takes more is killed, and that is told", async () => {
    const run = await limited({ memoryBytes: 24 * 1024 * 1024, memorySwapBytes: 24 * 1024 * 1024 }, `${takeAlone(64)}; exit 4`);
    expect(run.status).toEqual({ code: 4 });
    expect(run.usage.oomKilled).toBe(true);
    // The peak is the limit itself, and more where the kernel charges what it cannot refuse.
    expect(run.usage.peakMemoryBytes).toBeLessThan(25 * 1024 * 1024);
    expect(run.usage.peakMemoryBytes).toBeGreaterThan(20 * 1024 * 1024);
  });

  it("memory: what the sandbox needs is killed last, which the command is not and cannot become", async () => {
    const script = "cat /proc/1/oom_score_adj /proc/self/oom_score_adj; echo -1 2> /dev/null > /proc/self/oom_score_adj || echo refused";
    const own = readFileSync("/proc/self/oom_score_adj", "utf8").trim();
    const last = mayLowerScore() ? "-999" : own;
    const outside: string[] = [];
    const onStarted = ({ pid }: { readonly pid: number }) => {
      const [, parent] = /^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
      for (const each of ["comm", "oom_score_adj"]) outside.push(readFileSync(`/proc/${parent}/${each}`, "utf8").trim());
    };
    expect(lines(await box(script, {}, { onStarted }))).toEqual([last, own, "refused"]);
    expect(outside).toEqual(["tsb:map", last]);
  });

  it("memory: who stays below is not, and the peak is measured over all processes", async () => {
    const run = await limited({ memoryBytes: 256 * 1024 * 1024 }, `${take(16)} & ${take(16)} & wait`);
    expect(run.usage.oomKilled).toBe(false);
    expect(run.usage.peakMemoryBytes).toBeGreaterThan(16 * 1024 * 1024);
    expect(run.usage.peakMemoryBytes).toBeLessThan(200 * 1024 * 1024);
    expect(run.usage.peakMemoryOf).toBe("all");
  });

  it("pids: as many as asked for, and not one more", async () => {
    // The shell itself is the first of five.
    const run = await limited({ pids: 5 }, "for i in 1 2 3 4; do sleep 100 & done; echo four; (true) & echo five");
    expect(run.stdout).toBe("four\n");
    expect(run.stderr).toMatch(/can't fork/);
    expect(run.usage).toMatchObject({ peakPids: 5, pidsRefused: true });
  });

  it("pids: a group that counts them knows their memory in a hierarchy for both only", async () => {
    const { usage } = await limited({ pids: 50 }, `${take(16)} & ${take(16)} & wait`);
    const isUnified = existsSync("/sys/fs/cgroup/cgroup.controllers");
    expect(usage.peakMemoryOf).toBe(isUnified ? "all" : "largest");
    expect(usage.peakMemoryBytes).toBeGreaterThan((isUnified ? 30 : 16) * 1024 * 1024);
    if (!isUnified) expect(usage.peakMemoryBytes).toBeLessThan(30 * 1024 * 1024);
  });

  it("pids: the most at a time are counted, without the sandbox's own", async () => {
    const run = await limited({ pids: 50 }, "for i in 1 2 3; do sleep 100 & done; true; true");
    expect(run.usage).toMatchObject({ peakPids: 4, pidsRefused: false });
  });

  it("disks: the kernel has the rates, and counts what is read and written", async (context) => {
    const device = disk();
    if (device === undefined) return context.skip("the machine has no disk");
    const rate = (value: number) => [{ device, value }];
    const limits = { deviceReadBps: rate(2 ** 20), deviceWriteBps: rate(2 ** 21), deviceReadIops: rate(300), deviceWriteIops: rate(400) };
    const run = await limited(limits, "cat /sys/fs/cgroup/io.max /sys/fs/cgroup/blkio/blkio.throttle.*_device 2>/dev/null; true");
    for (const number of [2 ** 20, 2 ** 21, 300, 400]) expect(run.stdout).toMatch(new RegExp(`\\b${number}\\b`));
    expect(run.usage).toMatchObject({ readBytes: expect.any(Number), writtenBytes: expect.any(Number) });
  });

  it("memory nodes, reserved memory and a period: as asked for", async () => {
    const run = await limited({ cpusetMems: "0", memoryReservationBytes: 2 ** 25, cpus: 0.5, cpuPeriodUs: 50_000 }, "exit 0");
    expect(run.status).toEqual({ code: 0 });
  });

  it("cpus: time is given out slowly", async () => {
    const work = `i=0; while [ $i -lt ${ON_SLOW_MACHINE ? 20_000 : 200_000} ]; do i=$((i+1)); done`;
    const started = Date.now();
    const run = await limited({ cpus: 0.2 }, work);
    const wallMs = Date.now() - started;
    expect(run.usage.cpuMs / wallMs).toBeLessThan(0.5);
  });

  it("cpuset: the named processors only", async () => {
    expect(lines(await limited({ cpusetCpus: "0" }, "grep Cpus_allowed_list /proc/self/status"))).toEqual(["Cpus_allowed_list:\t0"]);
  });

  it("all of them at once", async () => {
    const run = await limited(
      { memoryBytes: 64 * 1024 * 1024, memorySwapBytes: -1, cpus: 1.5, cpuShares: 512, cpusetCpus: "0", pids: 20 },
      "exit 0",
    );
    expect(run.status).toEqual({ code: 0 });
  });

  it.each<[string, ResourceLimits, RegExp]>([
    ["processors that the machine has not", { cpusetCpus: "4000" }, /^setting the limit --cpuset-cpus: writing 4000 to cpuset\.cpus: E/],
    ["memory nodes that the machine has not", { cpusetMems: "900" }, /^setting the limit --cpuset-mems: writing 900 to cpuset\.mems: E/],
    [
      "a disk that is none",
      { deviceReadBps: [{ device: "/dev/null", value: 1 }] },
      /^limiting the device \/dev\/null: there is no such block device$/,
    ],
    ["less swap and memory than memory", { memoryBytes: 2 ** 26, memorySwapBytes: 2 ** 25 }, /^setting the limit --memory-swap: /],
  ])("%s: an error that names the limit", async (_name, limits, message) => {
    await expect(openCgroup(limits)).rejects.toMatchObject({ code: "LIMIT_UNAVAILABLE", message: expect.stringMatching(message) });
  });

  it("leave no group behind, whatever happened", async () => {
    const before = tsbuildCgroups();
    await limited({ pids: 50, memoryBytes: 2 ** 26 }, "sleep 100 & sleep 100 & exit 1");
    await expect(openCgroup({ pids: 10, cpusetCpus: "4000" })).rejects.toMatchObject({
      code: "LIMIT_UNAVAILABLE",
      message: expect.stringMatching(/^setting the limit --cpuset-cpus: writing 4000 to cpuset\.cpus: E/),
    });
    // Groups of other test files come and go.
    const after = tsbuildCgroups().filter((path) => !before.includes(path));
    expect(await goneWithin(20_000, () => after.filter((path) => existsSync(path)))).toEqual([]);
  });

  it("what a killed process's sandbox left running is killed, in groups below its group too", async () => {
    const left = join(dirname(await directoryOf({ pids: 10 })), `tsbuild-${randomBytes(6).toString("hex")}`);
    const below = join(left, "below");
    mkdirSync(below, { recursive: true });
    const sleeper = spawn("sleep", ["100"]);
    writeFileSync(join(below, "cgroup.procs"), String(sleeper.pid));
    const ended = once(sleeper, "exit");
    await limited({ pids: 10 }, "true");
    expect(await ended).toEqual([null, "SIGKILL"]);
    // Its dead may count for a moment: the next run removes what this one could not.
    for (let runs = 0; existsSync(left) && runs < 100; runs++) await limited({ pids: 10 }, "true");
    expect(existsSync(left)).toBe(false);
  });

  it.each(["tsbuild-runner.service", "tsbuild-leaf-of-others"])(
    "a group of others whose name begins like ours is left alone: %s",
    async (prefix) => {
      const others = join(dirname(await directoryOf({ pids: 10 })), `${prefix}-${process.pid}`);
      mkdirSync(others);
      const sleeper = spawn("sleep", ["100"]);
      const ended = once(sleeper, "exit");
      try {
        writeFileSync(join(others, "cgroup.procs"), String(sleeper.pid));
        await limited({ pids: 10 }, "true");
        expect(readFileSync(join(others, "cgroup.procs"), "utf8")).toBe(`${sleeper.pid}\n`);
      } finally {
        sleeper.kill("SIGTERM");
        expect(await ended).toEqual([null, "SIGTERM"]);
        expect(await goneWithin(10_000, () => readFileSync(join(others, "cgroup.procs"), "utf8").split("\n").filter(Boolean))).toEqual([]);
        rmdirSync(others);
      }
    },
  );

  it("removes the groups that killed processes left, and none whose maker lives", async () => {
    const { group } = await openCgroup({ pids: 10 });
    const sleeper = spawn("sleep", ["100"]);
    await group?.add(sleeper.pid ?? 0);
    const [name = ""] = /tsbuild-\w+/.exec(readFileSync(`/proc/${sleeper.pid}/cgroup`, "utf8")) ?? [];
    const mine = tsbuildCgroups().filter((path) => basename(path) === name);
    expect(mine).toHaveLength(1);
    const left = join(dirname(mine[0] ?? ""), `tsbuild-${randomBytes(6).toString("hex")}`);
    mkdirSync(left);
    sleeper.kill("SIGKILL");
    await once(sleeper, "exit");
    await limited({ pids: 10 }, "true");
    expect([existsSync(left), existsSync(mine[0] ?? "")]).toEqual([false, true]);
    await group?.close();
    expect(existsSync(mine[0] ?? "")).toBe(false);
  });
});
