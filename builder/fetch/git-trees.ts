import { lstatSync, mkdirSync, realpathSync, statSync } from "node:fs";
import { join, sep } from "node:path";
import { isSystemError, removeTree, TsbuildError } from "../../runtime-addon/index.ts";
import { onceEach } from "../../store/registry/single-flight.ts";
import type { Store } from "../../store/store.ts";
import { type GitRemote, parseGitRemote } from "../plan/git-remote.ts";
import type { GitSource } from "../plan/operation.ts";
import { publicUrl } from "../plan/public-url.ts";
import { checksumMismatch } from "./fetch-error.ts";
import { type CheckoutOptions, checkoutFiles, commitTime, type PinnedSubmodule, submodulesOf } from "./git-checkout.ts";
import { type GitClientOptions, openGitClient, type Remote } from "./git-client.ts";
import { keepGitDirectory } from "./git-directory.ts";
import { gitFailure, isDamaged } from "./git-failure.ts";
import { submoduleUrl } from "./git-modules.ts";
import { chooseRef, isFullCommit, type ResolvedRef, refPatterns } from "./git-refs.ts";
import { gitRepository } from "./git-repository.ts";
import type { FetchedTree } from "./remote-sources.ts";
import { underWay } from "./under-way.ts";
import { makeUniform } from "./uniform-files.ts";

export interface GitTreesOptions extends GitClientOptions {
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

/** Submodules of submodules of …: no project goes as deep. */
const deepest = 16;

/** Commits of repositories: each ref is asked for once, each commit checked out once. */
export function openGitTrees(options: GitTreesOptions): GitTrees {
  const { store, settings, signal, onResolved } = options;
  const client = openGitClient(options);
  const resolving = onceEach<ResolvedRef>();
  const checkingOut = onceEach<string>();
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

  const checkout = async (source: GitSource, remote: Remote, ref: ResolvedRef): Promise<string> => {
    const directory = realpathSync(await store.temp("checkout"));
    made.push(directory);
    const time = await fill(directory, remote, ref, source, 0);
    await makeUniform(directory, time);
    return directory;
  };

  /** Files, submodules, and .git of one commit; answers its time. */
  const fill = async (directory: string, remote: Remote, ref: ResolvedRef, source: GitSource, depth: number): Promise<number> => {
    const { time, submodules } = await atOnce(directory, remote, ref, source);
    if (!source.submodules) return time;
    for (const submodule of submodules) await fillSubmodule(directory, remote, submodule, source, depth + 1);
    return time;
  };

  const atOnce = async (directory: string, remote: Remote, ref: ResolvedRef, source: GitSource) => {
    const doing = `checking out ${ref.commit} of ${publicUrl(remote.remote)}`;
    const repository = repositoryOf(remote, ref.commit);
    const at: CheckoutOptions = { client, repository, commit: ref.commit, doing };
    const attempt = async () => {
      await repository.obtain(ref);
      return repository.reading(async () => {
        const time = await commitTime(at);
        await checkoutFiles(at, directory, await store.tempFile("index"));
        const submodules = await submodulesOf(at, directory);
        // With a directory of it alone there is no place for it.
        if (source.keepGitDir && source.subdir === undefined) await keepGitDirectory(at, directory, remote.remote, ref);
        return { time, submodules };
      });
    };
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof TsbuildError) || error.code !== "GIT_FAILED" || !isDamaged({ said: error.message })) throw error;
      // A machine that lost power, or another's hand: what is here is a copy.
      await repository.discard();
      await removeTree(directory);
      mkdirSync(directory);
      return attempt();
    }
  };

  const fillSubmodule = async (
    directory: string,
    parent: Remote,
    submodule: PinnedSubmodule,
    source: GitSource,
    depth: number,
  ): Promise<void> => {
    const doing = `fetching the submodule ${JSON.stringify(submodule.path.slice(0, 80))} of ${publicUrl(parent.remote)}`;
    if (depth > deepest) throw new TsbuildError("GIT_FAILED", `${doing}: submodules lie more than ${deepest} deep`);
    const remote = submoduleRemote(parent, submodule, doing);
    const place = join(directory, submodule.path);
    if (!(lstatSync(place, { throwIfNoEntry: false })?.isDirectory() ?? false)) return;
    await fill(place, remote, { commit: submodule.commit }, source, depth);
  };

  return {
    async fetch(source) {
      const remote = parseGitRemote(source.remote);
      if (remote === undefined) throw new TypeError(`${source.remote} is no git remote`);
      const doing = `fetching ${publicUrl(source.remote)}`;
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
      const key = JSON.stringify([source.remote, ref, source.keepGitDir && source.subdir === undefined, source.submodules]);
      return {
        commit: ref.commit,
        directory: async () => {
          const root = await checkingOut(key, () => work.watch(checkout(source, remote, ref)), { signal });
          return source.subdir === undefined ? root : directoryBelow(root, source.subdir, doing);
        },
      };
    },
    async close() {
      await work.over();
      await Promise.all(made.splice(0).map((directory) => removeTree(directory)));
    },
  };
}

/** Only where a repository of this host can be: never a path, a program or a transport that is not ours. */
function submoduleRemote(parent: Remote, { url }: PinnedSubmodule, doing: string): Remote {
  const refused = (cause?: unknown) =>
    new TsbuildError("GIT_FAILED", `${doing}: ${JSON.stringify(publicUrl(url))} is no http, https, ssh or git URL that can be used`, {
      cause,
    });
  const whole = submoduleUrl(parent.remote, url);
  if (whole === undefined) throw refused();
  let remote: GitRemote | undefined;
  try {
    // A user name of http is of no use without a password, which is not taken from a repository.
    remote = parseGitRemote(whole.replace(/^(https?:\/\/)[^/@]*@/i, "$1"));
  } catch (error) {
    throw refused(error);
  }
  if (remote === undefined || remote.query !== "" || remote.fragment !== "") throw refused();
  return remote;
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
