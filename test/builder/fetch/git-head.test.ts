import { appendFileSync, chmodSync, chownSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { headTime } from "../../../builder/fetch/git-head.ts";
import { mustRun } from "../../support/command.ts";
import { needs } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { failureOf } from "./listing.ts";

const time = 1_600_000_000;
const environment = { PATH: process.env.PATH };

const git = (cwd: string, ...args: string[]) =>
  mustRun(["git", "-c", "user.name=a", "-c", "user.email=a@b", ...args], {
    cwd,
    env: {
      ...environment,
      HOME: "/nonexistent",
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_COMMITTER_DATE: `${time} +0200`,
      GIT_AUTHOR_DATE: "1000000000 +0000",
    },
  });

/** A work tree with one commit. */
async function workTree(): Promise<string> {
  const root = temporaryDirectory("work-tree");
  await git(root, "init", "--quiet", "--initial-branch=main");
  await git(root, "commit", "--quiet", "--allow-empty", "--message=x");
  return root;
}

describe("the last commit of a repository", needs("git"), () => {
  it.each<[name: string, place: (root: string) => Promise<string> | string]>([
    ["is found from its work tree", (root) => root],
    [
      "is found from a directory in it",
      (root) => {
        mkdirSync(join(root, "a/b"), { recursive: true });
        return join(root, "a/b");
      },
    ],
    [
      "is found from another work tree of it",
      async (root) => {
        const other = join(temporaryDirectory(), "other");
        await git(root, "worktree", "add", "--quiet", other);
        return other;
      },
    ],
  ])("%s", async (_name, place) => {
    expect(await headTime(await place(await workTree()), { environment })).toBe(time);
  });

  it("may belong to another user, as checkouts of CI do", needs("root"), async () => {
    const root = await workTree();
    for (const name of ["", ".git", ".git/config", ".git/HEAD"]) chownSync(join(root, name), 1234, 1234);
    expect(await headTime(root, { environment })).toBe(time);
  });

  it.each<[name: string, prepare: (root: string) => Promise<unknown> | unknown, words: string]>([
    ["no repository", () => undefined, "not a git repository (or any of the parent directories): .git"],
    ["a repository without a commit", (root) => git(root, "init", "--quiet"), "Not a valid object name HEAD"],
    ["a repository that is none", (root) => mkdirSync(join(root, ".git")), "not a git repository (or any of the parent directories): .git"],
  ])("is missed where there is %s", async (_name, prepare, words) => {
    const root = temporaryDirectory("no-commit");
    await prepare(root);
    expect(await failureOf(headTime(root, { environment }))).toBe(
      `GIT_FAILED: looking for the last commit of the repository that ${root} is in: ${words}`,
    );
  });

  it("is not looked for when the build has ended", async () => {
    const root = await workTree();
    const reason = new Error("enough");
    await expect(headTime(root, { environment, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe("a hostile repository", needs("git"), () => {
  it("starts nothing that its configuration, hooks and attributes name", async () => {
    const root = await workTree();
    const marker = join(temporaryDirectory(), "marker");
    const program = join(temporaryDirectory(), "program");
    writeFileSync(program, `#!/bin/sh\ntouch ${marker}\n`);
    chmodSync(program, 0o755);
    writeFileSync(join(root, ".git/hooks/post-checkout"), `#!/bin/sh\ntouch ${marker}\n`, { mode: 0o755 });
    writeFileSync(join(root, ".gitattributes"), "* filter=x diff=x\n");
    const settings = [
      "core.fsmonitor",
      "core.pager",
      "pager.cat-file",
      "core.editor",
      "gpg.program",
      "credential.helper",
      "core.sshCommand",
    ];
    for (const name of [...settings, "filter.x.smudge", "diff.x.textconv", "alias.cat-file"]) await git(root, "config", name, program);
    await git(root, "config", "log.showSignature", "true");
    expect(await headTime(root, { environment })).toBe(time);
    expect(existsSync(marker)).toBe(false);
  });

  it("that lacks its commit has nothing fetched, whatever remote it promises", async () => {
    const root = await workTree();
    const marker = join(temporaryDirectory(), "marker");
    appendFileSync(
      join(root, ".git/config"),
      `[extensions]\n\tpartialClone = origin\n[remote "origin"]\n\tpromisor = true\n\turl = ext::sh -c touch% ${marker}\n[protocol "ext"]\n\tallow = always\n`,
    );
    writeFileSync(join(root, ".git/refs/heads/main"), `${"1".repeat(40)}\n`);
    expect(await failureOf(headTime(root, { environment }))).toMatch(/^GIT_FAILED: looking for the last commit of the repository that /);
    expect(existsSync(marker)).toBe(false);
  });
});
