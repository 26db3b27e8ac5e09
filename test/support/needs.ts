import { REQUIREMENTS, type RequirementName } from "./requirements.ts";

/** A missing requirement, as the run's report holds it for each test that is skipped for its sake. */
export interface DeclaredSkip {
  readonly reason: string;
  readonly missingInCi?: string;
}

/** Options of a test or of a `describe`: whether to skip, and in `meta`, by requirement, why. */
export interface Need {
  /** Never false: vitest would take that for the word of the group over an `it.skip` in it. */
  readonly skip?: true;
  readonly meta: Readonly<Record<`needs:${string}`, DeclaredSkip>>;
}

const known = new Map<RequirementName, boolean>();

/**
 * What a test or a group of tests needs of the machine: `describe("…", needs("root", "skopeo"), () => …)`. Each requirement is
 * probed once a process. The run's summary accepts no other skips.
 */
export function needs(...names: readonly [RequirementName, ...RequirementName[]]): Need {
  const missing = names.filter((name) => !holds(name));
  const declared = missing.map((name) => {
    const { reason, missingInCi } = REQUIREMENTS[name] as DeclaredSkip;
    return [`needs:${name}`, { reason, ...(missingInCi === undefined ? {} : { missingInCi }) }] as const;
  });
  return { ...(missing.length > 0 ? { skip: true as const } : {}), meta: Object.fromEntries(declared) };
}

function holds(name: RequirementName): boolean {
  let answer = known.get(name);
  if (answer === undefined) {
    answer = REQUIREMENTS[name].holds();
    known.set(name, answer);
  }
  return answer;
}
