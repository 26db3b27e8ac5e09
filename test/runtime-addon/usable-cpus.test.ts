import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { describe, expect, it } from "vitest";
import { openCgroup, usableCpus } from "../../runtime-addon/index.ts";
import { cpuQuota } from "../../runtime-addon/usable-cpus.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { bundleProgram } from "./bundled.ts";

const v2 = "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
const v1 = "31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n";

/** The quota where these files are there and no others. */
function quotaWith(mountinfo: string, cgroup: string, files: Readonly<Record<string, string>>): number {
  const all: Readonly<Record<string, string>> = { "/proc/self/mountinfo": mountinfo, "/proc/self/cgroup": cgroup, ...files };
  return cpuQuota((path) => all[path]);
}

describe("the quota of processor time", () => {
  it.each<[name: string, mountinfo: string, cgroup: string, files: Readonly<Record<string, string>>, quota: number]>([
    ["no control groups", "", "", {}, Infinity],
    ["version 2: none", v2, "0::/user\n", { "/sys/fs/cgroup/user/cpu.max": "max 100000\n" }, Infinity],
    ["version 2: its own", v2, "0::/user\n", { "/sys/fs/cgroup/user/cpu.max": "150000 100000\n" }, 1.5],
    [
      "version 2: the least of those above",
      v2,
      "0::/a/b/c\n",
      { "/sys/fs/cgroup/a/b/c/cpu.max": "900000 100000\n", "/sys/fs/cgroup/a/cpu.max": "50000 25000\n" },
      2,
    ],
    ["version 2: the root of a container", v2, "0::/\n", { "/sys/fs/cgroup/cpu.max": "300000 100000\n" }, 3],
    ["version 2: a group that cannot be seen", v2, "0::/../other\n", {}, Infinity],
    [
      "version 1: none",
      v1,
      "3:cpu,cpuacct:/a\n",
      { "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "-1\n", "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000\n" },
      Infinity,
    ],
    [
      "version 1: the group above",
      v1,
      "3:cpu,cpuacct:/a/b\n",
      { "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "250000\n", "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000\n" },
      2.5,
    ],
    [
      "version 1: only a part of the hierarchy is mounted",
      "31 25 0:27 /docker/1 /cpu rw - cgroup cgroup rw,cpu\n",
      "3:cpu:/docker/1/x\n",
      { "/cpu/cpu.cfs_quota_us": "100000\n", "/cpu/cpu.cfs_period_us": "100000\n" },
      1,
    ],
    [
      "both versions: the one with the controller counts",
      v2 + v1,
      "3:cpu:/a\n0::/a\n",
      { "/sys/fs/cgroup/a/cpu.max": "70000 100000" },
      0.7,
    ],
  ])("%s", (_name, mountinfo, cgroup, files, quota) => {
    expect(quotaWith(mountinfo, cgroup, files)).toBe(quota);
  });
});

describe("the processors in use", () => {
  it("are no more than the affinity mask has", () => {
    expect(usableCpus()).toBeLessThanOrEqual(availableParallelism());
    const cpu = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
    const program = bundleProgram(temporaryDirectory("cpus"), "return runtime.usableCpus();");
    expect(execFileSync("taskset", ["--cpu-list", cpu, process.execPath, program], { encoding: "utf8" })).toBe('{"value":1}\n');
  });

  it("are what the quota of a real group pays for, rounded up", needs("root", "cgroups"), async () => {
    const program = bundleProgram(temporaryDirectory("cpus"), "return runtime.usableCpus();");
    const { group } = await openCgroup({ cpus: 0.5 });
    try {
      const child = spawn("sh", ["-c", 'read -r go && exec "$0" "$1"', process.execPath, program], { stdio: ["pipe", "pipe", "inherit"] });
      await group?.add(child.pid ?? 0);
      child.stdin.end("go\n");
      const output: Buffer[] = [];
      child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
      await once(child, "close");
      expect(Buffer.concat(output).toString("utf8")).toBe('{"value":1}\n');
    } finally {
      await group?.close();
    }
  });
});
