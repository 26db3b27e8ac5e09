import type { Abortable } from "../../store/file-bytes.ts";
import { type RetryClock, retryPolicy } from "../../store/registry/retry.ts";
import { defaultRegistrySettings, type RegistrySettings } from "../../store/registry/settings.ts";
import type { Store } from "../../store/store.ts";
import { openGitTrees } from "./git-trees.ts";
import { openHttpFiles } from "./http-files.ts";
import type { RemoteSources } from "./remote-sources.ts";
import { sourceCredentials } from "./source-credentials.ts";

export interface RemoteSourcesOptions extends Abortable {
  /** Downloads and repositories are kept in it; it must stay open until these sources are closed. */
  readonly store: Store;
  /** Attempts, deadlines, limits, and how hosts are trusted: as for registries. Absent: the defaults. */
  readonly settings?: RegistrySettings;
  /** As RegistryOptions.proxy. */
  readonly proxy?: Readonly<Record<string, string | undefined>>;
  readonly userAgent?: string;
  /** Of this process, for git and the ssh that it starts: PATH, HOME and SSH_AUTH_SOCK are taken. Absent: the system's own PATH, no agent. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Hears what each URL and ref turned out to be, before it is used; what these throw goes to whoever asked for it. */
  readonly onResolved?: {
    http(url: string, digest: string): void;
    /** `ref` as the source has it, absent for HEAD. */
    git(remote: string, ref: string | undefined, commit: string): void;
  };
  /** Hears that something failed for a passing reason and is tried again. */
  readonly onNote?: (message: string) => void;
  /** The value of a secret of the build: what servers are shown of them is by their names. Absent: none. */
  readonly secret?: (id: string) => Promise<Buffer | undefined>;
  /** Where the pauses between tries come from. Absent: chance and the clock. */
  readonly clock?: RetryClock;
}

/** Opens nothing before something is fetched. The caller closes it, when nothing reads from what it gave any more. */
export function openRemoteSources(options: RemoteSourcesOptions): RemoteSources {
  const {
    store,
    settings = defaultRegistrySettings,
    proxy = {},
    environment = {},
    userAgent,
    onResolved,
    onNote,
    clock,
    signal,
    secret,
  } = options;
  const retrying = retryPolicy(settings, clock);
  const credentials = secret && sourceCredentials({ secret, settings, proxy, onNote: onNote ?? (() => undefined) });
  const shared = { store, settings, retrying, proxy, signal, onNote, credentials };
  const files = openHttpFiles({ ...shared, userAgent, onResolved: onResolved && ((url, digest) => onResolved.http(url, digest)) });
  const trees = openGitTrees({
    ...shared,
    environment,
    onResolved: onResolved && ((remote, ref, commit) => onResolved.git(remote, ref, commit)),
  });
  const close = async () => {
    await Promise.all([files.close(), trees.close()]);
  };
  return {
    http: (source) => files.fetch(source),
    git: (source) => trees.fetch(source),
    close,
    [Symbol.asyncDispose]: close,
  };
}
