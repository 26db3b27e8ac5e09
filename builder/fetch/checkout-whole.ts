import { TsbuildError } from "../../store/errors.ts";
import { refuseWithoutRoom } from "../../store/room.ts";
import type { Store } from "../../store/store.ts";
import { type GitRemote, parseGitRemote } from "../plan/git-remote.ts";
import { publicUrl } from "../plan/public-url.ts";
import { type CheckoutLimits, emptyCheckout, grown } from "./checkout-limits.ts";
import { type CheckoutOptions, checkoutFiles, commitTime } from "./git-checkout.ts";
import type { Remote } from "./git-client.ts";
import { keepGitDirectory } from "./git-directory.ts";
import { listCommit, type PinnedSubmodule, submodulesOf } from "./git-listing.ts";
import { submoduleUrl } from "./git-modules.ts";
import type { ResolvedRef } from "./git-refs.ts";
import { putInPlace } from "./put-in-place.ts";

export interface WholeCheckout {
  readonly store: Pick<Store, "root" | "tempFile">;
  readonly limits: CheckoutLimits;
  readonly submodules: boolean;
  /** Each checkout, of submodules too, gets a .git. */
  readonly keepGit: boolean;
  /** A new, empty directory; those of one checkout are on one file system. */
  newDirectory(): Promise<string>;
  /** Hands a repository over that has the commit; `read` may be called again, with another copy of it. */
  reading<T>(remote: Remote, ref: ResolvedRef, doing: string, read: (at: CheckoutOptions) => Promise<T>): Promise<T>;
}

export interface CheckedOut {
  readonly directory: string;
  /** Seconds since the epoch: the commit's. */
  readonly time: number;
}

/** Submodules of submodules of …: no project goes as deep. */
const deepest = 16;

/**
 * Files, submodules and .git of a commit. Each repository's files are written into a directory of their own, where nothing is that another one brought, and a submodule is moved to its
 * place when it is whole. Throws GIT_FAILED, TOO_LARGE, STORE_FULL.
 */
export async function checkoutWhole(whole: WholeCheckout, remote: Remote, ref: ResolvedRef): Promise<CheckedOut> {
  const { store, limits, keepGit, newDirectory, reading } = whole;
  let size = emptyCheckout;

  const checkout = async (from: Remote, at: ResolvedRef, depth: number): Promise<CheckedOut> => {
    const doing = `checking out ${at.commit} of ${publicUrl(from.remote)}`;
    const { listing, submodules, ...made } = await reading(from, at, doing, async (options) => {
      const found = await listCommit(options, size, limits);
      refuseWithoutRoom(store.root, found.size.bytes - size.bytes, doing);
      const directory = await newDirectory();
      const time = await commitTime(options);
      await checkoutFiles(options, directory, await store.tempFile("index"));
      if (keepGit) await keepGitDirectory(options, directory, from.remote, at);
      return { listing: found, directory, time, submodules: whole.submodules ? await submodulesOf(options, found) : [] };
    });
    size = grown(listing.size, { submodules: submodules.length }, limits, doing);
    for (const submodule of submodules) await addSubmodule(made.directory, from, submodule, depth + 1);
    return made;
  };

  const addSubmodule = async (directory: string, parent: Remote, submodule: PinnedSubmodule, depth: number): Promise<void> => {
    const doing = `fetching the submodule ${JSON.stringify(submodule.path.slice(0, 80))} of ${publicUrl(parent.remote)}`;
    if (depth > deepest) throw new TsbuildError("GIT_FAILED", `${doing}: submodules lie more than ${deepest} deep`);
    const made = await checkout(submoduleRemote(parent, submodule, doing), { commit: submodule.commit }, depth);
    if (putInPlace(made.directory, directory, submodule.path)) return;
    throw new TsbuildError("GIT_FAILED", `${doing}: at its path the checkout has no empty directory`);
  };

  return checkout(remote, ref, 0);
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
