import { describe, expect, it } from "vitest";
import type { GitSource, HttpSource } from "../../../builder/plan/operation.ts";
import { publicUrl } from "../../../builder/plan/public-url.ts";
import { parseGitUrl, parseRemoteSource, type RemoteFlags } from "../../../builder/plan/remote-source.ts";

const none: RemoteFlags = { keepGitDir: false };
const sha = "0123456789abcdef0123456789abcdef01234567";
const digest = `sha256:${"ab".repeat(32)}`;

function git(remote: string, rest: Partial<GitSource> = {}): GitSource {
  return { kind: "git", remote, keepGitDir: false, submodules: true, ...rest };
}

function http(url: string, name: string, rest: Partial<HttpSource> = {}): HttpSource {
  return { kind: "http", url, name, ...rest };
}

function failure(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    const { code, message } = error as Error & { code: string };
    return `${code}: ${message}`;
  }
  return "no error";
}

describe("what is no remote source", () => {
  it.each([
    ["a name", "file"],
    ["a path", "/a/b.git"],
    ["a path below here", "./a:b"],
    ["a path above", "../x.git"],
    ["a git directory", ".git"],
    ["github.com without a scheme: only contexts know it", "github.com/moby/buildkit"],
    ["another host without a scheme", "custom.xyz/moby/buildkit.git"],
    ["a scheme that nobody knows", "httpx://github.com/moby/buildkit"],
    ["a file URL", "file:///etc/passwd"],
    ["an image", "docker-image://alpine"],
    ["a layout", "oci-layout://images/app.git"],
    ["a wildcard", "*.git"],
    ["a name that ends in a colon", "name:"],
    ["a blank before a colon", "a b:c"],
    ["nothing", ""],
  ])("%s", (_name, word) => {
    expect(parseRemoteSource(word, none)).toBeUndefined();
  });
});

describe("a file of the web", () => {
  it.each<[name: string, word: string, expected: HttpSource, flags?: Partial<RemoteFlags>]>([
    ["is called as its path ends", "https://e.com/a/b.txt", http("https://e.com/a/b.txt", "b.txt")],
    ["over plain http", "http://e.com/b", http("http://e.com/b", "b")],
    ["in capitals", "HTTPS://E.com/b", http("https://e.com/b", "b")],
    ["with a port", "http://e.com:8080/b", http("http://e.com:8080/b", "b")],
    ["without a path", "https://e.com", http("https://e.com/", "__unnamed__")],
    ["with an empty path", "https://e.com/", http("https://e.com/", "__unnamed__")],
    ["that ends in a slash", "https://e.com/a/", http("https://e.com/a/", "a")],
    ["whose query is no part of the name", "https://e.com/a.tar?x=/b.txt", http("https://e.com/a.tar?x=/b.txt", "a.tar")],
    ["whose fragment is not asked for", "https://e.com/a#b", http("https://e.com/a", "a")],
    ["whose name is encoded", "https://e.com/a%20b%C3%A9", http("https://e.com/a%20b%C3%A9", "a bé")],
    ["whose name holds an encoded slash", "https://e.com/a%2Fb", http("https://e.com/a%2Fb", "b")],
    ["with blanks", "https://e.com/a b", http("https://e.com/a%20b", "a b")],
    ["with a backslash", "https://e.com/a\\b", http("https://e.com/a%5Cb", "a\\b")],
    ["with dots", "https://e.com/a/../b", http("https://e.com/b", "b")],
    ["that only begins like a repository", "https://e.com/x.git/", http("https://e.com/x.git/", "x.git")],
    ["that goes on behind .git", "https://e.com/x.git.bar", http("https://e.com/x.git.bar", "x.git.bar")],
    ["with a colon behind .git", "http://e.com/x.git:#b", http("http://e.com/x.git:", "x.git:")],
    ["on a host that ends in .git", "https://e.git", http("https://e.git/", "__unnamed__")],
    ["with .git in its query", "https://e.com/x?y=z.git", http("https://e.com/x?y=z.git", "x")],
    ["with a checksum", "https://e.com/a", http("https://e.com/a", "a", { checksum: digest }), { checksum: digest }],
  ])("%s", (_name, word, expected, flags) => {
    expect(parseRemoteSource(word, { ...none, ...flags })).toEqual(expected);
  });

  it.each<[name: string, word: string, expected: string, flags?: Partial<RemoteFlags>]>([
    ["a password", "https://u:SECRET@e.com/a?SECRET", "INVALID_SOURCE: reading the source https://e.com/a: it has a password in it"],
    ["a token as user", "https://SECRET@e.com/a", "INVALID_SOURCE: reading the source https://e.com/a: it has a user name in it"],
    ["no host", "https://", "INVALID_SOURCE: reading the source https://: it is no URL"],
    ["a bad port", "https://e.com:99999/", "INVALID_SOURCE: reading the source https://e.com:99999/: it is no URL"],
    ["a line end", "https://e.com/a\nb", "INVALID_SOURCE: reading the source https://e.com/a?b: a URL has no control characters"],
    [
      "a name that is no UTF-8",
      "https://e.com/%ff",
      'INVALID_SOURCE: reading the source https://e.com/%ff: "/%ff" in it is not percent-encoded UTF-8',
    ],
    [
      "a name that leads up",
      "https://e.com/..%2F",
      'INVALID_SOURCE: reading the source https://e.com/..%2F: its last part ".." cannot be the name of a file',
    ],
    [
      "a name with NUL",
      "https://e.com/a%00b",
      'INVALID_SOURCE: reading the source https://e.com/a%00b: its last part "a\\u0000b" cannot be the name of a file',
    ],
    [
      "an escape sequence in the name",
      "https://e.com/a%1B%5B2J",
      'INVALID_SOURCE: reading the source https://e.com/a%1B%5B2J: its last part "a\\u001b[2J" cannot be the name of a file',
    ],
    [
      "a checksum of another kind",
      "https://e.com/a?SECRET",
      'INVALID_CHECKSUM: reading the source https://e.com/a: the checksum "sha512:ab" is none',
      { checksum: "sha512:ab" },
    ],
    [
      "a commit as checksum",
      "https://e.com/a",
      `INVALID_CHECKSUM: reading the source https://e.com/a: the checksum "${sha}" is none`,
      { checksum: sha },
    ],
  ])("is refused with %s", (_name, word, expected, flags) => {
    expect(failure(() => parseRemoteSource(word, { ...none, ...flags }))).toBe(expected);
  });
});

describe("a repository", () => {
  it.each<[name: string, word: string, expected: GitSource, flags?: Partial<RemoteFlags>]>([
    ["over https", "https://e.com/x.git", git("https://e.com/x.git")],
    ["over http, with a port", "http://e.com:80/a/x.git", git("http://e.com/a/x.git")],
    ["over git, whatever its path", "git://e.com:1234/x", git("git://e.com:1234/x")],
    ["over ssh", "ssh://git@e.com:22/a/x.git", git("ssh://git@e.com:22/a/x.git")],
    ["over ssh, at home", "ssh://u@192.168.0.1:456/~/x.git", git("ssh://u@192.168.0.1:456/~/x.git")],
    ["in the scp style", "git@e.com:a/x.git", git("git@e.com:a/x.git")],
    ["in the scp style, absolute", "some-user_1@e.com:/srv/x", git("some-user_1@e.com:/srv/x")],
    ["in the scp style without a user", "e.com:x", git("e.com:x")],
    ["with a branch", "https://e.com/x.git#release/1.2", git("https://e.com/x.git", { ref: "release/1.2" })],
    ["with a commit", `git@e.com:x#${sha}`, git("git@e.com:x", { ref: sha })],
    ["with a branch and a directory", "https://e.com/x.git#b/c:d/e", git("https://e.com/x.git", { ref: "b/c", subdir: "d/e" })],
    ["with a directory alone", "https://e.com/x.git#:d", git("https://e.com/x.git", { subdir: "d" })],
    ["with an empty fragment", "https://e.com/x.git#", git("https://e.com/x.git")],
    ["with an encoded fragment", "https://e.com/x.git#a%2Bb", git("https://e.com/x.git", { ref: "a+b" })],
    ["with a directory that is cleaned", "https://e.com/x.git#:/a/./b/../c/", git("https://e.com/x.git", { subdir: "a/c" })],
    ["with its root as directory", "https://e.com/x.git#v1:/", git("https://e.com/x.git", { ref: "v1" })],
    ["with ref and subdir in its query", "https://e.com/x.git?ref=v1&subdir=/d", git("https://e.com/x.git", { ref: "v1", subdir: "d" })],
    ["with a tag", "https://e.com/x.git?tag=v1", git("https://e.com/x.git", { ref: "refs/tags/v1" })],
    ["with a branch in its query", "https://e.com/x.git?branch=refs/heads/b", git("https://e.com/x.git", { ref: "refs/heads/b" })],
    ["with a query in the scp style", "git@e.com:x?tag=v1#:d", git("git@e.com:x", { ref: "refs/tags/v1", subdir: "d" })],
    ["with the same ref twice", "https://e.com/x.git?ref=a#a", git("https://e.com/x.git", { ref: "a" })],
    ["with a pull request", "https://e.com/x.git?ref=pull/42/head", git("https://e.com/x.git", { ref: "pull/42/head" })],
    [
      "with a commit as checksum",
      `https://e.com/x.git?tag=v1&commit=${sha}`,
      git("https://e.com/x.git", { ref: "refs/tags/v1", checksum: sha }),
    ],
    [
      "with a checksum alone, which is the ref",
      `https://e.com/x.git?checksum=${sha}`,
      git("https://e.com/x.git", { ref: sha, checksum: sha }),
    ],
    [
      "with a flag's checksum, which is none",
      "https://e.com/x.git",
      git("https://e.com/x.git", { checksum: "abcdef0" }),
      { checksum: "ABCDEF0" },
    ],
    [
      "that is fetched by its commit",
      `https://e.com/x.git?branch=b&checksum=${sha}&fetch-by-commit`,
      git("https://e.com/x.git", { ref: sha, checksum: sha }),
    ],
    ["with its history by flag", "https://e.com/x.git", git("https://e.com/x.git", { keepGitDir: true }), { keepGitDir: true }],
    ["with its history by query", "https://e.com/x.git?keep-git-dir", git("https://e.com/x.git", { keepGitDir: true })],
    ["without submodules", "https://e.com/x.git?submodules=0", git("https://e.com/x.git", { submodules: false })],
    ["with the time of its commit", "https://e.com/x.git?mtime=commit", git("https://e.com/x.git")],
  ])("%s", (_name, word, expected, flags) => {
    expect(parseRemoteSource(word, { ...none, ...flags })).toEqual(expected);
    if (flags === undefined) expect(parseGitUrl(word)).toEqual(expected);
  });

  const at = "INVALID_SOURCE: reading the source https://e.com/x.git: ";
  it.each<[name: string, word: string, expected: string, flags?: Partial<RemoteFlags>]>([
    ["a password", "https://u:SECRET@e.com/x.git", `${at}it has a password in it`],
    ["a token as user", "https://SECRET@e.com/x.git#b", `${at}it has a user name in it`],
    ["a password for ssh", "ssh://git:SECRET@e.com/x", "INVALID_SOURCE: reading the source ssh://e.com/x: it has a password in it"],
    ["an unknown query", "https://e.com/x.git?token=SECRET", `${at}a git URL has no query "token"`],
    ["a secret as query", "https://e.com/x.git?ghp_S3CRET", `${at}a git URL has no query of that name`],
    ["a query without a value", "https://e.com/x.git?ref", `${at}"ref" has no value`],
    ["a query that comes twice", "https://e.com/x.git?ref=a&ref=a", `${at}"ref" is given twice`],
    ["two refs", "https://e.com/x.git?ref=a#b", `${at}it names two refs, "b" and "a"`],
    ["a tag and a branch", "https://e.com/x.git?tag=a&branch=a", `${at}it names two refs, "refs/tags/a" and "refs/heads/a"`],
    ["two directories", "https://e.com/x.git?subdir=a#:b", `${at}it names two directories, "b" and "a"`],
    [
      "two checksums",
      "https://e.com/x.git?checksum=abcdef1",
      `${at}it names two checksums, "abcdef0" and "abcdef1"`,
      { checksum: "abcdef0" },
    ],
    [
      "a flag that its query denies",
      "https://e.com/x.git?keep-git-dir=false",
      `${at}it says keep-git-dir=false, and the instruction --keep-git-dir`,
      { keepGitDir: true },
    ],
    ["a word that is neither true nor false", "https://e.com/x.git?submodules=maybe", `${at}submodules="maybe" is neither true nor false`],
    ["an unknown mtime", "https://e.com/x.git?mtime=now", `${at}mtime="now" is neither checkout nor commit`],
    ["fetch-by-commit alone", "https://e.com/x.git?fetch-by-commit", `${at}fetch-by-commit needs the commit as checksum`],
    ["a directory above", "https://e.com/x.git#:../..", `${at}the directory "../.." leads out of the repository`],
    ["a directory that turns back", "https://e.com/x.git#:a/../../b", `${at}the directory "a/../../b" leads out of the repository`],
    [
      "a ref that is an option",
      "https://e.com/x.git#--upload-pack=x",
      `${at}"--upload-pack=x" is no name of a branch or tag, and no commit`,
    ],
    ["a ref with two dots", "https://e.com/x.git#a..b", `${at}"a..b" is no name of a branch or tag, and no commit`],
    ["a refspec", "https://e.com/x.git?ref=a:b", `${at}"a:b" is no name of a branch or tag, and no commit`],
    ["a pattern", "https://e.com/x.git#*", `${at}"*" is no name of a branch or tag, and no commit`],
    ["the old two-hash form", "https://e.com/x.git##ref=a b", `${at}"#ref=a b" is no name of a branch or tag, and no commit`],
    ["an empty repository", "ssh://e.com/", "INVALID_SOURCE: reading the source ssh://e.com/: it names no repository"],
    [
      "a checksum that is too short",
      "https://e.com/x.git",
      'INVALID_CHECKSUM: reading the source https://e.com/x.git: the checksum "abc" is none',
      { checksum: "abc" },
    ],
    [
      "a file's checksum",
      "https://e.com/x.git",
      `INVALID_CHECKSUM: reading the source https://e.com/x.git: the checksum "${digest}" is none`,
      { checksum: digest },
    ],
  ])("is refused with %s", (_name, word, expected, flags) => {
    expect(failure(() => parseRemoteSource(word, { ...none, ...flags }))).toBe(expected);
  });

  it("suggests the query that was meant", () => {
    expect(() => parseRemoteSource("https://e.com/x.git?brnch=a", none)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('did you mean "branch"?') }),
    );
  });
});

describe("attacks by a repository's URL", () => {
  it.each([
    [
      "a transport that starts a program",
      "ext::sh -c id",
      'INVALID_SOURCE: reading the source ext::sh?-c?id: transports of git such as "ext::" are not used',
    ],
    [
      "a host that is an option of ssh",
      "ssh://-oProxyCommand=id/x",
      "INVALID_SOURCE: reading the source ssh://-oProxyCommand=id/x: its host is no name of a host",
    ],
    [
      "a host that is an option, in the scp style",
      "-oProxyCommand:x",
      'INVALID_SOURCE: reading the source -oProxyCommand:x: no part of it may begin with "-"',
    ],
    ["a user that is an option", "-l@e.com:x", 'INVALID_SOURCE: reading the source -l@e.com:x: no part of it may begin with "-"'],
    [
      "a path that is an option",
      "e.com:--upload-pack=id",
      'INVALID_SOURCE: reading the source e.com:--upload-pack=id: no part of it may begin with "-"',
    ],
    ["a shell's words as host", "ssh://$(id)/x", "INVALID_SOURCE: reading the source ssh://$(id)/x: its host is no name of a host"],
    ["a line end", "git@e.com:x\n[core]", "INVALID_SOURCE: reading the source git@e.com:x?[core]: a URL has no control characters"],
  ])("%s", (_name, word, expected) => {
    expect(failure(() => parseRemoteSource(word, none))).toBe(expected);
  });
});

describe("the git URL of a context", () => {
  it.each<[name: string, text: string, expected: GitSource | undefined]>([
    [
      "may leave away https for github.com",
      "github.com/moby/buildkit#v1:d",
      git("https://github.com/moby/buildkit", { ref: "v1", subdir: "d" }),
    ],
    ["may not for others", "gitlab.com/a/b", undefined],
    ["is no file of the web", "https://e.com/x.tar", undefined],
    ["is no directory", "./github.com/x", undefined],
  ])("%s", (_name, text, expected) => {
    expect(parseGitUrl(text)).toEqual(expected);
  });
});

describe("a URL in a message", () => {
  it.each([
    ["loses user, query and fragment", "https://u:p@e.com/a?b#c", "https://e.com/a"],
    ["loses a user with an @ in the password", "https://u:p@q@e.com/a", "https://e.com/a"],
    ["cannot act on a terminal", "https://e.com/\x1b[2J\u202e", "https://e.com/?[2J?"],
    ["is cut", `https://e.com/${"a".repeat(300)}`, `https://e.com/${"a".repeat(186)}…`],
  ])("%s", (_name, url, expected) => {
    expect(publicUrl(url)).toBe(expected);
  });
});
