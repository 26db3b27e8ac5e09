import type { PatternSet } from "../../runtime-addon/index.ts";
import type { DirectoryWork } from "../../store/directory-work.ts";
import { TsbuildError } from "../../store/errors.ts";
import { badLeaks, distinct, type Leak, leakText, leakTexts, shownPath } from "./gate.ts";
import { masked } from "./mask.ts";
import type { SecretPattern } from "./secret-patterns.ts";
import type { Secret, Secrets } from "./secrets.ts";

/** A cache mount that a step may write to. */
export interface WritableCache {
  readonly id: string;
  readonly directory: string;
}

/** The caches of a step that has secrets. They outlive the build, and steps that have no secret read them. */
export interface CacheGate {
  /** Removes what the command wrote with a secret in it. Throws SECRET_IN_CACHE where there was any. */
  refuse(): Promise<void>;
  /** Of a command that failed: removes the same, and only says so. */
  close(): Promise<void>;
}

export interface GatedStep {
  readonly secrets: { readonly all: readonly Secret[]; readonly hidden?: PatternSet<SecretPattern> };
  readonly allowed: Secrets;
  readonly work: Pick<DirectoryWork, "search" | "removeBelow">;
  readonly onNote: (message: string) => void;
}

const nothingToGuard: CacheGate = { refuse: async () => undefined, close: async () => undefined };

/** Opened before the command starts: what was written before is not its. Without secrets, and without caches, nothing is searched. */
export function openCacheGate(caches: readonly WritableCache[], step: GatedStep): CacheGate {
  const { hidden } = step.secrets;
  if (hidden === undefined || caches.length === 0) return nothingToGuard;
  const sinceMs = Date.now();
  let isClean = false;
  const clean = async (): Promise<readonly Leak[]> => {
    isClean = true;
    const removed: Leak[] = [];
    for (const cache of caches) removed.push(...(await cleanCache(cache, sinceMs, hidden, step)));
    return removed;
  };
  return {
    async refuse() {
      const removed = await clean();
      const [first] = removed;
      if (first === undefined) return;
      throw new TsbuildError("SECRET_IN_CACHE", `looking for secrets in cache mounts: ${leakTexts(removed)}; removed from there`, {
        hint: `other builds could read it: let the step keep it out of its caches, or allow it with --allow-secret-in-image ${first.id}`,
      });
    },
    async close() {
      if (isClean) return;
      try {
        const removed = await clean();
        if (removed.length > 0) step.onNote(`removed, for the secrets in it: ${leakTexts(removed)}`);
      } catch (error) {
        const why = masked(Buffer.from(String(error)), hidden).toString("utf8");
        step.onNote(`the cache mounts of a failed step may hold secrets, they cannot be searched: ${why}`);
      }
    },
  };
}

/** Resolves with what was removed. */
async function cleanCache(
  { id, directory }: WritableCache,
  sinceMs: number,
  hidden: PatternSet<SecretPattern>,
  { secrets, allowed, work, onNote }: GatedStep,
): Promise<readonly Leak[]> {
  const patterns = secrets.all.flatMap((secret) => secret.patterns);
  const found = await work.search({ directory, sinceMs, patterns });
  const leaks = found.flatMap(({ path, isContent, pattern: index }) => {
    const pattern = patterns[index];
    const file = `${shownPath(path, hidden)} of the cache mount ${JSON.stringify(id)}`;
    const place = isContent ? file : `the name or an attribute of ${file}`;
    return pattern === undefined ? [] : [{ path, id: pattern.id, form: pattern.form, place }];
  });
  const bad = badLeaks(leaks, secrets.all, allowed);
  if (bad.length > 0) await work.removeBelow({ directory, paths: bad.map(({ path }) => path) });
  for (const leak of distinct(leaks.filter((one) => !bad.includes(one)))) onNote(`the secret ${leakText(leak)}`);
  return distinct(bad);
}
