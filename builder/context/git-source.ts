import { join } from "node:path";
import type { Store } from "../../store/store.ts";
import { stepCache } from "../cache/records.ts";
import type { RemoteSources } from "../fetch/remote-sources.ts";
import type { GitSource } from "../plan/operation.ts";
import { publicUrl } from "../plan/public-url.ts";
import { gitInputs } from "../steps/remote-inputs.ts";
import type { OpenedSource } from "./open-context.ts";
import { readConfinedText } from "./small-text.ts";

/** A commit of a repository; it is checked out when the first file is read. Throws as RemoteSources.git. */
export async function openGit(
  source: GitSource,
  {
    describe,
    store,
    remote,
  }: { readonly describe: string; readonly store: () => Promise<Store>; readonly remote: () => Promise<RemoteSources> },
): Promise<OpenedSource> {
  const tree = await (await remote()).git(source);
  return {
    context: {
      describe,
      place: (path) => `${publicUrl(source.remote)}#${source.ref ?? ""}:${join(source.subdir ?? "", path)}`,
      async readText(name) {
        const root = await tree.directory();
        return readConfinedText(root, join(root, name), { name: `${name} in ${describe}`, placesAreOurs: true });
      },
    },
    async reader() {
      const cache = stepCache(await store());
      return { inputs: async (request) => gitInputs(tree, source, request, cache, describe), save: async () => undefined };
    },
    time: () => tree.time(),
  };
}
