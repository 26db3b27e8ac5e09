import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import { isSystemError } from "../../runtime-addon/index.ts";
import { NotFoundError } from "../../store/errors.ts";
import { nameSystemError } from "../../store/name-system-error.ts";
import { openStore, type Store } from "../../store/store.ts";
import { loadSettings, type Settings } from "../config.ts";
import type { CliIo } from "./cli-io.ts";
import { refuseRelativeRoot, storeRootOf } from "./store-flag.ts";

type Flags = { readonly store?: string };
type Use<T> = (store: Store) => Promise<T>;

/**
 * Opens the store that the command line means, for as long as `use` takes. That of the settings or by default is made where it is
 * missing; one that --store or $TSBUILD_ROOT names must be there: it may be misspelt. Throws NOT_FOUND.
 */
export async function withStore<T>(flags: Flags, io: CliIo, use: Use<T>): Promise<T> {
  requireNamedStore(flags, io);
  return withStoreMade(flags, io, use);
}

/** Throws NOT_FOUND where --store, or $TSBUILD_ROOT, names a directory that is missing or empty. */
export function requireNamedStore(flags: Flags, { env }: Pick<CliIo, "env">): void {
  refuseRelativeRoot(flags, env);
  const store = flags.store || env.TSBUILD_ROOT;
  if (store && isNothing(store)) {
    throw new NotFoundError(`opening the store: there is no store in ${resolve(store)}`, {
      hint: `is ${flags.store ? "--store" : "$TSBUILD_ROOT"} misspelt? A build, pull, load or import makes a new store`,
    });
  }
}

/** The same for commands that fill a store: it is made where it is missing. */
export async function withStoreMade<T>(flags: Flags, io: CliIo, use: Use<T>): Promise<T> {
  const settings = await loadSettings({ env: io.env });
  return withStoreAt(await storeRootOf(flags, io, settings), settings, use);
}

/** The same for a store whose directory is known, as the settings want it. */
export async function withStoreAt<T>(root: string, settings: Settings, use: Use<T>): Promise<T> {
  const store = await openStore(root, settings);
  try {
    return await use(store);
  } catch (error) {
    throw nameSystemError(error, store.root);
  } finally {
    await store.close();
  }
}

/** No directory, or an empty one; what cannot be looked at is for openStore to name. */
function isNothing(root: string): boolean {
  try {
    return readdirSync(root).length === 0;
  } catch (error) {
    return isSystemError(error, "ENOENT");
  }
}
