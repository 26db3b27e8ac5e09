import { posix } from "node:path";
import { TsbuildError } from "../../runtime-addon/index.ts";
import { isDigest } from "../../store/digest.ts";
import { quoted } from "../dockerfile/fault.ts";
import { one, parseGitQuery } from "./git-query.ts";
import { type GitRemote, parseGitRemote, percentDecoded, plainUrl, withCredentials } from "./git-remote.ts";
import { invalidSource } from "./invalid-source.ts";
import type { GitSource, HttpSource } from "./operation.ts";
import { publicUrl } from "./public-url.ts";

/** Of the instruction that names the source. */
export interface RemoteFlags {
  readonly keepGitDir: boolean;
  readonly checksum?: string;
}

/** What a file of the web is called where its URL says nothing. */
const unnamed = "__unnamed__";

/**
 * What a source word of ADD names besides a path, for which it is undefined: a git repository ("ssh://", "git://", "[user@]host:path", and "http(s)://" where the path
 * ends in ".git") or a file of the web. A path that looks like one begins with "./". Throws INVALID_SOURCE, INVALID_CHECKSUM.
 */
export function parseRemoteSource(word: string, flags: RemoteFlags): HttpSource | GitSource | undefined {
  const remote = gitRemoteOf(word);
  if (remote !== undefined) return gitSource(remote, word, flags);
  return isHttpUrl(word) ? httpSource(word, flags.checksum) : undefined;
}

/** Whether a word can be the URL of a file of the web. */
export function isHttpUrl(word: string): boolean {
  return /^https?:\/\//i.test(word);
}

/** The repository that a build context names, with "github.com/owner/name" as an old form of its own; undefined where it is none. Throws as parseRemoteSource. */
export function parseGitUrl(text: string): GitSource | undefined {
  const written = text.startsWith("github.com/") ? `https://${text}` : text;
  const remote = written === text ? gitRemoteOf(text) : parseGitRemote(written);
  return remote === undefined ? undefined : gitSource(remote, written, { keepGitDir: false });
}

function gitRemoteOf(text: string): GitRemote | undefined {
  // Else every file of the web would be one: its URL is looked at by itself.
  if (isHttpUrl(text) && !/^[^/]*\/\/[^/?#]+\/[^?#]*\.git(?:[?#]|$)/s.test(text)) return undefined;
  return parseGitRemote(text);
}

function httpSource(word: string, checksum: string | undefined): HttpSource {
  const url = plainUrl(word);
  if (url.password !== "") throw withCredentials(word, "a password");
  if (url.username !== "") throw withCredentials(word, "a user name");
  url.hash = "";
  if (checksum !== undefined && !isDigest(checksum)) {
    throw invalidChecksum(word, checksum, "of a file it is sha256: and 64 hexadecimal digits in lower case");
  }
  return { kind: "http", url: url.href, name: nameOf(url, word), ...(checksum !== undefined && { checksum }) };
}

/** The last component of the path, decoded. */
function nameOf(url: URL, word: string): string {
  const name = posix.basename(percentDecoded(url.pathname, word));
  if (name === "") return unnamed;
  if (name === "." || name === ".." || /[\x00-\x1f\x7f]/.test(name)) {
    throw invalidSource(word, `its last part ${quoted(name)} cannot be the name of a file`);
  }
  return name;
}

function gitSource(remote: GitRemote, word: string, flags: RemoteFlags): GitSource {
  const query = parseGitQuery(remote.query, word);
  if (flags.keepGitDir && query.keepGitDir === false)
    throw invalidSource(word, "it says keep-git-dir=false, and the instruction --keep-git-dir");
  const colon = remote.fragment.indexOf(":");
  const fragmentRef = colon < 0 ? remote.fragment : remote.fragment.slice(0, colon);
  const fragmentSubdir = colon < 0 ? "" : remote.fragment.slice(colon + 1);
  const given = one(word, "refs", [fragmentRef === "" ? undefined : fragmentRef, query.ref]);
  const subdir = subdirOf(one(word, "directories", [fragmentSubdir === "" ? undefined : fragmentSubdir, query.subdir]), word);
  const checksum = commitChecksum(one(word, "checksums", [flags.checksum, query.checksum]), word);
  if (query.fetchByCommit === true && checksum === undefined) throw invalidSource(word, "fetch-by-commit needs the commit as checksum");
  const ref = query.fetchByCommit === true || (given === undefined && query.checksum !== undefined) ? checksum : given;
  if (ref !== undefined) checkRef(ref, word);
  return {
    kind: "git",
    remote: remote.remote,
    ...(ref !== undefined && { ref }),
    ...(subdir !== undefined && { subdir }),
    keepGitDir: flags.keepGitDir || (query.keepGitDir ?? false),
    submodules: query.submodules ?? true,
    ...(checksum !== undefined && { checksum }),
  };
}

function subdirOf(subdir: string | undefined, word: string): string | undefined {
  if (subdir === undefined) return undefined;
  if (subdir.includes("\0")) throw invalidSource(word, "a directory's name has no NUL in it");
  const cleaned = posix.normalize(subdir.replace(/^\/+/, "")).replace(/\/$/, "");
  if (cleaned === ".." || cleaned.startsWith("../"))
    throw invalidSource(word, `the directory ${quoted(subdir)} leads out of the repository`);
  return cleaned === "" || cleaned === "." ? undefined : cleaned;
}

function commitChecksum(checksum: string | undefined, word: string): string | undefined {
  if (checksum === undefined) return undefined;
  if (!/^[0-9a-f]{7,64}$/i.test(checksum))
    throw invalidChecksum(word, checksum, "of a repository it is a commit, or at least its first 7 digits");
  return checksum.toLowerCase();
}

/** What git takes for the name of a ref (git-check-ref-format), one component being enough, or for a commit; nothing that could be an option or a pattern. */
function checkRef(ref: string, word: string): void {
  const sound =
    !/[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|\/\.|\.lock(?:\/|$)/.test(ref) &&
    !/^[-/.]|[/.]$/.test(ref) &&
    ref !== "@" &&
    ref.length <= 1024;
  if (!sound) throw invalidSource(word, `${quoted(ref)} is no name of a branch or tag, and no commit`);
}

function invalidChecksum(word: string, checksum: string, hint: string): TsbuildError {
  return new TsbuildError("INVALID_CHECKSUM", `reading the source ${publicUrl(word)}: the checksum ${quoted(checksum)} is none`, { hint });
}
