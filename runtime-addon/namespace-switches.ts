import { readFileSync } from "node:fs";

/** Reads a kernel parameter by its path below /proc/sys; undefined where this kernel has none of that name. */
export type ReadParameter = (path: string) => number | undefined;

/** The switch of this machine that forbids user namespaces, where one does, as what would allow them. */
export function namespaceRemedy(read: ReadParameter = readParameter): string | undefined {
  if (read("kernel/unprivileged_userns_clone") === 0) return "sysctl -w kernel.unprivileged_userns_clone=1";
  if (read("user/max_user_namespaces") === 0) return "sysctl -w user.max_user_namespaces=15000";
  // Ubuntu 24.04: made, but without any right in them.
  if (read("kernel/apparmor_restrict_unprivileged_userns") === 1)
    return "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for node that allows userns";
  return undefined;
}

function readParameter(path: string): number | undefined {
  try {
    return Number(readFileSync(`/proc/sys/${path}`, "utf8"));
  } catch {
    // This kernel has no such switch.
    return undefined;
  }
}
