import type { Digest } from "../../store/digest.ts";
import type { GitSource, HttpSource } from "../plan/operation.ts";

/** A file of the web, in the store, where nobody changes it. */
export interface FetchedFile {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Absolute, on the host. */
  readonly path: string;
  /** Seconds, of Last-Modified. */
  readonly lastModified?: number;
}

/** What a checkout's .git says besides its commit. */
export interface KeptGit {
  /** As its config has it. */
  readonly remote: string;
  /** "refs/heads/main"; absent where the commit was named itself. */
  readonly ref?: string;
  /** The annotated tag's own object. */
  readonly tag?: string;
}

/** A commit of a repository. */
export interface FetchedTree {
  /** Full, lower case. */
  readonly commit: string;
  /** Absent where the checkout has no .git: then its files follow from the commit alone. */
  readonly kept?: KeptGit;
  /**
   * Checks it out when first asked: an absolute real path, without .git unless that was wanted. Every file has the commit's time. It is gone after close().
   * Throws GIT_SUBDIR_NOT_FOUND, GIT_FAILED, TOO_LARGE and STORE_FULL.
   */
  directory(): Promise<string>;
  /** Seconds, as its committer says; the commit is fetched for it where it is not here. Throws GIT_FAILED. */
  time(): Promise<number>;
}

/** What comes from the web and from git, each thing at most once a build. */
export interface RemoteSources extends AsyncDisposable {
  /** Throws FETCH_FAILED, CHECKSUM_MISMATCH, TOO_LARGE, STORE_FULL, CERTIFICATE_UNREADABLE, INVALID_PROXY, and what the lock says. */
  http(source: HttpSource): Promise<FetchedFile>;
  /** Asks the remote only what the ref means; of a full commit nobody is asked before its files are wanted, and not then where they are here. Throws GIT_FAILED, GIT_MISSING, CHECKSUM_MISMATCH, and what the lock says. */
  git(source: GitSource): Promise<FetchedTree>;
  close(): Promise<void>;
}
