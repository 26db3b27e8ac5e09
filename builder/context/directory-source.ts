import { join } from "node:path";
import type { Store } from "../../store/store.ts";
import { contextReader } from "../steps/context-inputs.ts";
import { contextRoot } from "./context-root.ts";
import { directoryContext } from "./directory.ts";
import type { OpenedSource } from "./open-context.ts";
import { readConfinedText } from "./small-text.ts";

/** A directory of the host. Throws CONTEXT_NOT_FOUND, CONTEXT_NOT_DIRECTORY, CONTEXT_UNREADABLE. */
export async function openDirectory(
  path: string,
  { describe, store, now }: { readonly describe: string; readonly store: () => Promise<Store>; readonly now: () => number },
): Promise<OpenedSource> {
  const root = await contextRoot(path, describe);
  const place = (name: string): string => join(path, name);
  return {
    context: {
      describe,
      place,
      root,
      readText: (name) => readConfinedText(root, join(root, name), { name: place(name) }),
    },
    async reader(rules) {
      return contextReader(await store(), directoryContext(root, rules, describe), now);
    },
    time: async () => undefined,
  };
}
