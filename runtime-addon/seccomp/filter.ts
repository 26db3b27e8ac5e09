import { compileSeccomp, type SeccompFilter } from "./compile.ts";
import type { Machine } from "./machine.ts";
import type { SeccompProfile } from "./profile.ts";

const compiled = new WeakMap<SeccompProfile, Map<string, SeccompFilter>>();

/** As compileSeccomp, once for each profile, machine and set of capabilities. */
export function seccompFilter(profile: SeccompProfile, machine: Machine, capabilities: readonly string[]): SeccompFilter {
  const known = compiled.get(profile) ?? new Map<string, SeccompFilter>();
  compiled.set(profile, known);
  const key = JSON.stringify([machine, capabilities]);
  const filter = known.get(key) ?? compileSeccomp(profile, machine, capabilities);
  known.set(key, filter);
  return filter;
}
