import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeDirectories } from "../../store/make-directories.ts";
import type { CheckoutOptions } from "./git-checkout.ts";
import type { ResolvedRef } from "./git-refs.ts";

/**
 * A .git in which git works as in any shallow clone: the commit checked out, its branch or tag named, the remote as origin. The same commit gives the same bytes with the same
 * version of git: no reflog, no hooks, no times in the index.
 */
export async function keepGitDirectory(options: CheckoutOptions, workTree: string, remote: string, ref: ResolvedRef): Promise<void> {
  const { client, repository, commit, doing } = options;
  const gitDir = join(workTree, ".git");
  // Alone: whatever the tree put there is not written through.
  mkdirSync(gitDir);
  for (const folder of ["objects/pack", "objects/info", "refs/heads", "refs/tags"]) makeDirectories(join(gitDir, folder));
  const objects = [`--shallow ${commit}`, commit, ...(ref.tag === undefined ? [] : [ref.tag])];
  const packing = [
    "pack-objects",
    "--quiet",
    "--revs",
    "--shallow",
    "--threads=1",
    "--no-reuse-delta",
    "--no-reuse-object",
    "--delta-base-offset",
  ];
  await client.must(doing, [...packing, join(gitDir, "objects/pack/pack")], {
    gitDir: repository.gitDir,
    input: `${objects.join("\n")}\n`,
  });
  writeFileSync(join(gitDir, "HEAD"), `${commit}\n`);
  writeFileSync(join(gitDir, "shallow"), `${commit}\n`);
  writeFileSync(join(gitDir, "config"), configText(remote, commit.length === 64));
  if (ref.name !== undefined) writeFileSync(join(gitDir, "packed-refs"), packedRefs(ref.name, ref));
  await client.must(doing, ["read-tree", commit], { gitDir, indexFile: join(gitDir, "index") });
}

function packedRefs(name: string, { commit, tag }: ResolvedRef): string {
  const peeled = tag === undefined ? "" : `^${commit}\n`;
  return `# pack-refs with: peeled fully-peeled sorted \n${tag ?? commit} ${name}\n${peeled}`;
}

function configText(remote: string, sha256: boolean): string {
  return [
    "[core]",
    `\trepositoryformatversion = ${sha256 ? 1 : 0}`,
    "\tfilemode = true",
    "\tbare = false",
    ...(sha256 ? ["[extensions]", "\tobjectformat = sha256"] : []),
    '[remote "origin"]',
    `\turl = "${remote.replace(/["\\]/g, "\\$&")}"`,
    "\tfetch = +refs/heads/*:refs/remotes/origin/*",
    "",
  ].join("\n");
}
