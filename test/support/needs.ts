import { appendFileSync } from "node:fs";
import { REQUIREMENTS, type Requirement, type RequirementName } from "./requirements.ts";

export interface Need {
  readonly skip: boolean;
  /** Empty when nothing is missing. */
  readonly reason: string;
}

/** One line of the file named by TSBUILD_SKIPS_FILE. */
export interface DeclaredSkip {
  /** Absolute path of the test file. */
  readonly file: string;
  readonly requirement: string;
  readonly reason: string;
  readonly missingInCi?: string;
}

const known = new Map<RequirementName, boolean>();

/**
 * What the following tests need of the machine: `describe.skipIf(needs("root", "skopeo").skip)(…)`. Each requirement is probed
 * once a process; a missing one is declared to the run's summary, which accepts no other skips.
 */
export function needs(...names: readonly [RequirementName, ...RequirementName[]]): Need {
  const missing = names.filter((name) => !holds(name));
  const reasons = missing.map((name) => REQUIREMENTS[name].reason);
  const file = testFileOf(new Error().stack ?? "");
  for (const name of missing) declare(file, name, REQUIREMENTS[name]);
  return { skip: missing.length > 0, reason: reasons.join("; ") };
}

function holds(name: RequirementName): boolean {
  let answer = known.get(name);
  if (answer === undefined) {
    answer = REQUIREMENTS[name].holds();
    known.set(name, answer);
  }
  return answer;
}

function declare(file: string, requirement: string, { reason, missingInCi }: Requirement): void {
  const target = process.env.TSBUILD_SKIPS_FILE;
  if (target === undefined) return;
  const skip: DeclaredSkip = {
    file,
    requirement,
    reason,
    ...(missingInCi === undefined ? {} : { missingInCi }),
  };
  appendFileSync(target, `${JSON.stringify(skip)}\n`);
}

/** The path of the first test or suite file on the stack. */
export function testFileOf(stack: string): string {
  return /(?:file:\/\/)?(\/[^\s():]*\.(?:test|suite)\.ts)/.exec(stack)?.[1] ?? "";
}
