import { type Machine, PROCESSORS } from "./machine.ts";
import type { SeccompProfile, SeccompRule, SeccompSubject } from "./profile.ts";

/** The rules of a profile that count for a machine and a bounding set of capabilities (names without CAP_). */
export function applicableRules(
  { syscalls }: SeccompProfile,
  { architecture, kernel }: Machine,
  capabilities: readonly string[],
): readonly SeccompRule[] {
  const { goName } = PROCESSORS[architecture];
  const held = new Set(capabilities.map((name) => `CAP_${name}`));
  const isNew = ({ minKernel }: SeccompSubject): boolean | undefined =>
    minKernel === undefined ? undefined : isAtLeast(kernel, minKernel);
  return syscalls.filter(({ includes = {}, excludes = {} }) => {
    if (includes.caps?.some((name) => !held.has(name)) || excludes.caps?.some((name) => held.has(name))) return false;
    if ((includes.arches ?? []).length > 0 && !includes.arches?.includes(goName)) return false;
    return !excludes.arches?.includes(goName) && (isNew(includes) ?? true) && !(isNew(excludes) ?? false);
  });
}

function isAtLeast([major, minor]: Machine["kernel"], version: string): boolean {
  const [wantedMajor = 0, wantedMinor = 0] = version.split(".").map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}
