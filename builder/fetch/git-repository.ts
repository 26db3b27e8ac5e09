import { createHash } from "node:crypto";
import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { removeTree } from "../../runtime-addon/index.ts";
import { digestOf } from "../../store/digest.ts";
import type { Abortable } from "../../store/file-bytes.ts";
import { markUsed } from "../../store/last-use.ts";
import { withLock } from "../../store/lock.ts";
import { makeDirectories } from "../../store/make-directories.ts";
import type { Store } from "../../store/store.ts";
import { gitPinText } from "../../store/store-paths.ts";
import type { GitClient, Remote } from "./git-client.ts";
import type { GitEnded } from "./git-command.ts";
import { gitFailure, isRefusedWant } from "./git-failure.ts";
import type { ResolvedRef } from "./git-refs.ts";

/** What is here of one remote: a bare repository, shared by all processes on the store, a cache from which everything may be missing. */
export interface GitRepository {
  readonly gitDir: string;
  /** The commit with its tree is here afterwards; asks the remote only where it is not. Throws GIT_FAILED as GitClient.remote does. */
  obtain(ref: Pick<ResolvedRef, "commit" | "name" | "tag">): Promise<void>;
  /** The commit that the beginning of a commit's name means, after all of the history was fetched; undefined where there is none, or several. */
  complete(beginning: string): Promise<string | undefined>;
  /** Runs work that reads from it, while nobody changes it. */
  reading<T>(work: () => Promise<T>): Promise<T>;
  /** Takes away what turned out not to be whole; the next `obtain` begins anew. */
  discard(): Promise<void>;
}

export interface GitRepositoryOptions extends Abortable {
  readonly client: GitClient;
  readonly store: Pick<Store, "tempFile" | "pin">;
  readonly remote: Remote;
  /** Of names of commits: repositories of sha1 and sha256 do not mix. */
  readonly hexDigits: number;
  /** A fetch that has said nothing for so long is ended. */
  readonly silenceMs: number;
}

/** Of the commits here; nothing else is ever named, so that no ref of the remote can be in another's way. */
const refs = "refs/tsbuild";

export function gitRepository(options: GitRepositoryOptions): GitRepository {
  const { client, store, remote, hexDigits, silenceMs, signal } = options;
  const name = createHash("sha256").update(`${hexDigits} ${remote.remote}`).digest("hex").slice(0, 32);
  const gitDir = join(client.folder, name);
  const lock = `${gitDir}.lock`;
  const doing = `fetching ${remote.remote}`;

  const make = async () => {
    await store.pin(digestOf(gitPinText(name)));
    markUsed(gitDir);
    if (existsSync(gitDir)) return removeLeftovers(gitDir);
    const temp = await store.tempFile("git");
    const format = hexDigits === 64 ? ["--object-format=sha256"] : [];
    await client.must(doing, ["init", "--quiet", "--bare", "--template=", ...format, temp]);
    renameSync(temp, gitDir);
  };
  const exclusively = async <T>(work: () => Promise<T>): Promise<T> => {
    makeDirectories(client.folder, 0o700);
    return withLock(lock, "exclusive", work, { signal });
  };

  const has = async (commit: string) => (await client.local(["cat-file", "-e", `${commit}^{commit}`], { gitDir })).code === 0;
  const fetch = (args: readonly string[], refspecs: readonly string[]) =>
    client.remote(remote, ["fetch", ...quiet, ...args, "--", remote.remote, ...refspecs], { doing, silenceMs, gitDir });
  const isShallow = () => existsSync(join(gitDir, "shallow"));
  const whole = () =>
    fetch(isShallow() ? ["--unshallow"] : [], [`+refs/heads/*:${refs}/heads/*`, `+refs/tags/*:${refs}/tags/*`, `+HEAD:${refs}/head`]);

  /** From little to much: some servers hand out no commit by its name, some (plain files behind http) no part of a history. */
  const ways = ({ commit, name: refName, tag }: Pick<ResolvedRef, "commit" | "name" | "tag">): readonly (() => Promise<GitEnded>)[] => {
    const object = tag ?? commit;
    return [
      () => fetch(["--depth=1"], [`+${object}:${refs}/${object}`]),
      ...(refName === undefined ? [] : [() => fetch(["--depth=1"], [`+${refName}:${refs}/${object}`])]),
      whole,
    ];
  };

  return {
    gitDir,
    obtain: (ref) =>
      exclusively(async () => {
        await make();
        const object = ref.tag ?? ref.commit;
        if ((await has(object)) && (await has(ref.commit))) return;
        for (const way of ways(ref)) {
          const ended = await way();
          if (ended.code === 0 && (await has(ref.commit))) return;
          if (ended.code !== 0 && !isRefusedWant(ended)) throw gitFailure(doing, ended);
        }
        throw gitFailure(doing, { code: 1, said: `fatal: it has no commit ${ref.commit}`, silent: false });
      }),
    complete: (beginning) =>
      exclusively(async () => {
        await make();
        const ended = await whole();
        if (ended.code !== 0) throw gitFailure(doing, ended);
        const found = await client.local(["rev-parse", "--verify", "--quiet", `${beginning}^{commit}`], { gitDir });
        return found.code === 0 ? found.output.toString("latin1").trim() : undefined;
      }),
    reading: (work) => withLock(lock, "shared", work, { signal }),
    discard: () => exclusively(() => removeTree(gitDir)),
  };
}

const quiet = ["--progress", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--update-shallow"];

/** What a killed git left: locks that would stop every other one, and packs that were never finished. */
function removeLeftovers(gitDir: string): void {
  const folders = ["", "objects/pack", refs, `${refs}/heads`, `${refs}/tags`]
    .map((folder) => join(gitDir, folder))
    .filter((folder) => existsSync(folder));
  for (const folder of folders) {
    for (const name of readdirSync(folder)) {
      if (name.endsWith(".lock") || name.startsWith("tmp_")) rmSync(join(folder, name), { force: true });
    }
  }
}
