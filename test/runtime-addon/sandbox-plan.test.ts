import { describe, expect, it } from "vitest";
import { limitFilesV1, limitFilesV2 } from "../../runtime-addon/cgroup-files.ts";
import { cgroupMounts, ownGroups } from "../../runtime-addon/cgroup-mounts.ts";
import type { ResourceLimits, SandboxSpec } from "../../runtime-addon/index.ts";
import { type PlanFacts, planSandbox } from "../../runtime-addon/sandbox-plan.ts";

const MACHINE = { architecture: "x64", kernel: [6, 1] } as const;

const FACTS: PlanFacts = { terminalGroupMapped: true, lastGroup: 99, cgroupView: { kind: "v2" }, machine: MACHINE };

const SPEC: SandboxSpec = {
  root: { lowers: ["/top", "/bottom"], upper: "/upper", work: "/work" },
  network: "none",
  hostname: "box",
  mounts: [
    { kind: "bind", source: "/host/file", target: "/etc/hosts", readOnly: true, recursive: false },
    { kind: "tmpfs", target: "/ram", sizeBytes: 4096, mode: 0o700 },
  ],
  files: [{ target: "/dev/tsbuild/x", content: "a b\n" }],
  process: { args: ["echo", "", "x y"], env: { A: "1", PATH: "/bin" }, cwd: "/w", uid: 1, gid: 2, groups: [2, 3], capabilities: ["CHOWN"] },
};

function tokens(spec: SandboxSpec, facts = FACTS): string[] {
  return planSandbox(spec, facts, true).toString("utf8").split("\0");
}

describe("the plan of a sandbox", () => {
  it("is a list of words that can be read", () => {
    const all = tokens(SPEC);
    expect(all.at(-1)).toBe("");
    expect(Number(all[1])).toBe(all.length - 1);
    expect(
      all
        .join(" ")
        .replace(/ --(mask|read-only) \S+/g, "")
        .replace(/ [0-9a-f]{1000,}/, " PROGRAM"),
    ).toBe(
      "tsb-init/1 109 --new-network --relay --lower /top --lower /bottom --overlay /upper /work --dev 67108864 5 - --file /dev/tsbuild/x 444 a b\n" +
        " --proc /proc --sysfs /sys read-only --cgroup2 /sys/fs/cgroup --bind /host/file /etc/hosts read-only --tmpfs /ram 4096 700 - --sysctl /proc/sys/net/ipv4/ip_unprivileged_port_start 0 --sysctl /proc/sys/net/ipv4/ping_group_range 0 99 --hostname box --loopback" +
        " --env A=1 --env PATH=/bin --cwd /w --search /bin --uid 1 --gid 2 --umask 22 --group 2 --group 3 --capability 0 --seccomp 4 PROGRAM --limit 7 1024 -" +
        " -- echo  x y ",
    );
  });

  it("shows v1 control groups by controller, and no group for terminals that is not mapped", () => {
    const cgroupView = {
      kind: "v1",
      hierarchies: [
        { name: "cpu,cpuacct", controllers: ["cpu", "cpuacct"] },
        { name: "memory", controllers: ["memory"] },
      ],
    } as const;
    const text = tokens(SPEC, { terminalGroupMapped: false, lastGroup: 99, cgroupView, machine: MACHINE }).join(" ");
    expect(text).toContain("--cgroup1 /sys/fs/cgroup cpu,cpuacct=cpu,cpuacct memory=memory");
    expect(text).toContain("--dev 67108864 -");
  });

  it.each<[string, Partial<SandboxSpec>, string]>([
    [
      "a NUL in an argument",
      { process: { ...SPEC.process, args: ["a\0--bind"] } },
      'planning the sandbox: "a\\0--bind" contains a NUL character',
    ],
    [
      "a NUL in the environment",
      { process: { ...SPEC.process, env: { A: "\0" } } },
      'planning the sandbox: "A=\\0" contains a NUL character',
    ],
    ["a NUL in a file", { files: [{ target: "/dev/x", content: "\0" }] }, 'planning the sandbox: "\\0" contains a NUL character'],
    ["a mount on the root", { mounts: [{ kind: "tmpfs", target: "/./" }] }, "planning the sandbox: mount target /./ is the root itself"],
    ["a relative target", { mounts: [{ kind: "tmpfs", target: "x" }] }, 'planning the sandbox: path "x" is not absolute'],
    [
      "a relative source",
      { mounts: [{ kind: "bind", source: "x", target: "/x", readOnly: true }] },
      'planning the sandbox: path "x" is not absolute',
    ],
    [
      "a file outside /dev",
      { files: [{ target: "/etc/passwd", content: "" }] },
      "planning the sandbox: provided file /etc/passwd is not below /dev",
    ],
    [
      "a file that leaves /dev",
      { files: [{ target: "/dev/../etc/x", content: "" }] },
      "planning the sandbox: provided file /dev/../etc/x is not below /dev",
    ],
    ["no lower", { root: { lowers: [], upper: "/u", work: "/w" } }, "planning the sandbox: an overlay needs a lower directory"],
    [
      "the id that means no change",
      { process: { ...SPEC.process, uid: 0xffffffff } },
      "planning the sandbox: 4294967295 is no user or group id",
    ],
    ["half an id", { process: { ...SPEC.process, gid: 1.5 } }, "planning the sandbox: 1.5 is no user or group id"],
    [
      "a capability of no kernel",
      { process: { ...SPEC.process, capabilities: ["CAP_FLY"] } },
      "planning the sandbox: there is no capability CAP_FLY",
    ],
  ])("refuses %s", (_name, changes, message) => {
    expect(() => tokens({ ...SPEC, ...changes })).toThrow(expect.objectContaining({ code: "INVALID_SPEC", message }));
  });
});

describe("control groups", () => {
  it("are found where they are mounted", () => {
    const mountinfo = [
      "22 27 0:21 / /proc rw,relatime - proc proc rw",
      "35 31 0:32 /docker/ab /sys/fs/cgroup/memory rw,nosuid shared:9 - cgroup cgroup rw,memory",
      "36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw shared:10 master:2 - cgroup cgroup rw,cpu,cpuacct",
      "37 31 0:34 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd",
      "38 31 0:35 / /sys/fs/with\\040space rw - cgroup2 cgroup2 rw,nsdelegate",
      "",
    ].join("\n");
    expect(cgroupMounts(mountinfo)).toEqual([
      { version: 1, controllers: ["memory"], root: "/docker/ab", mountPoint: "/sys/fs/cgroup/memory" },
      { version: 1, controllers: ["cpu", "cpuacct"], root: "/", mountPoint: "/sys/fs/cgroup/cpu,cpuacct" },
      { version: 1, controllers: [], root: "/", mountPoint: "/sys/fs/cgroup/systemd" },
      { version: 2, controllers: [], root: "/", mountPoint: "/sys/fs/with space" },
    ]);
    expect([...ownGroups("9:name=systemd:/\n3:cpu,cpuacct:/a:b\n0::/user.slice\n")]).toEqual([
      ["name=systemd", "/"],
      ["cpu", "/a:b"],
      ["cpuacct", "/a:b"],
      ["", "/user.slice"],
    ]);
  });

  const numbers = (path: string) => (path === "/dev/sda" ? "8:0" : "8:16");
  const written = (files: ReturnType<typeof limitFilesV1>) => files.map(({ file, value }) => `${file}=${value}`);

  it.each<[string, ResourceLimits, string[], string[]]>([
    ["nothing", {}, [], []],
    [
      "memory, and by default as much swap",
      { memoryBytes: 1000 },
      ["memory.limit_in_bytes=1000", "memory.memsw.limit_in_bytes=2000"],
      ["memory.max=1000", "memory.swap.max=1000"],
    ],
    [
      "memory and swap together",
      { memoryBytes: 1000, memorySwapBytes: 1500 },
      ["memory.limit_in_bytes=1000", "memory.memsw.limit_in_bytes=1500"],
      ["memory.max=1000", "memory.swap.max=500"],
    ],
    [
      "memory with unlimited swap",
      { memoryBytes: 1000, memorySwapBytes: -1 },
      ["memory.limit_in_bytes=1000", "memory.memsw.limit_in_bytes=-1"],
      ["memory.max=1000", "memory.swap.max=max"],
    ],
    ["processors", { cpus: 1.5 }, ["cpu.cfs_period_us=100000", "cpu.cfs_quota_us=150000"], ["cpu.max=150000 100000"]],
    [
      "processors, by a period of its own",
      { cpus: 0.5, cpuPeriodUs: 50_000 },
      ["cpu.cfs_period_us=50000", "cpu.cfs_quota_us=25000"],
      ["cpu.max=25000 50000"],
    ],
    ["a period alone", { cpuPeriodUs: 50_000 }, ["cpu.cfs_period_us=50000"], ["cpu.max=max 50000"]],
    ["reserved memory", { memoryReservationBytes: 1000 }, ["memory.soft_limit_in_bytes=1000"], ["memory.low=1000"]],
    ["swapping, which the second version does not know", { memorySwappiness: 0 }, ["memory.swappiness=0"], ["memory.swappiness=0"]],
    ["memory nodes", { cpusetMems: "0" }, ["cpuset.mems=0"], ["cpuset.mems=0"]],
    ["weight of disks", { ioWeight: 500 }, ["blkio.bfq.weight=500"], ["io.bfq.weight=default 500"]],
    [
      "weight of one disk",
      { ioWeightDevices: [{ device: "/dev/sda", value: 10 }] },
      ["blkio.bfq.weight_device=8:0 10"],
      ["io.bfq.weight=8:0 10"],
    ],
    [
      "rates of disks",
      {
        deviceReadBps: [
          { device: "/dev/sda", value: 1024 },
          { device: "/dev/sdb", value: 2048 },
        ],
        deviceWriteBps: [{ device: "/dev/sda", value: 1 }],
        deviceReadIops: [{ device: "/dev/sda", value: 2 }],
        deviceWriteIops: [{ device: "/dev/sda", value: 3 }],
      },
      [
        "blkio.throttle.read_bps_device=8:0 1024",
        "blkio.throttle.read_bps_device=8:16 2048",
        "blkio.throttle.write_bps_device=8:0 1",
        "blkio.throttle.read_iops_device=8:0 2",
        "blkio.throttle.write_iops_device=8:0 3",
      ],
      ["io.max=8:0 rbps=1024", "io.max=8:16 rbps=2048", "io.max=8:0 wbps=1", "io.max=8:0 riops=2", "io.max=8:0 wiops=3"],
    ],
    ["shares of Docker's default", { cpuShares: 1024 }, ["cpu.shares=1024"], ["cpu.weight=39"]],
    ["the fewest and the most shares", { cpuShares: 2 }, ["cpu.shares=2"], ["cpu.weight=1"]],
    ["the most shares", { cpuShares: 262_144 }, ["cpu.shares=262144"], ["cpu.weight=10000"]],
    ["named processors", { cpusetCpus: "0-2" }, ["cpuset.cpus=0-2"], ["cpuset.cpus=0-2"]],
    ["processes, besides the sandbox's own two", { pids: 10 }, ["pids.max=12"], ["pids.max=12"]],
  ])("limit %s", (_name, limits, v1, v2) => {
    expect(written(limitFilesV1(limits, numbers))).toEqual(v1);
    expect(written(limitFilesV2(limits, numbers))).toEqual(v2);
  });

  it("weights of disks are written as older schedulers have them where there is no bfq", () => {
    const limits = { ioWeight: 1000, ioWeightDevices: [{ device: "/dev/sda", value: 10 }] };
    const otherwise = (files: ReturnType<typeof limitFilesV1>) => files.map((one) => `${one.otherwise?.file}=${one.otherwise?.value}`);
    expect(otherwise(limitFilesV1(limits, numbers))).toEqual(["blkio.weight=1000", "blkio.weight_device=8:0 10"]);
    expect(otherwise(limitFilesV2(limits, numbers))).toEqual(["io.weight=default 10000", "io.weight=8:0 1"]);
  });
});
