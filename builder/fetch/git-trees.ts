import { realpathSync, statSync } from "node:fs";
import { join, sep } from "node:path";
import { isSystemError, removeTree, TsbuildError } from "../../runtime-addon/index.ts";
import { onceEach } from "../../store/registry/single-flight.ts";
import type { Store } from "../../store/store.ts";
import { parseGitRemote } from "../plan/git-remote.ts";
import type { GitSource } from "../plan/operation.ts";
import { publicUrl } from "../plan/public-url.ts";
import { checkoutLimits } from "./checkout-limits.ts";
import { checkoutWhole } from "./checkout-whole.ts";
import { checksumMismatch } from "./fetch-error.ts";
import { type CheckoutOptions, commitTime } from "./git-checkout.ts";
import { type GitClientOptions, openGitClient, type Remote } from "./git-client.ts";
import { gitFailure, isDamaged } from "./git-failure.ts";
import { chooseRef, isFullCommit, type ResolvedRef, refPatterns } from "./git-refs.ts";
import { gitRepository } from "./git-repository.ts";
import type { FetchedTree, KeptGit } from "./remote-sources.ts";
import type { SourceCredentials } from "./source-credentials.ts";
import { underWay } from "./under-way.ts";
import { makeUniform } from "./uniform-files.ts";

export interface GitTreesOptions extends Omit<GitClientOptions, "authorize"> {
  readonly credentials?: SourceCredentials | undefined;
  readonly store: Pick<Store, "root" | "temp" | "tempFile" | "pin">;
  /** Hears of each ref of a remote once, before its files are handed on; what it throws goes to whoever asked. */
  readonly onResolved?: ((remote: string, ref: string | undefined, commit: string) => void) | undefined;
}

export interface GitTrees {
  /** As RemoteSources.git. */
  fetch(source: GitSource): Promise<FetchedTree>;
  /** Removes what was checked out. */
  close(): Promise<void>;
}

/** Commits of repositories: each ref is asked for once, each commit checked out once. */
export function openGitTrees(options: GitTreesOptions): GitTrees {
  const { store, settings, signal, onResolved, credentials } = options;
  /** What submodules name is a repository's word only, and what triggers of a base image name is the image's. */
  const named = new Set<string>();
  const client = openGitClient({
    ...options,
    authorize: credentials && (({ remote }) => credentials.git(remote, named.has(originOf(remote)))),
  });
  const resolving = onceEach<ResolvedRef>();
  const checkingOut = onceEach<string>();
  const timing = onceEach<number>();
  const made: string[] = [];
  const work = underWay();

  const repositoryOf = (remote: Remote, commit: string) =>
    gitRepository({ client, store, remote, hexDigits: commit.length, silenceMs: settings.deadlineMs, signal });

  const resolve = async (remote: Remote, ref: string | undefined): Promise<ResolvedRef> => {
    if (ref !== undefined && isFullCommit(ref)) return { commit: ref };
    const doing = `asking ${publicUrl(remote.remote)} for ${ref ?? "HEAD"}`;
    const call = { doing, silenceMs: settings.stallTimeoutMs };
    const ended = await client.remote(remote, ["ls-remote", "--symref", "--", remote.remote, ...refPatterns(ref)], call);
    if (ended.code !== 0) throw gitFailure(doing, ended);
    const found = chooseRef(ended.output.toString("latin1"), ref);
    if (found !== undefined) return found;
    const commit = ref !== undefined && /^[0-9a-f]{7,63}$/.test(ref) ? await repositoryOf(remote, "0".repeat(40)).complete(ref) : undefined;
    if (commit !== undefined) return { commit };
    throw new TsbuildError(
      "GIT_FAILED",
      `${doing}: ${ref === undefined ? "the repository is empty" : "it has no such branch, tag or commit"}`,
    );
  };

  const newDirectory = async (): Promise<string> => {
    const directory = realpathSync(await store.temp("checkout"));
    made.push(directory);
    return directory;
  };

  const checkout = async (source: GitSource, remote: Remote, ref: ResolvedRef): Promise<string> => {
    const { submodules } = source;
    const whole = { store, limits: checkoutLimits(settings), submodules, keepGit: keepsGit(source), newDirectory, reading };
    const { directory, time } = await checkoutWhole(whole, remote, ref);
    await makeUniform(directory, time);
    return directory;
  };

  const timeOf = (remote: Remote, ref: ResolvedRef): Promise<number> =>
    reading(remote, ref, `reading ${ref.commit} of ${publicUrl(remote.remote)}`, commitTime);

  /** Reads from the repository when the commit is in it; where that turns out not to be whole, once more. */
  const reading = async <T>(remote: Remote, ref: ResolvedRef, doing: string, read: (at: CheckoutOptions) => Promise<T>): Promise<T> => {
    const repository = repositoryOf(remote, ref.commit);
    const attempt = async () => {
      await repository.obtain(ref);
      return repository.reading(() => read({ client, repository, commit: ref.commit, doing }));
    };
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof TsbuildError) || error.code !== "GIT_FAILED" || !isDamaged({ said: error.message })) throw error;
      // A machine that lost power, or another's hand: what is here is a copy.
      await repository.discard();
      return attempt();
    }
  };

  return {
    async fetch(source) {
      const remote = parseGitRemote(source.remote);
      if (remote === undefined) throw new TypeError(`${source.remote} is no git remote`);
      const doing = `fetching ${publicUrl(source.remote)}`;
      if (source.byImage !== true) named.add(originOf(remote.remote));
      const ref = await resolving(
        JSON.stringify([source.remote, source.ref]),
        async () => {
          const found = await work.watch(resolve(remote, source.ref));
          onResolved?.(source.remote, source.ref, found.commit);
          return found;
        },
        { signal },
      );
      const { checksum } = source;
      if (checksum !== undefined && !ref.commit.startsWith(checksum) && ref.tag?.startsWith(checksum) !== true) {
        throw checksumMismatch(doing, checksum, ref.commit, `${source.ref ?? "HEAD"} has moved, or the checksum is another commit's`);
      }
      const key = JSON.stringify([source.remote, ref, keepsGit(source), source.submodules]);
      return {
        commit: ref.commit,
        ...(keepsGit(source) ? { kept: keptGit(source.remote, ref) } : {}),
        directory: async () => {
          const root = await checkingOut(key, () => work.watch(checkout(source, remote, ref)), { signal });
          return source.subdir === undefined ? root : directoryBelow(root, source.subdir, doing);
        },
        time: () => timing(JSON.stringify([source.remote, ref]), () => work.watch(timeOf(remote, ref)), { signal }),
      };
    },
    async close() {
      await work.over();
      await Promise.all(made.splice(0).map((directory) => removeTree(directory)));
    },
  };
}

/** "https://host"; of the others than http(s), which have no origin, the remote itself. */
function originOf(remote: string): string {
  return /^https?:/.test(remote) ? new URL(remote).origin : remote;
}

/** With a directory of a repository alone there is no place for .git. */
function keepsGit({ keepGitDir, subdir }: GitSource): boolean {
  return keepGitDir && subdir === undefined;
}

function keptGit(remote: string, { name, tag }: ResolvedRef): KeptGit {
  return { remote, ...(name === undefined ? {} : { ref: name }), ...(tag === undefined ? {} : { tag }) };
}

/** A directory of the checkout, links being followed as far as they stay in it. */
function directoryBelow(root: string, subdir: string, doing: string): string {
  const missing = (problem: string) =>
    new TsbuildError("GIT_SUBDIR_NOT_FOUND", `${doing}: the directory ${JSON.stringify(subdir.slice(0, 200))} ${problem}`);
  let real: string;
  try {
    real = realpathSync(join(root, subdir));
  } catch (error) {
    if (isSystemError(error, "ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG")) throw missing("is not in the repository");
    throw error;
  }
  if (real !== root && !real.startsWith(`${root}${sep}`)) throw missing("is a link that leads out of the repository");
  if (!statSync(real).isDirectory()) throw missing("is a file");
  return real;
}
