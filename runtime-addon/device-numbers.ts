import { statSync } from "node:fs";
import type { DeviceNumbers } from "./resource-limits.ts";
import { SandboxError } from "./sandbox-error.ts";

/** Looks devices up on this machine. Throws SandboxError LIMIT_UNAVAILABLE for what is no block device. */
export function deviceNumbers(): DeviceNumbers {
  return (path) => {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats?.isBlockDevice() !== true) {
      throw new SandboxError("LIMIT_UNAVAILABLE", `limiting the device ${path}: there is no such block device`, {
        hint: "name the device of a whole disk, such as /dev/sda (lsblk lists them)",
      });
    }
    return `${majorOf(stats.rdev)}:${minorOf(stats.rdev)}`;
  };
}

// As glibc's gnu_dev_major and gnu_dev_minor.
function majorOf(device: number): number {
  return Math.floor(device / 2 ** 8) % 2 ** 12;
}

function minorOf(device: number): number {
  return (device % 2 ** 8) + (Math.floor(device / 2 ** 20) % 2 ** 12) * 2 ** 8;
}
