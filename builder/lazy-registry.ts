import type { Registry, RegistryOptions } from "../store/registry/registry.ts";

/** The registries of one command, opened when the first one is needed: what finds all its images in the store loads nothing for them. */
export interface LazyRegistry extends AsyncDisposable {
  open(): Promise<Registry>;
}

export function lazyRegistry(options: RegistryOptions): LazyRegistry {
  let opened: Promise<Registry> | undefined;
  const load = async () => (await import("../store/registry/registry.ts")).openRegistry(options);
  return {
    open() {
      opened ??= load();
      return opened;
    },
    [Symbol.asyncDispose]: async () => (await opened)?.close(),
  };
}
