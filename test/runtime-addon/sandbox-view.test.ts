import { readFileSync, statSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { needs } from "../support/needs.ts";
import { box, lines } from "./box.ts";

describe("from inside a sandbox", needs("root", "privateMounts"), () => {
  it("the host's mounts are not visible", async () => {
    const run = await box("cat /proc/self/mountinfo", { network: "none" });
    const mounts = lines(run).map((line) => line.split(" "));
    const shown = Object.fromEntries(mounts.map((fields) => [fields[4], `${fields[fields.indexOf("-") + 1]} ${fields[5]}`]));
    const nodes = ["null", "zero", "full", "random", "urandom", "tty"];
    const view = Object.fromEntries(Object.entries(shown).filter(([path]) => !/^\/(sys\/fs\/cgroup|proc\/|sys\/)/.test(path)));
    // No nosuid on the root: sudo works in a RUN. No device file works but those bound into /dev.
    expect(view).toEqual({
      "/": "overlay rw,nodev,relatime",
      "/dev": "tmpfs rw,nosuid,nodev,relatime",
      ...Object.fromEntries(nodes.map((name) => [`/dev/${name}`, "tmpfs rw,nosuid,noexec,relatime"])),
      "/dev/mqueue": "mqueue rw,nosuid,nodev,noexec,relatime",
      "/dev/pts": "devpts rw,nosuid,noexec,relatime",
      "/dev/shm": "tmpfs rw,nosuid,nodev,noexec,relatime",
      "/proc": "proc rw,nosuid,nodev,noexec,relatime",
      "/sys": "sysfs ro,nosuid,nodev,noexec,relatime",
    });
    expect(
      mounts.filter(
        (fields) => !/^(tmpfs|devtmpfs|proc|sysfs|overlay|cgroup2?|mqueue|devpts)$/.test(fields[fields.indexOf("-") + 1] ?? ""),
      ),
    ).toEqual([]);
    // Nothing propagates to the host or from it.
    expect(mounts.filter((fields) => fields.slice(6, fields.indexOf("-")).length > 0)).toEqual([]);
  });

  it("the paths of the layers are not visible", async () => {
    expect((await box("cat /proc/self/mountinfo | grep ' / / '")).stdout).toContain("lowerdir=0,upperdir=u,workdir=w");
  });

  it("the first process has no more rights than the command", async () => {
    const run = await box("grep -E '^Cap(Prm|Eff|Bnd|Inh)' /proc/1/status");
    expect(lines(run)).toEqual(["CapInh:\t0000000000000000", ...["Prm", "Eff", "Bnd"].map((set) => `Cap${set}:\t00000000a80425fb`)]);
  });

  it("all namespaces but the network's are new; asked for, that too", async () => {
    const names = ["cgroup", "ipc", "mnt", "pid", "uts", "net", "user"];
    const script = names.map((name) => `readlink /proc/self/ns/${name}`).join("; ");
    const { readlinkSync } = await import("node:fs");
    const host = names.map((name) => readlinkSync(`/proc/self/ns/${name}`));
    const same = (inside: string[]) => names.filter((_, i) => inside[i] === host[i]);
    expect(same(lines(await box(script)))).toEqual(["net", "user"]);
    expect(same(lines(await box(script, { network: "none" })))).toEqual(["user"]);
  });

  it("in a network of its own every user may listen on every port and every group ping, and the host's settings stay", async () => {
    const names = ["ip_unprivileged_port_start", "ping_group_range"].map((name) => `/proc/sys/net/ipv4/${name}`);
    const host = () => names.map((name) => readFileSync(name, "utf8"));
    const before = host();
    const script = "nc -l -p 80 </dev/null & until netstat -ltn | grep -o ':80 '; do :; done";
    const run = await box(`cat ${names.join(" ")}; ${script}`, { network: "none", process: { uid: 1000, gid: 1000, capabilities: [] } });
    expect(lines(run)).toEqual(["0", "0\t2147483647", ":80 "]);
    expect(host()).toEqual(before);
  });

  it("what tells of the host is hidden, and what would change it cannot be written", async () => {
    const masked = [
      "/proc/acpi",
      "/proc/asound",
      "/proc/interrupts",
      "/proc/kcore",
      "/proc/keys",
      "/proc/latency_stats",
      "/proc/timer_list",
      "/proc/timer_stats",
    ];
    const script = [
      ...[...masked, "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"].map(
        (path) => `[ -d ${path} ] && ls -A ${path}; [ -f ${path} -o -c ${path} ] && cat ${path}`,
      ),
      ...["/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/sys/kernel/profiling"].map(
        (path) => `[ -e ${path} ] && { echo x > ${path}; } 2>/dev/null && echo wrote ${path}`,
      ),
      "chmod 700 /proc/keys 2>/dev/null && echo changed the host's /dev/null",
      "mount -t tmpfs none /tmp 2>/dev/null && echo mounted",
      "mount -o remount,rw /sys 2>/dev/null && echo remounted",
      "umount /proc/sys 2>/dev/null && echo unmounted",
      "true",
    ];
    expect((await box(script.join("\n"))).stdout).toBe("");
  });

  it("/dev holds the usual files and no others", async () => {
    const run = await box(
      "cd /dev; ls -lA | tail -n +2 | awk '{print $1, $3, $5 ~ /,/ ? $5 $6 : \"\", $NF}'; ls -ld /dev /dev/shm /dev/mqueue | cut -c1-10; for link in fd ptmx core; do readlink $link; done",
    );
    expect(lines(run)).toEqual([
      "lrwxrwxrwx root  /proc/kcore",
      "lrwxrwxrwx root  /proc/self/fd",
      "crw-rw-rw- root 1,7 full",
      "drwxrwxrwt root  mqueue",
      "crw-rw-rw- root 1,3 null",
      "lrwxrwxrwx root  pts/ptmx",
      "drwxr-xr-x root  pts",
      "crw-rw-rw- root 1,8 random",
      "drwxrwxrwt root  shm",
      "lrwxrwxrwx root  /proc/self/fd/2",
      "lrwxrwxrwx root  /proc/self/fd/0",
      "lrwxrwxrwx root  /proc/self/fd/1",
      "crw-rw-rw- root 5,0 tty",
      "crw-rw-rw- root 1,9 urandom",
      "crw-rw-rw- root 1,5 zero",
      "drwxr-xr-x",
      "drwxrwxrwt",
      "drwxrwxrwt",
      "/proc/self/fd",
      "pts/ptmx",
      "/proc/kcore",
    ]);
  });

  it("/dev works, and is not the host's", async () => {
    const { statSync } = await import("node:fs");
    const before = statSync("/dev/null").mode;
    const run = await box(
      "echo x > /dev/null; head -c 4 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c; echo x > /dev/full; chmod 600 /dev/null; stat -c %a /dev/null",
    );
    expect(lines(run)).toEqual(["4", "4", "600"]);
    expect(run.stderr).toMatch(/No space left on device/);
    expect(statSync("/dev/null").mode).toBe(before);
  });

  it("a chmod of /dev/stdin does not reach the host's /dev/null", async () => {
    const host = statSync("/dev/null");
    const run = await box("stat -L -c %d:%i /proc/self/fd/0; chmod 600 /dev/stdin && stat -L -c %a /dev/null");
    expect(lines(run)[0]).not.toBe(`${host.dev}:${host.ino}`);
    expect(lines(run)[1]).toBe("600");
  });

  it("sizes of /dev/shm are as given", async () => {
    const size = "df -k /dev/shm | tail -n 1 | awk '{print $2}'";
    expect(lines(await box(size))).toEqual(["65536"]);
    expect(lines(await box(size, { shmSizeBytes: 1024 * 1024 }))).toEqual(["1024"]);
    // The kernel would take 0 for no limit.
    expect(lines(await box(size, { shmSizeBytes: 0 }))).toEqual(["65536"]);
  });

  it.each(["/tmp", "/dev", "/dev/shm"])("device files made in %s cannot be opened", async (directory) => {
    // 7:0 is a loop device, which every kernel knows; the refusal comes before the driver is asked.
    const run = await box(`mknod ${directory}/disk b 7 0 && head -c 1 ${directory}/disk`);
    expect(run.stderr).toMatch(/disk: Permission denied/);
  });

  it("limits can be read where programs look for them", async () => {
    const run = await box(
      "cat /proc/self/cgroup; find /sys/fs/cgroup -maxdepth 2 -name '*limit_in_bytes' -o -maxdepth 2 -name memory.max -o -maxdepth 2 -name cgroup.controllers | wc -l",
    );
    const groups = lines(run)
      .slice(0, -1)
      .map((line) => line.split(":")[2]);
    expect([...new Set(groups)]).toEqual(["/"]);
    expect(Number(lines(run).at(-1))).toBeGreaterThan(0);
  });
});
