import type { Accelerator } from "./accelerator.ts";

/** A raw disk of the machine. */
export interface Disk {
  readonly file: string;
  /** Logs every write and flush, in dm-log-writes' format, to this file too. */
  readonly logWritesTo?: string;
}

export interface QemuMachine {
  readonly accelerator: Accelerator;
  readonly memoryMiB: number;
  readonly cpus: number;
  readonly kernelImage: string;
  readonly initramfs: string;
  /** virtiofsd's. */
  readonly rootSocket: string;
  /** Where the kernel's messages go. */
  readonly consoleFile: string;
  readonly disks: readonly Disk[];
}

/** Arguments of qemu-system-x86_64 (qemu(1)): the command channel is its stdin and stdout. */
export function qemuArguments(machine: QemuMachine): string[] {
  return [
    ...["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"],
    ...["-machine", `q35,accel=${machine.accelerator},memory-backend=memory,vmport=off`],
    ...["-object", `memory-backend-memfd,id=memory,size=${machine.memoryMiB}M,share=on`],
    // Pointer authentication of the emulator's own processor model is not ours to test, and a fifth level of page tables costs time.
    ...["-cpu", machine.accelerator === "kvm" ? "host" : "max,la57=off"],
    ...["-smp", String(machine.cpus), "-m", String(machine.memoryMiB)],
    ...["-kernel", machine.kernelImage, "-initrd", machine.initramfs],
    // An emulated timer on a busy host may be late, which is no broken interrupt controller.
    ...["-append", "console=ttyS0 quiet panic=-1 no_timer_check mitigations=off nokaslr random.trust_cpu=on"],
    ...["-serial", `file:${machine.consoleFile}`],
    ...["-device", "virtio-rng-pci"],
    ...["-device", "virtio-serial-pci", "-chardev", "stdio,id=commands,signal=off"],
    ...["-device", "virtserialport,chardev=commands,name=tsbuild"],
    ...["-chardev", `socket,id=root,path=${machine.rootSocket}`],
    ...["-device", "vhost-user-fs-pci,chardev=root,tag=host,queue-size=1024"],
    ...machine.disks.flatMap(diskArguments),
  ];
}

function diskArguments({ file, logWritesTo }: Disk, index: number): string[] {
  const device = ["-device", `virtio-blk-pci,drive=disk${index}`];
  const raw = `driver=raw,file.driver=file,file.filename=${escapeCommas(file)}`;
  // Flushes of the machine need not reach the host's disk: it is the machine's power that fails in tests, not the host's.
  const cache = "cache.direct=off,cache.no-flush=on";
  if (logWritesTo === undefined) return ["-blockdev", `node-name=disk${index},${raw},${cache}`, ...device];
  const log = `driver=file,filename=${escapeCommas(logWritesTo)}`;
  return [
    ...["-blockdev", `node-name=data${index},${raw},${cache}`],
    ...["-blockdev", `node-name=log${index},${log}`],
    ...["-blockdev", `node-name=disk${index},driver=blklogwrites,file=data${index},log=log${index}`],
    ...device,
  ];
}

/** In an option's value a comma is written twice. */
function escapeCommas(value: string): string {
  return value.replaceAll(",", ",,");
}
