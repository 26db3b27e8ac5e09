import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { GitSource } from "../../../builder/plan/operation.ts";
import { mustRun } from "../../support/command.ts";
import { type GitServer, startGitServer } from "../../support/git-server.ts";
import { startHttpFiles } from "../../support/http-files.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { failureOf } from "./listing.ts";
import { testSources } from "./sources.ts";

let server: GitServer;
let inner: string;

beforeAll(async () => {
  server = await startGitServer();
  inner = await server.commit("inner", { f: "f" });
});

afterAll(() => server.close());

function source(remote: string, rest: Partial<GitSource> = {}): GitSource {
  return { kind: "git", remote, keepGitDir: false, submodules: true, ...rest };
}

/** A repository whose main has one commit with this tree, as `git mktree` reads it; objects are those of "inner". */
async function commitTree(name: string, listing: string): Promise<void> {
  await server.git("inner", ["init", "--quiet", "--bare", "--initial-branch=main", `../${name}.git`]);
  const tree = await server.git("inner", ["mktree"], listing);
  await publish(name, await server.git("inner", ["commit-tree", "-m", "x", tree]));
}

async function publish(name: string, commit: string): Promise<void> {
  await server.git("inner", ["push", "--quiet", "--force", `../${name}.git`, `${commit}:refs/heads/main`]);
}

describe("a hostile submodule", () => {
  it.each<[name: string, url: (marker: string) => string, shown: (marker: string) => string]>([
    ["that starts a program", (marker) => `ext::sh -c touch% ${marker}`, (marker) => `ext::sh?-c?touch%?${marker}`],
    ["that is a file URL", (marker) => `file://${marker}`, (marker) => `file://${marker}`],
    ["that is a path of the host", (marker) => marker, (marker) => marker],
    ["that climbs out of its server", () => "../../../../../etc", () => "../../../../../etc"],
    ["that is an option", () => "--upload-pack=id", () => "--upload-pack=id"],
    ["whose host is an option of ssh", () => "ssh://-oProxyCommand=id/x", () => "ssh://-oProxyCommand=id/x"],
    ["with a password", () => "ssh://u:SECRET@127.0.0.1/x", () => "ssh://127.0.0.1/x"],
  ])("%s is refused", async (_name, url, shown) => {
    const marker = join(temporaryDirectory(), "marker");
    await server.commit("evil", { ".gitmodules": `[submodule "x"]\n\tpath = x\n\turl = "${url(marker)}"\n`, x: { submodule: inner } });
    await using test = await testSources();
    const tree = await test.sources.git(source(server.url("evil")));
    expect(await failureOf(tree.directory())).toBe(
      `GIT_FAILED: fetching the submodule "x" of ${server.url("evil")}: "${shown(marker)}" is no http, https, ssh or git URL that can be used`,
    );
    expect(existsSync(marker)).toBe(false);
  });

  it("whose update is a program is checked out without it", async () => {
    const marker = join(temporaryDirectory(), "marker");
    await server.commit("update", {
      ".gitmodules": `[submodule "x"]\n\tpath = x\n\turl = ${server.url("inner")}\n\tupdate = "!touch ${marker}"\n`,
      x: { submodule: inner },
    });
    await using test = await testSources();
    expect(readdirSync(await (await test.sources.git(source(server.url("update")))).directory())).toEqual([".gitmodules", "x"]);
    expect(existsSync(marker)).toBe(false);
  });

  it("behind a linked .gitmodules is refused", async () => {
    const blob = await server.git("inner", ["hash-object", "-w", "--stdin"], "/etc/passwd");
    await commitTree("linked", `120000 blob ${blob}\t.gitmodules\n160000 commit ${inner}\tx\n`);
    await using test = await testSources();
    const tree = await test.sources.git(source(server.url("linked")));
    expect(await failureOf(tree.directory())).toMatch(/^GIT_FAILED: checking out [0-9a-f]{40} of .*: error: invalid path '\.gitmodules'/);
  });

  it.each(["../x", "/tmp/x", ".", "d/../../x", ".git/x", "f/x"])("at the path %s is none of the tree", async (path) => {
    await server.commit("paths", { ".gitmodules": `[submodule "x"]\n\tpath = ${path}\n\turl = ${server.url("inner")}\n`, f: "f" });
    await using test = await testSources();
    const directory = await (await test.sources.git(source(server.url("paths")))).directory();
    expect(readdirSync(directory)).toEqual([".gitmodules", "f"]);
  });
});

describe("a hostile tree", () => {
  it.each<[name: string, entry: string]>([
    ["with a .git of its own", "100644 blob BLOB\t.git\n"],
    ["with .GIT, which some file systems take for it", "040000 tree TREE\t.GIT\n"],
    ["with .git and a character that some file systems ignore", "040000 tree TREE\t.g\u200cit\n"],
    ["with the short name of .git", "040000 tree TREE\tgit~1\n"],
    ["with a name that leads upwards", "040000 tree TREE\t..\n"],
  ])("%s is refused", async (_name, entry) => {
    const blob = await server.git("inner", ["hash-object", "-w", "--stdin"], "x");
    const tree = await server.git("inner", ["mktree"], `100755 blob ${blob}\tpost-checkout\n`);
    await commitTree("hostile", entry.replace("BLOB", blob).replace("TREE", tree));
    await using test = await testSources();
    const fetched = await test.sources.git(source(server.url("hostile")));
    expect(await failureOf(fetched.directory())).toMatch(/^GIT_FAILED: checking out [0-9a-f]{40} of .*: error: .*[Ii]nvalid path/);
  });

  it("with filters in its attributes starts none", async () => {
    const marker = join(temporaryDirectory(), "marker");
    await server.commit("filters", {
      ".gitattributes": "* filter=evil\n",
      ".gitconfig": `[filter "evil"]\n\tsmudge = touch ${marker}\n`,
      f: "f",
    });
    await using test = await testSources();
    const directory = await (await test.sources.git(source(server.url("filters")))).directory();
    expect(readFileSync(join(directory, "f"), "utf8")).toBe("f");
    expect(existsSync(marker)).toBe(false);
  });

  it("keeps links as links, wherever they lead", async () => {
    await server.commit("links", { passwd: { link: "/etc/passwd" } });
    await using test = await testSources();
    const directory = await (await test.sources.git(source(server.url("links")))).directory();
    expect(lstatSync(join(directory, "passwd")).isSymbolicLink()).toBe(true);
  });

  it("with a date beyond all clocks gets the last one that fits", async () => {
    await commitTree("late", "");
    const tree = await server.git("inner", ["mktree"], "");
    const text = `tree ${tree}\nauthor a <a> 99999999999999 +0000\ncommitter a <a> 99999999999999 +0000\n\nx\n`;
    await publish("late", await server.git("inner", ["hash-object", "-t", "commit", "-w", "--literally", "--stdin"], text));
    await using test = await testSources();
    const directory = await (await test.sources.git(source(server.url("late")))).directory();
    expect(lstatSync(directory).mtimeMs / 1000).toBe(2 ** 33 - 1);
  });
});

describe("what is around a build", () => {
  it("does not reach git: variables, and configuration of the user", async () => {
    const home = temporaryDirectory();
    const marker = join(home, "marker");
    writeFileSync(
      join(home, ".gitconfig"),
      `[url "http://127.0.0.1:1/"]\n\tinsteadOf = http://${server.host}/\n[core]\n\tfsmonitor = touch ${marker}\n`,
    );
    await using test = await testSources({
      environment: {
        PATH: process.env.PATH,
        HOME: home,
        GIT_SSH_COMMAND: `touch ${marker}`,
        GIT_EXEC_PATH: home,
        GIT_DIR: home,
        XDG_CONFIG_HOME: home,
      },
    });
    expect(readdirSync(await (await test.sources.git(source(server.url("inner")))).directory())).toEqual(["f"]);
    expect(existsSync(marker)).toBe(false);
  });

  it("does not reach git: a repository in which the store lies", async () => {
    const outer = temporaryDirectory();
    await mustRun(["git", "init", "--quiet", outer]);
    await mustRun(["git", "-C", outer, "config", "url.http://127.0.0.1:1/.insteadOf", `http://${server.host}/`]);
    mkdirSync(join(outer, "store"));
    await using test = await testSources({ root: join(outer, "store") });
    expect(readdirSync(await (await test.sources.git(source(server.url("inner")))).directory())).toEqual(["f"]);
  });
});

describe("a hostile server", () => {
  it("cannot lead to files of the host", async () => {
    const web = await startHttpFiles();
    try {
      web.serve("/x.git/info/refs", { location: "file:///etc/passwd" });
      await using test = await testSources({ settings: { attempts: 1 } });
      expect(await failureOf(test.sources.git(source(web.url("/x.git"))))).toMatch(
        /^GIT_FAILED: asking .* for HEAD: .*(?:not supported|disabled)/,
      );
    } finally {
      await web.close();
    }
  });

  it("cannot act on a terminal, nor have its URLs' secrets repeated", async () => {
    const web = await startHttpFiles();
    try {
      const body = "\x1b[2J\x1b]0;owned\x07\u202e see https://user:SECRET@e.com/x?SECRET\n".repeat(100);
      web.serve("/x.git/info/refs", { status: 403, body, headers: { "content-type": "text/plain" } });
      await using test = await testSources({ settings: { attempts: 1 } });
      const failure = await failureOf(test.sources.git(source(web.url("/x.git"))));
      expect(failure).toMatch(/^GIT_FAILED: asking /);
      expect(failure).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202e]|SECRET/);
      expect(failure.length).toBeLessThan(600);
    } finally {
      await web.close();
    }
  });
});
