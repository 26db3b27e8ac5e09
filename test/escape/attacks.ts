import { execFileSync, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defaultGateway } from "../../builder/sandbox/default-gateway.ts";
import type { ModeChanges, Sandboxes } from "../support/sandbox/modes.ts";
import { ON_SLOW_MACHINE } from "../support/slow-machine.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import type { WITHOUT } from "./defences.ts";

/** A way out of a sandbox. */
export interface Attack {
  readonly name: string;
  /** With what taken out it succeeds. */
  readonly control: keyof typeof WITHOUT;
  /** What it takes of the machine besides sandboxes. */
  readonly needs?: "cgroups" | "isolatedNetwork" | "isolatedIpv6";
  /** Resolves with whether it reached something outside. `tools` is where the programs of attack.c and crafted-packets.c are. */
  attempt(sandboxes: Sandboxes, tools: string): Promise<boolean>;
}

/** Compiles attack.c and crafted-packets.c into a directory that can be mounted. */
export function attackTools(): string {
  const directory = temporaryDirectory("attack");
  for (const name of ["attack", "crafted-packets"])
    execFileSync("gcc", ["-static", "-w", "-o", join(directory, name), fileURLToPath(new URL(`${name}.c`, import.meta.url))]);
  return directory;
}

const CANARY = "a canary of the host\n";

function hostDirectory(sandboxes: Sandboxes): string {
  const host = sandboxes.directory();
  writeFileSync(join(host, "canary"), CANARY);
  sandboxes.own(host);
  return host;
}

function isUnchanged(host: string): boolean {
  return readdirSync(host).join() === "canary" && readFileSync(join(host, "canary"), "utf8") === CANARY;
}

/** The standard output; "" where the sandbox was not made. */
async function outputOf(sandboxes: Sandboxes, script: string, changes: ModeChanges = {}): Promise<string> {
  return sandboxes.run(script, changes).then(
    ({ stdout }) => stdout,
    () => "",
  );
}

/** What the program of attack.c says of this way. */
function attack(sandboxes: Sandboxes, tools: string, words: readonly string[], changes: ModeChanges = {}): Promise<string> {
  return toolOutput(sandboxes, tools, ["attack", ...words], changes);
}

function toolOutput(sandboxes: Sandboxes, tools: string, [name, ...words]: readonly string[], changes: ModeChanges): Promise<string> {
  const mounts = [{ kind: "bind", source: tools, target: "/tools", readOnly: true } as const];
  const args: [string, ...string[]] = [`/tools/${name}`, ...words];
  return outputOf(sandboxes, "", { ...changes, mounts, process: { ...changes.process, args } });
}

/** A layer with a link in it. */
function linked(sandboxes: Sandboxes, name: string, target: string): string {
  const lower = sandboxes.directory();
  symlinkSync(target, join(lower, name));
  sandboxes.own(lower);
  return lower;
}

async function mountOnLink(sandboxes: Sandboxes, target: (host: string) => string): Promise<boolean> {
  const host = hostDirectory(sandboxes);
  const source = join(sandboxes.directory(), "file");
  writeFileSync(source, "");
  sandboxes.own(source);
  const mounts = [{ kind: "bind", source, target: "/link/resolv.conf", readOnly: false } as const];
  await outputOf(sandboxes, "echo x > /link/canary; echo x > /link/resolv.conf", {
    lowers: [linked(sandboxes, "link", target(host))],
    mounts,
  });
  return !isUnchanged(host);
}

/** A process of the same user outside, while `body` runs. */
async function withVictim<T>({ mode }: Sandboxes, body: (pid: number, uid: number) => Promise<T>): Promise<T> {
  const uid = mode.user?.uid ?? 61_100;
  const victim = spawn("setpriv", ["--reuid", String(uid), "--regid", String(uid), "--clear-groups", "sh", "-c", "echo; exec sleep 1000"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  await once(victim.stdout, "data");
  try {
    // Of the ids inside, the one that is the victim's outside.
    return await body(victim.pid ?? 0, mode.user === undefined ? uid : 0);
  } finally {
    victim.kill("SIGKILL");
    await once(victim, "close");
  }
}

/** A tsb-init that is started with a directory of the host open as descriptor 7. */
function leaking(sandboxes: Sandboxes, host: string): string {
  const wrapper = join(sandboxes.directory(), "tsb-init");
  writeFileSync(wrapper, `#!/bin/sh\nexec 7<${host}\nexec ${sandboxes.helper}\n`, { mode: 0o755 });
  sandboxes.own(wrapper);
  return wrapper;
}

function deviceLayer(sandboxes: Sandboxes): string {
  const lower = sandboxes.directory();
  // The kernel's random numbers, which can be read whatever the machine is.
  execFileSync("mknod", ["-m", "666", join(lower, "node"), "c", "1", "8"]);
  sandboxes.own(lower);
  return lower;
}

async function swapInCache(sandboxes: Sandboxes, tools: string): Promise<boolean> {
  const host = hostDirectory(sandboxes);
  const cache = sandboxes.directory();
  mkdirSync(join(cache, "a"));
  symlinkSync(host, join(cache, "b"));
  sandboxes.own(cache);
  const shared = { kind: "bind", source: cache, target: "/c", readOnly: false } as const;
  const program = { kind: "bind", source: tools, target: "/tools", readOnly: true } as const;
  const swapping = outputOf(sandboxes, "/tools/attack swap /c/a /c/b /c/stop", { mounts: [shared, program] });
  try {
    for (let i = 0; i < (ON_SLOW_MACHINE ? 5 : 15) && isUnchanged(host); i++) {
      await outputOf(sandboxes, "true", { mounts: [shared, { kind: "tmpfs", target: `/c/a/${i}` }] });
    }
  } finally {
    writeFileSync(join(cache, "stop"), "");
    await swapping;
  }
  return !isUnchanged(host);
}

/** Whether packets of crafted-packets.c arrive at servers on the machine's loopback, of which the sandbox's network is not to know the way. */
async function reachLoopback(sandboxes: Sandboxes, tools: string, way: string, address: string, user = {}): Promise<boolean> {
  let reached = false;
  const connections = createServer((socket) => {
    reached = true;
    socket.destroy();
  }).listen(0, address);
  const onReach = (text: Buffer): void => {
    reached ||= text.includes("crafted");
  };
  const datagrams = createSocket(address === "::1" ? "udp6" : "udp4").on("message", onReach);
  datagrams.bind(0, address);
  const last = createSocket("udp4").on("message", (_text, { port }) => last.send("x", port, "127.0.0.1"));
  last.bind(0, "127.0.0.1");
  await Promise.all([connections, datagrams, last].map((server) => once(server, "listening")));
  try {
    const ports = [datagrams.address().port, (connections.address() as AddressInfo).port].map(String);
    const words = ["crafted-packets", way, ...ports, (await defaultGateway()) ?? "", String(last.address().port)];
    const said = await toolOutput(sandboxes, tools, words, { isolated: true, process: user });
    if (said !== "answered\n") throw new Error("the sandbox has no way out at all, which proves nothing");
    return reached;
  } finally {
    connections.close();
    datagrams.close();
    last.close();
  }
}

// What runs programs as root of the machine, or ends it (sysctl(2), core(5), cgroups(7) "release_agent").
const KNOBS = [
  ...["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/kernel/modprobe", "/proc/sys/fs/binfmt_misc/register"],
  ...["/sys/kernel/uevent_helper", "/sys/power/state", "/proc/sys/vm/overcommit_memory", "/sys/fs/cgroup/memory/release_agent"],
  ...["/sys/fs/cgroup/cpu/release_agent", "/sys/fs/cgroup/cgroup.procs", "/proc/kcore", "/dev/mem", "/dev/kmsg"],
];

export const ATTACKS: readonly Attack[] = [
  {
    name: "an absolute symlink as a mount target",
    control: "walls",
    attempt: (sandboxes) => mountOnLink(sandboxes, (host) => host),
  },
  {
    name: "a symlink that climbs out as a mount target",
    control: "walls",
    attempt: (sandboxes) => mountOnLink(sandboxes, (host) => `../../../../../../../../../../../..${host}`),
  },
  {
    name: "a symlink through /proc/1/root as a mount target",
    control: "walls",
    attempt: (sandboxes) => mountOnLink(sandboxes, (host) => `/proc/self/root${host}`),
  },
  {
    name: "symlinks swapped in a cache mount while others mount in it",
    control: "walls",
    attempt: swapInCache,
  },
  {
    name: "overwriting /proc/self/exe",
    control: "walls",
    async attempt(sandboxes) {
      const shown = () => {
        const { mode, mtimeMs, size, ctimeMs } = statSync(sandboxes.helper);
        return JSON.stringify([mode, mtimeMs, size, ctimeMs]);
      };
      const before = shown();
      await outputOf(sandboxes, "for exe in /proc/[0-9]*/exe; do chmod 777 $exe; touch -d @1 $exe; (echo x > $exe); done", {});
      // The helper itself as the command, before it is anything else.
      for (const args of [["/proc/self/exe"], ["/proc/self/exe", "--version"]] as const)
        await outputOf(sandboxes, "", { process: { args } });
      return shown() !== before;
    },
  },
  {
    name: "/proc/PID/root of a process outside",
    control: "processes",
    attempt: (sandboxes) =>
      withVictim(sandboxes, async (pid, uid) => {
        const host = hostDirectory(sandboxes);
        const script = `for way in root cwd; do cat /proc/[0-9]*/$way${host}/canary; done; cat /proc/${pid}/root${host}/canary`;
        return (await outputOf(sandboxes, script, { process: { uid, gid: uid } })).includes(CANARY);
      }),
  },
  {
    name: "ptrace, memory and signals of a process outside",
    control: "processes",
    attempt: (sandboxes, tools) =>
      withVictim(
        sandboxes,
        async (pid, uid) => (await attack(sandboxes, tools, ["process", String(pid)], { process: { uid, gid: uid } })) !== "",
      ),
  },
  {
    name: "an abstract socket of the host",
    control: "processes",
    async attempt(sandboxes, tools) {
      const name = `tsbuild-test-${process.pid}-${Math.random()}`;
      const server = createServer((socket) => socket.destroy()).listen(`\0${name}`);
      await once(server, "listening");
      try {
        return (await attack(sandboxes, tools, ["connect", name])) !== "";
      } finally {
        server.close();
      }
    },
  },
  {
    name: "datagrams to the host's loopback, bound to the other interface",
    control: "plan",
    needs: "isolatedNetwork",
    attempt: (sandboxes, tools) => reachLoopback(sandboxes, tools, "bound", "127.0.0.1", { capabilities: [] }),
  },
  {
    name: "frames to the host's loopback",
    control: "plan",
    needs: "isolatedNetwork",
    attempt: (sandboxes, tools) => reachLoopback(sandboxes, tools, "frames", "127.0.0.1"),
  },
  {
    name: "frames of IPv6 to the host's loopback",
    control: "plan",
    needs: "isolatedIpv6",
    attempt: (sandboxes, tools) => reachLoopback(sandboxes, tools, "frames6", "::1"),
  },
  {
    name: "a leaked descriptor",
    control: "walls",
    async attempt(sandboxes) {
      const initPath = leaking(sandboxes, hostDirectory(sandboxes));
      return (await outputOf(sandboxes, "cat /proc/self/fd/*/canary", { initPath })).includes(CANARY);
    },
  },
  {
    name: "a leaked descriptor as the working directory",
    control: "walls",
    async attempt(sandboxes) {
      const initPath = leaking(sandboxes, hostDirectory(sandboxes));
      return (await outputOf(sandboxes, "cat canary", { initPath, process: { cwd: "/proc/self/fd/7" } })).includes(CANARY);
    },
  },
  {
    name: "device files of the image and of the step",
    control: "walls",
    async attempt(sandboxes) {
      const script = "mknod -m 666 /tmp/node c 1 8; for node in /node /tmp/node; do [ -c $node ] && head -c 4 $node; done | wc -c";
      const read = await outputOf(sandboxes, script, { lowers: [deviceLayer(sandboxes)] });
      return Number(read) > 0;
    },
  },
  {
    name: "mounts and new namespaces inside the step",
    control: "plan",
    attempt: async (sandboxes, tools) => (await attack(sandboxes, tools, ["mount"])) !== "",
  },
  {
    name: "core_pattern, sysrq-trigger and their like",
    control: "walls",
    attempt: async (sandboxes, tools) => (await attack(sandboxes, tools, ["open", ...KNOBS])) !== "",
  },
  {
    name: "a fork bomb under a limit of processes",
    control: "plan",
    needs: "cgroups",
    attempt: async (sandboxes, tools) => Number(await attack(sandboxes, tools, ["fork", "200"], { limits: { pids: 20 } })) >= 20,
  },
  {
    name: "a memory bomb under a limit of memory",
    control: "plan",
    needs: "cgroups",
    async attempt(sandboxes, tools) {
      const limits = { memoryBytes: 32 * 2 ** 20, memorySwapBytes: 32 * 2 ** 20 };
      return (await attack(sandboxes, tools, ["memory", "96"], { limits })) !== "";
    },
  },
  {
    name: "filling the memory behind /dev",
    control: "walls",
    async attempt(sandboxes) {
      const script =
        "for place in /dev /dev/shm; do dd if=/dev/zero of=$place/fill bs=1M count=70 && echo filled; rm $place/fill; done 2>/dev/null";
      return (await outputOf(sandboxes, script)) !== "";
    },
  },
];

/** That what `attempt` stands on works at all: an attack that cannot even be tried proves nothing. */
export async function canAttack(sandboxes: Sandboxes, tools: string): Promise<boolean> {
  return existsSync(join(tools, "attack")) && (await attack(sandboxes, tools, ["open", "/dev/zero"])) === "/dev/zero\n";
}
