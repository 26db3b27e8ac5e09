import { spawnSync } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What runs the machine's instructions: the processor, or qemu itself. */
export type Accelerator = "kvm" | "tcg";

let known: Accelerator | undefined;

/**
 * "kvm" where it works and is no slower than emulation: in a machine that is virtual itself, the device may be there and run nothing, or run it
 * a hundred times slower. Probed once a process.
 */
export function accelerator(): Accelerator {
  known ??= deviceIsThere() && bootSectorMs("kvm") < 2 * bootSectorMs("tcg") ? "kvm" : "tcg";
  return known;
}

function deviceIsThere(): boolean {
  try {
    accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

const EXIT_PORT = 0xf4;
const EXIT_VALUE = 0x10;

/**
 * How long a machine takes, firmware and all, that ends itself as soon as it runs its boot sector; Infinity where it never does. qemu's isa-debug-exit
 * makes an exit code of (value << 1) | 1 from what is written to its port.
 */
function bootSectorMs(accel: Accelerator): number {
  const directory = mkdtempSync(join(tmpdir(), "tsbuild-boot-"));
  try {
    const sector = new Uint8Array(512);
    // mov dx, EXIT_PORT; mov al, EXIT_VALUE; out dx, al; hlt
    sector.set([0xba, EXIT_PORT, 0x00, 0xb0, EXIT_VALUE, 0xee, 0xf4]);
    sector.set([0x55, 0xaa], 510);
    const file = join(directory, "boot");
    writeFileSync(file, sector);
    const device = ["-device", `isa-debug-exit,iobase=${EXIT_PORT},iosize=1`];
    const args = ["-nodefaults", "-display", "none", "-no-reboot", "-accel", accel, ...device, "-drive", `file=${file},format=raw`];
    const started = performance.now();
    const { status } = spawnSync("qemu-system-x86_64", args, { stdio: "ignore", timeout: 20_000, killSignal: "SIGKILL" });
    return status === ((EXIT_VALUE << 1) | 1) ? performance.now() - started : Number.POSITIVE_INFINITY;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
