import type { PatternSet } from "../../runtime-addon/index.ts";
import type { DirectoryWork } from "../../store/directory-work.ts";
import { TsbuildError } from "../../store/errors.ts";
import type { Abortable } from "../../store/file-bytes.ts";
import { rootPath } from "../../store/layer/entry-path.ts";
import { badLeaks, distinct, type Leak, leakText, leakTexts, shownPath } from "./gate.ts";
import { masked } from "./mask.ts";
import type { SecretPattern } from "./secret-patterns.ts";
import type { Secret, Secrets } from "./secrets.ts";

/** A cache mount that a step may write to. */
export interface WritableCache {
  readonly id: string;
  readonly directory: string;
  /** As of HeldCache. */
  mark(): Promise<() => void>;
  discard(): Promise<void>;
}

/** The caches of a step that has secrets. They outlive the build, and steps that have no secret read them. */
export interface CacheGate {
  /** Removes what the command wrote with a secret in it, and throws caches away that cannot be searched. Throws SECRET_IN_CACHE and CACHE_NOT_SEARCHED where there was any. */
  refuse(): Promise<void>;
  /** Of a command that failed: removes the same, and only says so. */
  close(): Promise<void>;
}

export interface GatedStep extends Abortable {
  readonly secrets: { readonly all: readonly Secret[]; readonly hidden?: PatternSet<SecretPattern> };
  readonly allowed: Secrets;
  readonly work: Pick<DirectoryWork, "search" | "removeBelow">;
  readonly onNote: (message: string) => void;
}

/** Once the build is ended, searching may take so long; what is not searched by then is thrown away. */
const afterAbortMs = 5000;

const nothingToGuard: CacheGate = { refuse: async () => undefined, close: async () => undefined };

/**
 * Opened before the command starts: what was written before is not its. The caches are marked until they are clean: where this process is killed before that, they go with what is in
 * them. Without secrets, and without caches, nothing is searched.
 */
export async function openCacheGate(caches: readonly WritableCache[], step: GatedStep): Promise<CacheGate> {
  const { hidden } = step.secrets;
  if (hidden === undefined || caches.length === 0) return nothingToGuard;
  /** Those that may still hold what the command wrote. */
  const open = new Set<WritableCache & { readonly clear: () => void }>();
  for (const cache of caches) open.add({ ...cache, clear: await cache.mark() });
  const startedMs = Date.now();
  const startedAt = performance.now();
  const isEnded = () => step.signal?.aborted === true;
  let rest: AbortSignal | undefined;
  // Whoever ends the build does not lose its caches for it, where the search is done soon.
  const cleanInTime = async (cache: Pick<WritableCache, "id" | "directory" | "discard">, sinceMs: number): Promise<readonly Leak[]> => {
    try {
      if (!isEnded()) return await cleanCache(cache, sinceMs, hidden, step, step.signal);
    } catch (error) {
      if (!isEnded()) throw error;
    }
    rest ??= AbortSignal.timeout(afterAbortMs);
    return cleanCache(cache, sinceMs, hidden, step, rest);
  };
  const clean = async (): Promise<Cleaned> => {
    // The system's clock, which files go by, may have been set back meanwhile.
    const sinceMs = Math.min(startedMs, Date.now() - (performance.now() - startedAt));
    const removed: Leak[] = [];
    const failures: string[] = [];
    // Each, whatever becomes of the others.
    for (const cache of open) {
      try {
        removed.push(...(await cleanInTime(cache, sinceMs)));
        cache.clear();
      } catch (error) {
        failures.push(await throwAway(cache, error, hidden));
      }
      open.delete(cache);
    }
    return { removed, failures };
  };
  return {
    async refuse() {
      const { removed, failures } = await clean();
      const [first] = removed;
      if (first !== undefined) {
        const texts = [`${leakTexts(removed)}; removed from there`, ...failures];
        throw new TsbuildError("SECRET_IN_CACHE", `looking for secrets in cache mounts: ${texts.join("; ")}`, {
          hint: `other builds could read it: let the step keep it out of its caches, or allow it with --allow-secret-in-image ${first.id}`,
        });
      }
      if (failures.length > 0) {
        throw new TsbuildError("CACHE_NOT_SEARCHED", `looking for secrets in cache mounts: ${failures.join("; ")}`, {
          hint: "a step with secrets may leave in its caches only what can be searched for them",
        });
      }
    },
    async close() {
      const { removed, failures } = await clean();
      if (removed.length > 0) step.onNote(`removed, for the secrets in it: ${leakTexts(removed)}`);
      for (const failure of failures) step.onNote(`it may hold secrets: ${failure}`);
    },
  };
}

interface Cleaned {
  readonly removed: readonly Leak[];
  /** What could not be searched, and what became of it. */
  readonly failures: readonly string[];
}

/** What cannot be searched, nobody may have. Resolves with what there is to say of it. */
async function throwAway({ id, discard }: WritableCache, error: unknown, hidden: PatternSet<SecretPattern>): Promise<string> {
  const what = `the cache mount ${JSON.stringify(id)} cannot be searched (${quoted(error, hidden)})`;
  try {
    await discard();
    return `${what} and is thrown away`;
  } catch (failure) {
    return `${what}, nor thrown away (${quoted(failure, hidden)}): tsbuild prune --all removes it`;
  }
}

/** A path in it may be as long as it likes, and have the secret in it. */
function quoted(error: unknown, hidden: PatternSet<SecretPattern>): string {
  const text = masked(Buffer.from(error instanceof Error ? error.message : String(error)), hidden).toString("utf8");
  return text.length <= mostErrorChars ? text : `${text.slice(0, mostErrorChars)}…`;
}

const mostErrorChars = 200;

/** Resolves with what was removed. */
async function cleanCache(
  { id, directory, discard }: Pick<WritableCache, "id" | "directory" | "discard">,
  sinceMs: number,
  hidden: PatternSet<SecretPattern>,
  { secrets, allowed, work, onNote }: GatedStep,
  signal: AbortSignal | undefined,
): Promise<readonly Leak[]> {
  const patterns = secrets.all.flatMap((secret) => secret.patterns);
  const found = await work.search({ directory, sinceMs, patterns }, { signal });
  const leaks = found.flatMap(({ path, isContent, pattern: index }) => {
    const pattern = patterns[index];
    const file = `${shownPath(path, hidden)} of the cache mount ${JSON.stringify(id)}`;
    const place = isContent ? file : `the name or an attribute of ${file}`;
    return pattern === undefined ? [] : [{ path, id: pattern.id, form: pattern.form, place }];
  });
  const bad = badLeaks(leaks, secrets.all, allowed);
  // What the mount's own directory says of itself goes with it alone.
  if (bad.some(({ path }) => path === rootPath)) await discard();
  else if (bad.length > 0) await work.removeBelow({ directory, paths: bad.map(({ path }) => path) });
  for (const leak of distinct(leaks.filter((one) => !bad.includes(one)))) onNote(`the secret ${leakText(leak)}`);
  return distinct(bad);
}
