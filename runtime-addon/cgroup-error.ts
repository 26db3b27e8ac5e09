import type { ResourceLimits } from "./resource-limits.ts";
import { SandboxError } from "./sandbox-error.ts";
import { isSystemError } from "./system-error.ts";

const delegated =
  "leave this limit out, or run as root or in a session whose control groups are delegated (systemd-run --user --scope -p Delegate=yes)";

/** What limits are called where they are asked for. */
const flags: Readonly<Record<keyof ResourceLimits, string>> = {
  memoryBytes: "--memory",
  memorySwapBytes: "--memory-swap",
  memoryReservationBytes: "--memory-reservation",
  memorySwappiness: "--memory-swappiness",
  cpus: "--cpus",
  cpuPeriodUs: "--cpu-period",
  cpuShares: "--cpu-shares",
  cpusetCpus: "--cpuset-cpus",
  cpusetMems: "--cpuset-mems",
  pids: "--pids-limit",
  ioWeight: "--blkio-weight",
  ioWeightDevices: "--blkio-weight-device",
  deviceReadBps: "--device-read-bps",
  deviceWriteBps: "--device-write-bps",
  deviceReadIops: "--device-read-iops",
  deviceWriteIops: "--device-write-iops",
};

/** LIMIT_UNAVAILABLE: which limit, what was tried for it and what the kernel said. */
export function unavailable(limit: keyof ResourceLimits, what: string, cause?: unknown, hint = remedyFor(cause)): SandboxError {
  const reason = isSystemError(cause) ? `: ${cause.code}` : "";
  return new SandboxError("LIMIT_UNAVAILABLE", `setting the limit ${flags[limit]}: ${what}${reason}`, {
    ...(cause !== undefined && { cause }),
    hint,
  });
}

function remedyFor(cause: unknown): string {
  if (isSystemError(cause, "ENOENT"))
    return "leave this limit out: the kernel of this machine, or its version of the control groups, has none such";
  if (isSystemError(cause, "EINVAL", "ERANGE", "ENODEV", "EOPNOTSUPP"))
    return "the kernel does not take this value: name what the machine has (processors, memory nodes, the device of a whole disk), and of each as much as it has";
  return delegated;
}
