import { openPatterns, type PatternSet } from "../../runtime-addon/index.ts";
import { leaksInLayer, type PackedLayer, refuseLeaks } from "./gate.ts";
import type { SecretPattern } from "./secret-patterns.ts";
import type { Secret, Secrets } from "./secrets.ts";

/** What was found in a layer that may be kept. */
export interface SearchedLayer {
  /** Each a line. */
  readonly warnings: readonly string[];
  /** Ids of the secrets in it, which only a build that allows them may take. */
  readonly secrets: readonly string[];
}

/** Looks for all secrets of a build in a layer that it made, before anybody can use it. Throws SECRET_IN_IMAGE and `signal.reason`. */
export type LayerGate = (packed: () => Promise<PackedLayer>, signal: AbortSignal | undefined) => Promise<SearchedLayer>;

const nothing: SearchedLayer = { warnings: [], secrets: [] };

/** The secrets are read with the first layer. */
export function openLayerGate(secrets: Secrets): LayerGate {
  let opened: Promise<{ readonly all: readonly Secret[]; readonly patterns?: PatternSet<SecretPattern> }> | undefined;
  const open = async () => {
    const all = await secrets.all();
    const patterns = all.flatMap((secret) => secret.patterns);
    return patterns.length === 0 ? { all } : { all, patterns: openPatterns(patterns) };
  };
  return async (packed, signal) => {
    opened ??= open();
    const { all, patterns } = await opened;
    if (patterns === undefined) return nothing;
    const leaks = await leaksInLayer(await packed(), patterns, signal);
    const warnings: string[] = [];
    refuseLeaks(leaks, all, secrets, (message) => void warnings.push(message));
    const found = all.filter(({ id, isPublic }) => !isPublic && leaks.some((leak) => leak.id === id));
    return { warnings, secrets: found.map(({ id }) => id) };
  };
}
