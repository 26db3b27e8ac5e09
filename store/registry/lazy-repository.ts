import type { Reference } from "../reference.ts";
import type { Registry } from "./registry.ts";
import type { Repository } from "./repository.ts";

/** A repository whose registry is opened with the first request. `place` is what it will be called then. */
export function lazyRepository(
  open: () => Promise<Registry>,
  reference: Reference,
  place: Pick<Repository, "registry" | "name">,
): Repository {
  const opened = async () => (await open()).repository(reference);
  return {
    registry: place.registry,
    name: place.name,
    manifest: async (...args) => (await opened()).manifest(...args),
    resolve: async (...args) => (await opened()).resolve(...args),
    putManifest: async (...args) => (await opened()).putManifest(...args),
    deleteManifest: async (...args) => (await opened()).deleteManifest(...args),
    hasBlob: async (...args) => (await opened()).hasBlob(...args),
    async *download(...args) {
      yield* (await opened()).download(...args);
    },
    upload: async (...args) => (await opened()).upload(...args),
    async *tags(...args) {
      yield* (await opened()).tags(...args);
    },
    referrers: async (...args) => (await opened()).referrers(...args),
  };
}
