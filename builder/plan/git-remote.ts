import { invalidSource } from "./invalid-source.ts";
import { publicUrl } from "./public-url.ts";

/** How a repository is reached. */
export type GitProtocol = "http" | "https" | "ssh" | "git";

/** A URL of a git repository, taken apart. */
export interface GitRemote {
  readonly protocol: GitProtocol;
  /** What git is given, without query and fragment: "https://host/x.git", "ssh://user@host/x", "user@host:x". */
  readonly remote: string;
  /** On the host, as written. */
  readonly path: string;
  /** Raw, without "?". */
  readonly query: string;
  /** Raw for the scp style, else percent-decoded; without "#". */
  readonly fragment: string;
}

const schemes: ReadonlyMap<string, GitProtocol> = new Map([
  ["http:", "http"],
  ["https:", "https"],
  ["ssh:", "ssh"],
  ["git:", "git"],
]);

/** What stands before a host must be no option to ssh, nor anything that a shell or git itself would act on. */
const userForm = /^[A-Za-z0-9_][A-Za-z0-9_.+-]*$/;
const hostForm = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][A-Za-z0-9_.-]*)(?::[0-9]{1,5})?$/;
const scpForm = /^(?:([^@/:?#]+)@)?([^@/:?#]+):([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s;

/**
 * The repository that a text names: a URL of one of the four protocols, or "[user@]host:path", which is ssh; undefined where it is neither. Throws INVALID_SOURCE for one
 * that must not be used: with a password, with a user of http or git, without a path, with a host that could be taken for an option.
 */
export function parseGitRemote(text: string): GitRemote | undefined {
  if (/^\.{0,2}\//.test(text)) return undefined;
  const [, scheme] = /^([a-z][a-z0-9+.-]*:)\/\//i.exec(text) ?? [];
  if (scheme === undefined) return parseScp(text);
  const protocol = schemes.get(scheme.toLowerCase());
  return protocol === undefined ? undefined : parseUrl(text, protocol);
}

function parseUrl(text: string, protocol: GitProtocol): GitRemote {
  const url = plainUrl(text);
  checkUser(url, text, protocol);
  if (!hostForm.test(url.host)) throw invalidSource(text, "its host is no name of a host");
  if (url.pathname === "" || url.pathname === "/") throw invalidSource(text, "it names no repository");
  const user = url.username === "" ? "" : `${url.username}@`;
  return {
    protocol,
    remote: `${protocol}://${user}${url.host}${url.pathname}`,
    path: url.pathname,
    query: url.search.slice(1),
    fragment: percentDecoded(url.hash.slice(1), text),
  };
}

/** Throws INVALID_SOURCE for what is no URL, or not the one that it seems to be. */
export function plainUrl(text: string): URL {
  // URL drops some of them without a word, and takes "\" for "/".
  if (/[\x00-\x1f\x7f]/.test(text)) throw invalidSource(text, "a URL has no control characters");
  const written = text.replaceAll("\\", "%5C");
  if (!URL.canParse(written)) throw invalidSource(text, "it is no URL");
  return new URL(written);
}

function checkUser(url: URL, text: string, protocol: GitProtocol): void {
  if (url.password !== "") throw withCredentials(text, "a password");
  if (url.username === "") return;
  // Tokens are given as names of users.
  if (protocol !== "ssh") throw withCredentials(text, "a user name");
  if (!userForm.test(url.username)) throw invalidSource(text, "its user is no name of a user");
}

export function withCredentials(text: string, what: string): Error {
  return invalidSource(text, `it has ${what} in it`, "what a Dockerfile says can be read by everybody who has the image");
}

function parseScp(text: string): GitRemote | undefined {
  const [whole, user, host = "", path = "", query = "", fragment = ""] = scpForm.exec(text) ?? [];
  if (whole === undefined || path === "" || !/^[A-Za-z0-9.-]+$/.test(host)) return undefined;
  if (user !== undefined && !/^[A-Za-z0-9_-]+$/.test(user)) return undefined;
  if (/[\x00-\x1f\x7f]/.test(text)) throw invalidSource(text, "a URL has no control characters");
  // "ext::command" and the like would be programs to start.
  if (path.startsWith(":")) throw invalidSource(text, `transports of git such as "${host}::" are not used`);
  if (host.startsWith("-") || (user ?? "").startsWith("-") || path.startsWith("-")) {
    throw invalidSource(text, 'no part of it may begin with "-"');
  }
  return { protocol: "ssh", remote: `${user === undefined ? "" : `${user}@`}${host}:${path}`, path, query, fragment };
}

/** Throws INVALID_SOURCE. */
export function percentDecoded(text: string, source: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalidSource(source, `"${publicUrl(text)}" in it is not percent-encoded UTF-8`);
  }
}
