import { type HeldCache, holdCacheAt } from "../store/cache-mounts.ts";
import type { Abortable } from "../store/file-bytes.ts";
import type { Store } from "../store/store.ts";
import type { ContainerMount } from "./sandbox/container-mounts.ts";
import type { KeptSpec } from "./sandbox/keep-failed.ts";
import type { OpenHost } from "./sandbox/ladder.ts";
import type { WritableCache } from "./secrets/cache-gate.ts";
import { cacheNotes, stricter } from "./steps/cache-mounts.ts";

/** The mounts of a kept step, its caches among them that are still there. */
export interface CachesAgain {
  readonly mounts: readonly ContainerMount[];
  /** Those that a shell may write to, each once. */
  readonly writable: readonly WritableCache[];
  release(): void;
}

export interface CachesAgainOptions extends Abortable {
  readonly store: Store;
  readonly host: OpenHost;
  readonly onNote: (message: string) => void;
}

/** Takes the caches of a kept step into use as the step had them; waits where others have one that is locked. */
export async function cachesAgain(
  { mounts, caches }: Pick<KeptSpec, "mounts" | "caches">,
  { store, host, signal, onNote }: CachesAgainOptions,
): Promise<CachesAgain> {
  const held = new Map<string, HeldCache & { readonly id: string }>();
  const release = () => {
    for (const cache of held.values()) cache.release();
  };
  const hostMounts = mounts.flatMap((mount) => (mount.kind === "host" ? [mount] : []));
  try {
    // In one order for all, as steps take them.
    for (const directory of [...new Set(hostMounts.map(({ source }) => source))].sort()) {
      const targets = hostMounts.flatMap(({ source, target }) => (source === directory ? [target] : []));
      const wanted = caches.filter(({ target }) => targets.includes(target));
      const { id = directory } = wanted[0] ?? {};
      const cache = await holdCacheAt(store, directory, {
        sharing: wanted.map(({ sharing }) => sharing).reduce(stricter, "shared"),
        remove: (path) => host.work.remove({ path }),
        signal,
        ...cacheNotes(id, onNote),
      });
      if (cache !== undefined) held.set(directory, { ...cache, id });
    }
  } catch (error) {
    release();
    throw error;
  }
  const writable = new Set(hostMounts.flatMap(({ source, readOnly }) => (readOnly ? [] : [source])));
  return {
    mounts: mounts.filter((mount) => mount.kind !== "host" || held.has(mount.source)),
    writable: [...held.values()].filter(({ directory }) => writable.has(directory)),
    release,
  };
}
