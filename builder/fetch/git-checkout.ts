import { lstatSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { GitClient } from "./git-client.ts";
import { parseSubmodules, type Submodule, submoduleKeys } from "./git-modules.ts";
import type { GitRepository } from "./git-repository.ts";

/** A submodule of a commit, and the commit that it stands for. */
export interface PinnedSubmodule extends Submodule {
  readonly commit: string;
}

export interface CheckoutOptions {
  readonly client: GitClient;
  readonly repository: GitRepository;
  readonly commit: string;
  /** What is being done, as errors begin. */
  readonly doing: string;
}

/** More is no project but an attack. */
const mostSubmodules = 1000;

/** Writes the commit's files into an empty directory. `indexFile` is a path where nothing is, before and after. No filter and no hook runs. */
export async function checkoutFiles(
  { client, repository, commit, doing }: CheckoutOptions,
  workTree: string,
  indexFile: string,
): Promise<void> {
  try {
    await client.must(doing, ["read-tree", "--reset", "-u", commit], { gitDir: repository.gitDir, workTree, indexFile });
  } finally {
    rmSync(indexFile, { force: true });
  }
}

/** Seconds since the epoch, as the commit's committer says, as far as a tar's header and file systems can hold it. */
export async function commitTime({ client, repository, commit, doing }: CheckoutOptions): Promise<number> {
  const { output } = await client.must(doing, ["cat-file", "commit", commit], { gitDir: repository.gitDir });
  const [header = ""] = output.toString("latin1").split("\n\n", 1);
  const [, seconds = "0"] = /^committer .*> (\d{1,15}) [+-]\d+$/m.exec(header) ?? [];
  return Math.min(Number(seconds), 2 ** 33 - 1);
}

/** What .gitmodules names and the commit's tree really has as a submodule. Paths are the tree's own: no link lies on them. */
export async function submodulesOf(
  { client, repository, commit, doing }: CheckoutOptions,
  workTree: string,
): Promise<readonly PinnedSubmodule[]> {
  const { gitDir } = repository;
  const isFile = lstatSync(join(workTree, ".gitmodules"), { throwIfNoEntry: false })?.isFile() ?? false;
  if (!isFile) return [];
  const listed = await client.local(["config", "--blob", `${commit}:.gitmodules`, "-z", "--get-regexp", submoduleKeys], { gitDir });
  const modules = parseSubmodules(listed.output.toString("utf8")).slice(0, mostSubmodules);
  if (modules.length === 0) return [];
  const { output } = await client.must(doing, ["ls-tree", "-z", commit, "--", ...modules.map(({ path }) => path)], { gitDir });
  const pinned = new Map<string, string>();
  for (const line of output.toString("utf8").split("\0")) {
    const [, commitOf, path] = /^160000 commit ([0-9a-f]+)\t(.*)$/s.exec(line) ?? [];
    if (commitOf !== undefined && path !== undefined) pinned.set(path, commitOf);
  }
  const taken = new Set<string>();
  return modules.flatMap((module) => {
    const commitOf = pinned.get(module.path);
    if (commitOf === undefined || taken.has(module.path)) return [];
    taken.add(module.path);
    return [{ ...module, commit: commitOf }];
  });
}
