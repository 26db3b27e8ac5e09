// Docker's lists (moby daemon/pkg/oci/defaults.go).

/** What a container does not see of the kernel's files. */
export const MASKED_PATHS: readonly string[] = [
  ...["acpi", "asound", "interrupts", "kcore", "keys", "latency_stats", "timer_list", "timer_stats", "sched_debug", "scsi"].map(
    (name) => `/proc/${name}`,
  ),
  ...["/sys/firmware", "/sys/devices/virtual/powercap"],
];

/** What it sees of them and cannot write. */
export const READ_ONLY_PATHS: readonly string[] = ["bus", "fs", "irq", "sys", "sysrq-trigger"].map((name) => `/proc/${name}`);
