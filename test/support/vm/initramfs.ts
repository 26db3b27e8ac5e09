import { readFileSync } from "node:fs";
import { type CpioEntry, cpioArchive } from "./cpio.ts";
import { AGENT, INIT } from "./guest-scripts.ts";
import type { DebianKernel } from "./kernel.ts";
import { modulesToLoad } from "./modules.ts";

/** What the machine's devices and the tests need of a kernel that is built in modules. */
const MODULES = [
  "virtio_pci",
  "virtio_blk",
  "virtio_console",
  "virtio_rng",
  "virtiofs",
  "overlay",
  "loop",
  "tun",
  "veth",
  "dummy",
  "binfmt_misc",
];

const APPLETS = ["sh", "mount", "mkdir", "insmod", "ln", "ip", "hostname", "chmod", "cp", "poweroff", "switch_root"];

const DIRECTORIES = ["bin", "modules", "proc", "sys", "dev", "lower", "cover", "root"];

/** The initial RAM disk with which a kernel boots into the host's root: busybox (linked statically), modules, init and agent. */
export function initramfs(kernel: DebianKernel): Uint8Array {
  const modules = modulesToLoad(kernel.modules, MODULES);
  const order = modules.map(({ name }) => `${name}\n`).join("");
  return cpioArchive([
    ...DIRECTORIES.map((path): CpioEntry => ({ kind: "directory", path })),
    file("bin/busybox", readFileSync("/bin/busybox")),
    ...APPLETS.map((name): CpioEntry => ({ kind: "symlink", path: `bin/${name}`, target: "busybox" })),
    ...modules.map(({ name, file: path }) => file(`modules/${name}.ko`, readFileSync(path))),
    file("modules/order", Buffer.from(order)),
    file("init", Buffer.from(INIT)),
    file("agent", Buffer.from(AGENT)),
  ]);
}

function file(path: string, bytes: Uint8Array): CpioEntry {
  return { kind: "file", path, mode: 0o755, bytes };
}
