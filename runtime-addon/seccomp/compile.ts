import { TsbuildError } from "../errors.ts";
import { applicableRules } from "./applicable-rules.ts";
import { type CallRange, callRanges, UNKNOWN_CALL } from "./call-ranges.ts";
import { branch, encode, give, type Instruction, load, MAX_INSTRUCTIONS, SECCOMP_DATA, whenEqual } from "./instructions.ts";
import { type Machine, PROCESSORS, type Processor } from "./machine.ts";
import { SECCOMP_FLAGS, type SeccompProfile } from "./profile.ts";

/** What the kernel is given (seccomp(2), SECCOMP_SET_MODE_FILTER). */
export interface SeccompFilter {
  readonly flags: number;
  /** An array of struct sock_filter. */
  readonly program: Buffer;
}

/**
 * Makes a profile a program, for a machine and a bounding set of capabilities (names without CAP_). A call's rules are found by halving, so that few
 * instructions run for each. Unknown to the filter (ENOSYS) are calls that are newer than all that the profile names, those of x32, and the processor's 32-bit ones where
 * the profile does not name that way. Throws TsbuildError SECCOMP_PROFILE where the program is longer than the kernel takes.
 */
export function compileSeccomp(profile: SeccompProfile, machine: Machine, capabilities: readonly string[]): SeccompFilter {
  const processor = PROCESSORS[machine.architecture];
  const rules = applicableRules(profile, machine, capabilities);
  const fallback = { action: profile.defaultAction, errno: profile.defaultErrnoRet };
  const code: Instruction[] = [load(SECCOMP_DATA.architecture)];
  for (const { table, audit, foreignFrom } of openWays(profile, processor)) {
    const decided = halve(callRanges(rules, table, fallback));
    const own = foreignFrom === undefined ? decided : branch(foreignFrom, decided, [give(UNKNOWN_CALL)]);
    code.push(...whenEqual(audit, [load(SECCOMP_DATA.number), ...own]));
  }
  code.push(give(UNKNOWN_CALL));
  if (code.length > MAX_INSTRUCTIONS) {
    const what = `its program has ${code.length} instructions, and the kernel takes ${MAX_INSTRUCTIONS}`;
    throw new TsbuildError("SECCOMP_PROFILE", `compiling the seccomp profile: ${what}`);
  }
  const flags = (profile.flags ?? ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"]).reduce((bits, name) => bits | SECCOMP_FLAGS[name], 0);
  return { flags, program: encode(code) };
}

/** The ways to call the kernel that a profile leaves open, the processor's own first. */
export function openWays({ architectures, archMap }: SeccompProfile, { native, compatible }: Processor): readonly Processor["native"][] {
  const named = architectures ?? archMap?.find(({ architecture }) => architecture === native.name)?.subArchitectures ?? [];
  return named.includes(compatible.name) ? [native, compatible] : [native];
}

function halve(ranges: readonly CallRange[]): readonly Instruction[] {
  const middle = ranges.length >> 1;
  const pivot = ranges[middle];
  if (pivot === undefined) return [];
  return middle === 0 ? pivot.code : branch(pivot.from, halve(ranges.slice(0, middle)), halve(ranges.slice(middle)));
}
