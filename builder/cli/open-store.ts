import { nameSystemError } from "../../store/name-system-error.ts";
import { openStore, type Store } from "../../store/store.ts";
import type { CliIo } from "./cli-io.ts";
import { storeRootOf } from "./store-flag.ts";

/** Opens the store that the command line means, for as long as `use` takes. */
export async function withStore<T>(flags: { readonly store?: string }, io: CliIo, use: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStore(await storeRootOf(flags, io));
  try {
    return await use(store);
  } catch (error) {
    throw nameSystemError(error, store.root);
  } finally {
    await store.close();
  }
}
