import type { Abortable } from "../../store/file-bytes.ts";
import { makeDirectories } from "../../store/make-directories.ts";
import { RegistryError } from "../../store/registry/registry-error.ts";
import type { Retrying } from "../../store/registry/retry.ts";
import type { RegistrySettings } from "../../store/registry/settings.ts";
import type { Store } from "../../store/store.ts";
import { storePaths } from "../../store/store-paths.ts";
import type { GitProtocol } from "../plan/git-remote.ts";
import { fetchError } from "./fetch-error.ts";
import { type GitCall, type GitEnded, runGit } from "./git-command.ts";
import { type GitScope, gitEnvironment } from "./git-environment.ts";
import { gitFailure, gitWords, isPassing } from "./git-failure.ts";
import type { Authorization } from "./source-credentials.ts";

/** A repository that may be asked. */
export interface Remote {
  readonly protocol: GitProtocol;
  readonly remote: string;
}

export interface LocalCall extends Omit<GitScope, "remote" | "authorization"> {
  readonly input?: string;
  /** As GitCall.onOutput. */
  readonly onOutput?: (chunk: Buffer) => void;
}

export interface RemoteCall extends Omit<GitScope, "remote" | "authorization"> {
  /** What is being done, as errors begin. */
  readonly doing: string;
  /** Ended after so long without a word. */
  readonly silenceMs: number;
}

/** git, as this program uses it: on its own repositories, without anybody's configuration. */
export interface GitClient {
  /** v1/git of the store. */
  readonly folder: string;
  /** Without any network. Whatever it comes to. */
  local(args: readonly string[], call?: LocalCall): Promise<GitEnded>;
  /** As `local`, but it must succeed: throws GIT_FAILED, which begins with `doing`. */
  must(doing: string, args: readonly string[], call?: LocalCall): Promise<GitEnded>;
  /** With this remote in reach. Whatever it comes to; but what fails for a passing reason is repeated, and in the end GIT_FAILED. */
  remote(remote: Remote, args: readonly string[], call: RemoteCall): Promise<GitEnded>;
}

export interface GitClientOptions extends Abortable {
  readonly store: Pick<Store, "root">;
  readonly settings: RegistrySettings;
  readonly retrying: Retrying;
  readonly proxy: Readonly<Record<string, string | undefined>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly onNote?: ((message: string) => void) | undefined;
  /** What is sent along to a remote. Absent: nothing. */
  readonly authorize?: ((remote: Remote) => Promise<Authorization | undefined>) | undefined;
}

/** Makes `folder` with the first call. */
export function openGitClient(options: GitClientOptions): GitClient {
  const { store, retrying, signal, onNote, authorize } = options;
  const folder = storePaths.git(store.root);
  const run = (args: readonly string[], scope: GitScope, call: Pick<GitCall, "input" | "onOutput" | "silenceMs">) => {
    makeDirectories(folder, 0o700);
    return runGit(args, { ...call, cwd: scope.workTree ?? folder, env: gitEnvironment({ ...options, folder }, scope), signal });
  };

  const local: GitClient["local"] = (args, { input, onOutput, ...scope } = {}) =>
    run(args, scope, { ...(input !== undefined && { input }), ...(onOutput !== undefined && { onOutput }) });
  return {
    folder,
    local,
    async must(doing, args, call) {
      const ended = await local(args, call);
      if (ended.code !== 0) throw gitFailure(doing, ended);
      return ended;
    },
    remote: (remote, args, { doing, silenceMs, ...scope }) =>
      retrying(
        async () => {
          const authorization = await authorize?.(remote);
          const known = authorization === undefined ? {} : { authorization: authorization.header };
          const bare = await run(args, { ...scope, remote, ...known }, { silenceMs });
          // The server's words are in it, and it knows the header.
          const ended = authorization === undefined ? bare : { ...bare, said: authorization.hide(bare.said) };
          if (ended.code !== 0 && isPassing(ended)) throw new RegistryError("REGISTRY_UNREACHABLE", gitWords(ended), { retryable: true });
          return ended;
        },
        { signal, onRetry: (message) => onNote?.(`${doing}: ${message}`) },
      ).catch((error: unknown) => {
        throw fetchError(error, doing, "GIT_FAILED");
      }),
  };
}
