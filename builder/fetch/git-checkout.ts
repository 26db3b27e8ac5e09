import { rmSync } from "node:fs";
import type { GitClient } from "./git-client.ts";
import type { GitRepository } from "./git-repository.ts";

export interface CheckoutOptions {
  readonly client: GitClient;
  readonly repository: GitRepository;
  readonly commit: string;
  /** What is being done, as errors begin. */
  readonly doing: string;
}

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
  return committerTime(output);
}

/** The same of a commit object. */
export function committerTime(object: Buffer): number {
  const [header = ""] = object.toString("latin1").split("\n\n", 1);
  const [, seconds = "0"] = /^committer .*> (\d{1,15}) [+-]\d+$/m.exec(header) ?? [];
  return Math.min(Number(seconds), 2 ** 33 - 1);
}
