import { type Condition, giveWhen } from "./conditions.ts";
import { give, type Instruction } from "./instructions.ts";
import { SECCOMP_ACTIONS, SECCOMP_COMPARISONS, type SeccompAction, type SeccompArgument, type SeccompRule } from "./profile.ts";
import { syscallNumbers } from "./syscall-numbers.ts";
import type { SyscallTable } from "./syscall-tables.ts";

/** The calls from a number to the next range, of which the same becomes. */
export interface CallRange {
  readonly from: number;
  readonly code: readonly Instruction[];
}

/** What becomes of calls that no rule is about. */
export interface Fallback {
  readonly action: SeccompAction;
  readonly errno: number | undefined;
}

const EPERM = 1;
const ENOSYS = 38;

/** From here on are no calls, but what a processor's own few are put at (asm/unistd.h of arm, "ARM private"). */
const PRIVATE_CALLS = 0x0f0000;

/** A filter's answer; of an error the errno, which is EPERM where absent. */
function verdictOf(action: SeccompAction, data: number = EPERM): number {
  const verdict = SECCOMP_ACTIONS[action];
  return action === "SCMP_ACT_ERRNO" || action === "SCMP_ACT_TRACE" ? (verdict | (data & 0xffff)) >>> 0 : verdict;
}

/** The kernel does not know it: what C libraries expect of a kernel that is older than they are. */
export const UNKNOWN_CALL = verdictOf("SCMP_ACT_ERRNO", ENOSYS);

/**
 * All numbers of a table as ranges, from 0 on. Calls newer than all that the rules name are unknown, unless the fallback lets them through:
 * who wrote the rules could not refuse them on purpose (as in runc).
 */
export function callRanges(rules: readonly SeccompRule[], table: SyscallTable, fallback: Fallback): readonly CallRange[] {
  const calls = [...rulesByNumber(rules, table)].sort(([a], [b]) => a - b);
  const newest = calls.findLast(([number]) => number < PRIVATE_CALLS)?.[0] ?? -1;
  const others = verdictOf(fallback.action, fallback.errno);
  const newer = fallback.action === "SCMP_ACT_ALLOW" || fallback.action === "SCMP_ACT_LOG" ? others : UNKNOWN_CALL;
  const ranges: CallRange[] = [];
  const add = (from: number, code: readonly Instruction[]): void => {
    const before = ranges.at(-1)?.code;
    // Calls with conditions are few, and hardly ever the same.
    const isSame = before?.length === 1 && code.length === 1 && before[0]?.[3] === code[0]?.[3];
    if (!isSame) ranges.push({ from, code });
  };
  let next = 0;
  for (const [number, its] of calls) {
    if (number > next) add(next, [give(next > newest ? newer : others)]);
    add(number, decide(its, others));
    next = number + 1;
  }
  add(next, [give(newer)]);
  return ranges;
}

function rulesByNumber(rules: readonly SeccompRule[], table: SyscallTable): ReadonlyMap<number, readonly SeccompRule[]> {
  const numbers = syscallNumbers(table);
  const found = new Map<number, SeccompRule[]>();
  for (const rule of rules) {
    for (const name of rule.names) {
      const number = numbers.get(name);
      if (number === undefined) continue;
      const known = found.get(number);
      if (known === undefined) found.set(number, [rule]);
      else known.push(rule);
    }
  }
  return found;
}

/** One without conditions on its arguments counts before all that have some, as in libseccomp; of these, the first that holds. */
function decide(rules: readonly SeccompRule[], others: number): readonly Instruction[] {
  const verdict = ({ action, errnoRet }: SeccompRule): number => verdictOf(action, errnoRet);
  const plain = rules.find(({ args = [] }) => args.length === 0);
  if (plain !== undefined) return [give(verdict(plain))];
  const cases = rules.flatMap((rule) => alternatives(rule.args ?? []).flatMap((conditions) => giveWhen(conditions, verdict(rule))));
  return [...cases, give(others)];
}

/** Several comparisons of one argument make all comparisons alternatives, as in runc. */
function alternatives(args: readonly SeccompArgument[]): readonly (readonly Condition[])[] {
  const conditions = args.map(({ index, op, value, valueTwo = 0 }) => ({
    index,
    op: SECCOMP_COMPARISONS[op],
    value: BigInt(value),
    wanted: BigInt(valueTwo),
  }));
  const isRepeated = new Set(conditions.map(({ index }) => index)).size < conditions.length;
  return isRepeated ? conditions.map((condition) => [condition]) : [conditions];
}
