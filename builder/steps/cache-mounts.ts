import { type CacheSharing, type CacheUse, type HeldCache, holdCache } from "../../store/cache-mounts.ts";
import { type Digest, digestOf } from "../../store/digest.ts";
import type { RunMount } from "../plan/operation.ts";
import type { NoteSink } from "../progress/event.ts";
import type { OpenHost } from "../sandbox/ladder.ts";
import type { WritableCache } from "../secrets/cache-gate.ts";
import type { BindInput, RunInputs } from "./run-inputs.ts";
import type { StepContext } from "./step.ts";

export type CacheMount = Extract<RunMount, { type: "cache" }>;

/** The caches of a step that runs. */
export interface HeldCaches {
  /** What is mounted. */
  directory(mount: CacheMount): string;
  /** Those that the command may write to, each once. */
  readonly writable: readonly WritableCache[];
  /** Lets others have them; once the command has ended. */
  release(): void;
}

/** The cache mounts of one build. */
export interface CacheMounts {
  /** Takes those of a step into use; waits where another step or process has one that is locked. */
  hold(mounts: readonly RunMount[], step: CacheUser): Promise<HeldCaches>;
}

export interface CacheUser {
  readonly context: StepContext;
  readonly host: OpenHost;
  readonly inputs: RunInputs;
  readonly onNote: NoteSink;
}

/** `namespace` keeps caches apart that have the same id (the build argument BUILDKIT_CACHE_MOUNT_NS). */
export function cacheMounts(namespace = ""): CacheMounts {
  /** Those that began anew in this build. */
  const refreshed = new Set<Digest>();

  return {
    async hold(mounts, step) {
      const wanted = await wantedCaches(mounts, namespace, step);
      const held = new Map<CacheMount, HeldCache>();
      const release = () => {
        for (const cache of held.values()) cache.release();
      };
      try {
        for (const { name, sharing, users } of wanted) {
          // Steps that shall run again shall not find what they left, as in BuildKit.
          const fresh = !step.context.useCache && !refreshed.has(name);
          if (fresh) refreshed.add(name);
          const cache = await holdOne(name, sharing, fresh, users[0], step);
          for (const mount of users) held.set(mount, cache);
        }
      } catch (error) {
        release();
        throw error;
      }
      const writable = [...held]
        .filter(([mount]) => !mount.readOnly)
        .map(([{ id }, { directory, mark, discard }]) => ({ id, directory, mark, discard }));
      return {
        writable: [...new Map(writable.map((cache) => [cache.directory, cache])).values()],
        directory(mount) {
          const cache = held.get(mount);
          if (cache === undefined) throw new RangeError(`the cache ${mount.id} is not held`);
          return cache.directory;
        },
        release,
      };
    },
  };
}

interface WantedCache {
  readonly name: Digest;
  readonly sharing: CacheSharing;
  /** The step's mounts of it: one cache may be mounted in several places. */
  readonly users: [CacheMount, ...CacheMount[]];
}

/** In one order for all steps: two that want the same locked caches never wait for each other. */
async function wantedCaches(mounts: readonly RunMount[], namespace: string, { inputs, host }: CacheUser): Promise<readonly WantedCache[]> {
  const wanted = new Map<Digest, WantedCache>();
  for (const mount of mounts) {
    if (mount.type !== "cache") continue;
    const { id, mode, uid, gid } = mount;
    // Another beginning is another cache, as in BuildKit; and owners mean something else where a sandbox has one id only.
    const seed = await seedOf(mount, inputs)?.digest();
    const name = digestOf(JSON.stringify([namespace, id, host.owners, mode, uid, gid, seed ?? null]));
    const known = wanted.get(name);
    wanted.set(name, {
      name,
      sharing: stricter(mount.sharing, known?.sharing ?? "shared"),
      users: known === undefined ? [mount] : [...known.users, mount],
    });
  }
  return [...wanted.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function holdOne(name: Digest, sharing: CacheSharing, fresh: boolean, mount: CacheMount, step: CacheUser): Promise<HeldCache> {
  const { context, host, inputs, onNote } = step;
  const { work, owners } = host;
  return holdCache(context.store, {
    name,
    sharing,
    fresh,
    signal: context.signal,
    ...cacheNotes(mount.id, onNote),
    remove: (path) => work.remove({ path }),
    async make(directory) {
      const shown = await seedOf(mount, inputs)?.open();
      const seed = shown === undefined ? {} : { seed: { layers: shown.layers.map(({ diffId }) => diffId), source: shown.source } };
      await work.makeCache({ directory, owners, ...seed, ...ownAttributes(mount) });
    },
  });
}

/** What is said of a cache that is taken into use. */
export function cacheNotes(id: string, onNote: NoteSink): Pick<CacheUse, "onWait" | "onDiscard"> {
  const name = `the cache mount ${JSON.stringify(id)}`;
  return {
    onWait: (pids) => onNote(`waiting for ${name}: ${usersText(pids)}`, "passing"),
    onDiscard: () => onNote(`${name} was thrown away: a build that used it with secrets was killed before it had searched it for them`),
  };
}

/** A cache with content to begin with has the attributes of the directory that has it, unless others are asked for. */
function ownAttributes({ origin, mode, uid, gid }: CacheMount): Partial<Pick<CacheMount, "mode" | "uid" | "gid">> {
  const isDefault = mode === 0o755 && uid === 0 && gid === 0;
  return origin !== undefined && isDefault ? {} : { mode, uid, gid };
}

function seedOf({ origin, source, target }: CacheMount, inputs: RunInputs): BindInput | undefined {
  return origin === undefined ? undefined : inputs.bind({ type: "bind", origin, source, target, readOnly: true });
}

/** What two mounts of one cache come to. */
export function stricter(a: CacheSharing, b: CacheSharing): CacheSharing {
  const order: readonly CacheSharing[] = ["locked", "private", "shared"];
  return order.find((sharing) => sharing === a || sharing === b) ?? "shared";
}

function usersText(pids: readonly number[]): string {
  const others = pids.filter((pid) => pid !== process.pid);
  if (others.length > 0) return `process ${others.join(", ")} uses it`;
  return pids.length > 0 ? "another step of this build uses it" : "another process uses it";
}
