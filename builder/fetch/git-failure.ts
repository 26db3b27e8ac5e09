import { TsbuildError } from "../../store/errors.ts";
import { replaceUnseen } from "../../store/unseen.ts";
import type { GitEnded } from "./git-command.ts";

const shownChars = 400;

/** GIT_FAILED with git's own words, and what may help. */
export function gitFailure(doing: string, ended: Pick<GitEnded, "code" | "said" | "silent">): TsbuildError {
  const hint = hints.find(([words]) => words.test(ended.said))?.[1];
  return new TsbuildError("GIT_FAILED", `${doing}: ${gitWords(ended)}`, hint === undefined ? {} : { hint });
}

/** Why it failed, on one line: complaints where there are some, else its last words. */
export function gitWords({ code, said, silent }: Pick<GitEnded, "code" | "said" | "silent">): string {
  if (silent) return "git does not get on any more";
  const lines = said
    .split(/[\r\n]+/)
    .map((line) => harmlessLine(line))
    .filter((line) => !progress.test(line));
  const complaints = lines.filter((line) =>
    /^(?:fatal|error|remote|ssh|warning: remote|[\w.@-]+: Permission denied|Host key|kex_)/.test(line),
  );
  const words = (complaints.length > 0 ? complaints : lines.filter((line) => line !== "").slice(-1)).map((line) =>
    line.replace(/^fatal: /, ""),
  );
  const text = words.join("; ");
  if (text === "") return code === null ? "git was killed" : `git ends with exit code ${code}`;
  return text.length > shownChars ? `${text.slice(0, shownChars)}…` : text;
}

/** How far a server is. */
const progress = /^remote: (?:Enumerating objects|Counting objects|Compressing objects|Total \d)/;

/** A server's words, which may be anything: no controls, no secret of a URL. */
function harmlessLine(line: string): string {
  return replaceUnseen(line, () => " ")
    .replace(/:\/\/(?:[^\s/@"'<>]*@)?([^\s?#"'<>]*)[^\s"'<>]*/g, "://$1")
    .trim();
}

/** What another try may do better. */
export function isPassing({ said, silent }: Pick<GitEnded, "said" | "silent">): boolean {
  return silent || passing.test(said);
}

const passing =
  /returned error: (?:408|425|429|50[0234])\b|early EOF|unexpected disconnect|hung up unexpectedly|Connection (?:reset|refused|timed out|closed)|Failed to connect|Operation too slow|Recv failure|Empty reply|Temporary failure in name resolution|Could not resolve host.*try again|transfer closed with/i;

/** The server has the repository, but does not hand out a commit by itself, or no part of a history. */
export function isRefusedWant({ said }: Pick<GitEnded, "said">): boolean {
  return /not our ref|unadvertised object|shallow|--depth|couldn't find remote ref|bad object|does not send all necessary objects/i.test(
    said,
  );
}

/** Objects that were here are not whole. */
export function isDamaged({ said }: Pick<GitEnded, "said">): boolean {
  return /unable to read|bad object|corrupt|missing (?:blob|tree|commit)|invalid object|inflate|not a tree object|failed to unpack tree|not a git repository|Not a valid object/i.test(
    said,
  );
}

const hints: readonly (readonly [words: RegExp, hint: string])[] = [
  [/returned error: 30[1278]/, "with credentials no redirect is followed: write the URL that the server redirects to"],
  [/fsck error in pack/, "an object of the repository is malformed in a way that attacks use; git fsck in a clone of it shows which"],
  [/Host key verification failed/, "ssh does not know this host: connect to it once with ssh, or put its key into ~/.ssh/known_hosts"],
  [
    /Permission denied \(|Too many authentication failures/,
    "the keys of ssh-agent are used: is SSH_AUTH_SOCK set, and does ssh-add -l list the key?",
  ],
  [
    /could not read Username|Authentication failed|terminal prompts disabled|returned error: 40[13]/,
    "the repository is private, or there is none of that name; --secret id=GIT_AUTH_TOKEN gives a token, git@HOST:PATH uses the keys of ssh-agent",
  ],
  [/Could not resolve hostname/, 'HOST:PATH is a repository on another machine; a file of that name is written "./HOST:PATH"'],
  [
    /server certificate verification failed|SSL certificate problem/,
    'tsbuild.toml: [registry.host."HOST"] ca = "/path/of/the/authority.crt"',
  ],
  [/repository .* not found|does not appear to be a git repository/i, "check the URL, and that the repository is public"],
];
