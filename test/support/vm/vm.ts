import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Accelerator, accelerator as usualAccelerator } from "./accelerator.ts";
import { type CommandChannel, commandChannel, type VmCommandOptions, type VmResult } from "./command-channel.ts";
import { initramfs } from "./initramfs.ts";
import { debianKernel } from "./kernel.ts";
import { type Disk, qemuArguments } from "./qemu.ts";
import { startVirtiofsd } from "./virtiofsd.ts";

export interface VmOptions {
  readonly memoryMiB: number;
  readonly cpus: number;
  /** More disks; the first is /dev/vdb. */
  readonly disks?: readonly Disk[];
  /** Absent: KVM where it works. */
  readonly accelerator?: Accelerator;
}

/** A running virtual machine that sees the host's files, and can write none of them. */
export interface Vm {
  /** Of its kernel. */
  readonly release: string;
  readonly accelerator: Accelerator;
  /** From the start of qemu until commands were taken. */
  readonly bootMs: number;
  /** Runs a shell script in the machine, one at a time. Rejects when the machine ends before the script, or the script does not end in time. */
  run(script: string, options?: VmCommandOptions): Promise<VmResult>;
  /** Pulls the plug: what the machine has not flushed to its disks is lost. */
  kill(): Promise<void>;
}

const BOOT_LIMIT_MS = 120_000;
const SCRATCH_BYTES = 16 * 2 ** 30;

/** Boots Debian's kernel with a unified hierarchy of control groups and an ext4 scratch disk in /scratch. Needs root. */
export async function startVm(options: VmOptions): Promise<Vm> {
  const { memoryMiB, cpus, disks = [], accelerator = usualAccelerator() } = options;
  const directory = mkdtempSync(join(tmpdir(), "tsbuild-vm-"));
  try {
    const kernel = debianKernel();
    const files = { initramfs: join(directory, "initramfs"), scratch: join(directory, "scratch"), console: join(directory, "console") };
    writeFileSync(files.initramfs, initramfs(kernel));
    makeScratchDisk(files.scratch);
    mkdirSync(join(directory, "root"));
    const shared = await startVirtiofsd(join(directory, "root"));
    const started = Date.now();
    const args = qemuArguments({
      accelerator,
      memoryMiB,
      cpus,
      kernelImage: kernel.image,
      initramfs: files.initramfs,
      rootSocket: shared.socket,
      consoleFile: files.console,
      disks: [{ file: files.scratch }, ...disks],
    });
    const child = spawn("qemu-system-x86_64", args, { stdio: ["pipe", "pipe", "pipe"] });
    const messages: string[] = [];
    child.stderr.on("data", (chunk: Buffer) => messages.push(chunk.toString("utf8")));
    const ended = once(child, "close");
    const kill = async (): Promise<void> => {
      child.kill("SIGKILL");
      await ended;
      await shared.stop();
      rmSync(directory, { recursive: true, force: true });
    };
    const lastWords = (): string =>
      `${messages.join("")}${existsSync(files.console) ? readFileSync(files.console, "utf8") : ""}`.slice(-4000);
    try {
      const channel: CommandChannel = commandChannel(child.stdin, child.stdout, { lastWords, onLate: () => child.kill("SIGKILL") });
      await channel.ready(BOOT_LIMIT_MS);
      return { release: kernel.release, accelerator, bootMs: Date.now() - started, run: channel.run, kill };
    } catch (error) {
      await kill();
      throw error;
    }
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
}

function makeScratchDisk(file: string): void {
  writeFileSync(file, "");
  truncateSync(file, SCRATCH_BYTES);
  execFileSync("mkfs.ext4", ["-q", "-E", "lazy_itable_init=1,nodiscard", file], { stdio: ["ignore", "ignore", "inherit"] });
}
