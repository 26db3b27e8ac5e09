import type { SyscallTable } from "./syscall-tables.ts";

/** What of a machine decides about a filter. */
export interface Machine {
  readonly architecture: "x64" | "arm64";
  /** Version of the kernel: major, minor. */
  readonly kernel: readonly [number, number];
}

/** A way to call the kernel. */
export interface CallingWay {
  readonly table: SyscallTable;
  /** SCMP_ARCH_…, of profiles. */
  readonly name: string;
  /** AUDIT_ARCH_… (linux/audit.h) */
  readonly audit: number;
  /** Numbers from here on are calls of another way, with the same AUDIT_ARCH. */
  readonly foreignFrom?: number;
}

/** The ways of a processor, and what Go calls it. */
export interface Processor {
  readonly goName: string;
  readonly native: CallingWay;
  readonly compatible: CallingWay;
}

export const PROCESSORS: Readonly<Record<Machine["architecture"], Processor>> = {
  x64: {
    goName: "amd64",
    // x32, which hardly anybody has programs for.
    native: { table: "x86_64", name: "SCMP_ARCH_X86_64", audit: 0xc000003e, foreignFrom: 0x40000000 },
    compatible: { table: "i386", name: "SCMP_ARCH_X86", audit: 0x40000003 },
  },
  arm64: {
    goName: "arm64",
    native: { table: "aarch64", name: "SCMP_ARCH_AARCH64", audit: 0xc00000b7 },
    compatible: { table: "arm", name: "SCMP_ARCH_ARM", audit: 0x40000028 },
  },
};
