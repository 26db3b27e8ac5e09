import { SandboxError } from "../../runtime-addon/index.ts";
import type { RemoveTree } from "../../store/gc/trash.ts";
import type { Store } from "../../store/store.ts";
import { openHost } from "../sandbox/host.ts";

/** Removes what belongs to owners of a user namespace, from inside one, which is made when it is first needed. */
export interface MappedTrash extends AsyncDisposable {
  readonly remove: RemoveTree;
}

/** Where no user namespace can be made `onNote` hears of it, once, and it stays where it is. */
export function openMappedTrash(store: Store, onNote: (message: string) => void): MappedTrash {
  const host = openHost(store, () => undefined);
  let refused = false;
  return {
    async remove(path) {
      if (refused) return;
      try {
        await (await host.open()).work.remove({ path });
      } catch (error) {
        if (!(error instanceof SandboxError)) throw error;
        refused = true;
        onNote(`what belongs to other users stays in ${store.root}/v1/trash: ${error.message}`);
      }
    },
    [Symbol.asyncDispose]: () => host.close(),
  };
}
