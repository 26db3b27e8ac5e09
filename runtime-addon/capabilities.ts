/** Numbers of capabilities (linux/capability.h), by their name without `CAP_`. */
const CAPABILITY_NUMBERS: Readonly<Record<string, number>> = Object.fromEntries(
  [
    ...["CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE"],
    ...["NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT"],
    ...["SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE"],
    ...["AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ"],
    ...["PERFMON", "BPF", "CHECKPOINT_RESTORE"],
  ].map((name, number) => [name, number]),
);

/** All that there are, named without `CAP_`. */
export const CAPABILITIES: readonly string[] = Object.keys(CAPABILITY_NUMBERS);

/** What a container's root may do unless told otherwise: Docker's set. */
export const DEFAULT_CAPABILITIES: readonly string[] = [
  ...["CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP", "NET_BIND_SERVICE"],
  ...["SYS_CHROOT", "KILL", "AUDIT_WRITE"],
];

/** A capability's name as the lists here have it: in capitals, without `CAP_`. */
export function capabilityName(name: string): string {
  return name.toUpperCase().replace(/^CAP_/, "");
}

/** The kernel's number of a capability, named with or without `CAP_`, in any case; undefined where there is none of that name. */
export function capabilityNumber(name: string): number | undefined {
  return CAPABILITY_NUMBERS[capabilityName(name)];
}
