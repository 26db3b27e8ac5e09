/** What a container runtime or builder hides of the kernel's files unless it is told otherwise. */
export interface SystemPaths {
  readonly masked: readonly string[];
  readonly readOnly: readonly string[];
}

/** Paths that we treat in another way than a peer, and why. */
export interface Differences {
  /** We mask what it does not. */
  readonly more: Readonly<Record<string, string>>;
  /** It masks what we do not. */
  readonly less: Readonly<Record<string, string>>;
}

const readOnly = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/** As of 2025: moby daemon/pkg/oci/defaults.go. The last is one of each processor. */
export const DOCKER: SystemPaths = {
  masked: [
    ...["acpi", "asound", "interrupts", "kcore", "keys", "latency_stats", "sched_debug", "scsi", "timer_list", "timer_stats"].map(
      (name) => `/proc/${name}`,
    ),
    ...["/sys/devices/virtual/powercap", "/sys/firmware", "/sys/devices/system/cpu/cpu<N>/thermal_throttle"],
  ],
  readOnly,
};

/** What podman 4.3 writes into the config.json of a container. */
export const PODMAN: SystemPaths = {
  masked: [
    ...["acpi", "kcore", "keys", "latency_stats", "sched_debug", "scsi", "timer_list", "timer_stats"].map((name) => `/proc/${name}`),
    ...["/sys/dev/block", "/sys/firmware", "/sys/fs/selinux"],
  ],
  readOnly: ["/proc/asound", ...readOnly],
};

const interrupts = "how often devices interrupt tells what others do and when keys are pressed; as Docker";
const powercap = "the energy that others' work takes tells what they work on (CVE-2020-8694); as Docker";

export const DIFFERENCES: Readonly<Record<"docker" | "podman" | "runc", Differences>> = {
  docker: {
    more: {},
    less: {
      "/sys/devices/system/cpu/cpu<N>/thermal_throttle":
        "a mount for each processor in each step, on hardware that has it; podman and runc show them too",
    },
  },
  podman: {
    more: {
      "/proc/asound": "names the sound cards, which no build can use; there it is read-only; as Docker",
      "/proc/interrupts": interrupts,
      "/sys/devices/virtual/powercap": powercap,
    },
    less: {
      "/sys/dev/block": "programs look up there which disk a file lies on; as Docker",
      "/sys/fs/selinux": "a new /sys has nothing mounted there, and the host's is read-only, which libselinux takes for none; as Docker",
    },
  },
  runc: { more: { "/proc/interrupts": interrupts, "/sys/devices/virtual/powercap": powercap }, less: {} },
};

/** Device files of every container (runtime-spec, config-linux.md, "Default Devices"); console only where there is a terminal, and ptmx is a link. */
export const DEVICES: readonly string[] = ["full", "null", "random", "tty", "urandom", "zero"].map((name) => `/dev/${name}`);

/** Flags of mounts that the sandbox has and `runc spec` does not write, and why. */
export const MORE_FLAGS = {
  "/dev": { flags: ["nodev"], why: "no device file works but those that are bound into it" },
  "/proc": { flags: ["nodev", "noexec", "nosuid"], why: "nothing there is a program or a device; as Docker and podman" },
} as const;
