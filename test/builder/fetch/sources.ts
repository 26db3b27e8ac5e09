import { openRemoteSources, type RemoteSourcesOptions } from "../../../builder/fetch/open-remote-sources.ts";
import type { RemoteSources } from "../../../builder/fetch/remote-sources.ts";
import { defaultRegistrySettings, type RegistrySettings } from "../../../store/registry/settings.ts";
import { openStore, type Store } from "../../../store/store.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

export interface TestSources extends AsyncDisposable {
  readonly store: Store;
  readonly sources: RemoteSources;
  /** What onResolved and onNote heard. */
  readonly heard: string[];
}

/** Remote sources on a store of their own, or on the one in `root`; tries follow each other at once. */
export async function testSources(
  options: Partial<Omit<RemoteSourcesOptions, "store" | "settings">> & {
    readonly root?: string;
    readonly settings?: Partial<RegistrySettings>;
  } = {},
): Promise<TestSources> {
  const store = await openStore(options.root ?? temporaryDirectory("fetch"));
  const heard: string[] = [];
  const sources = openRemoteSources({
    environment: { PATH: process.env.PATH },
    onResolved: {
      http: (url, digest) => heard.push(`${url} ${digest}`),
      git: (remote, ref, commit) => heard.push(`${remote} ${ref ?? "-"} ${commit}`),
    },
    onNote: (message) => heard.push(message),
    clock: { random: () => 0 },
    ...options,
    store,
    settings: { ...defaultRegistrySettings, ...options.settings },
  });
  return {
    store,
    sources,
    heard,
    [Symbol.asyncDispose]: async () => {
      await sources.close();
      await store.close();
    },
  };
}
