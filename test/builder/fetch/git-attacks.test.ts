import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
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

beforeEach(() => server.answer("smart"));

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
  // So that its objects can be had as files, too.
  await server.git(name, ["update-server-info"]);
}

/** A tree as no git writes it: in this order, names more than once. Answers its name. */
async function rawTree(entries: readonly (readonly [mode: string, name: string, object: string])[]): Promise<string> {
  const bytes = Buffer.concat(entries.flatMap(([mode, name, object]) => [Buffer.from(`${mode} ${name}\0`), Buffer.from(object, "hex")]));
  return server.git("inner", ["hash-object", "-t", "tree", "-w", "--literally", "--stdin"], bytes);
}

/** A repository whose main has one commit with this tree. */
async function commitRawTree(name: string, tree: string): Promise<void> {
  await server.git("inner", ["init", "--quiet", "--bare", "--initial-branch=main", `../${name}.git`]);
  await publish(name, await server.git("inner", ["commit-tree", "-m", "x", tree]));
}

function blob(text: string): Promise<string> {
  return server.git("inner", ["hash-object", "-w", "--stdin"], text);
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
    // What git itself objects to comes only from a server whose objects it does not look at.
    server.answer("dumb");
    const marker = join(temporaryDirectory(), "marker");
    await server.commit("evil", { ".gitmodules": `[submodule "x"]\n\tpath = x\n\turl = "${url(marker)}"\n`, x: { submodule: inner } });
    await using test = await testSources();
    const tree = await test.sources.git(source(server.url("evil")));
    expect(await failureOf(tree.directory())).toBe(
      `GIT_FAILED: fetching the submodule "x" of ${server.url("evil")}: "${shown(marker)}" is no http, https, ssh or git URL that can be used`,
    );
    expect(existsSync(marker)).toBe(false);
  });

  it("whose update is a program is refused, or checked out without it", async () => {
    const marker = join(temporaryDirectory(), "marker");
    await server.commit("update", {
      ".gitmodules": `[submodule "x"]\n\tpath = x\n\turl = ${server.url("inner")}\n\tupdate = "!touch ${marker}"\n`,
      x: { submodule: inner },
    });
    {
      await using test = await testSources();
      const refused = await failureOf((await test.sources.git(source(server.url("update")))).directory());
      expect(refused).toMatch(/^GIT_FAILED: fetching .*: error: object [0-9a-f]{40}: gitmodulesUpdate: /);
    }
    server.answer("dumb");
    await using test = await testSources();
    expect(readdirSync(await (await test.sources.git(source(server.url("update")))).directory())).toEqual([".gitmodules", "x"]);
    expect(existsSync(marker)).toBe(false);
  });

  it("behind a linked .gitmodules is refused", async () => {
    await commitTree("linked", `120000 blob ${await blob("/etc/passwd")}\t.gitmodules\n160000 commit ${inner}\tx\n`);
    for (const [how, expected] of [
      ["smart", /^GIT_FAILED: fetching .*: error: object [0-9a-f]{40}: gitmodulesSymlink: /],
      ["dumb", /^GIT_FAILED: checking out [0-9a-f]{40} of .*: error: invalid path '\.gitmodules'/],
    ] as const) {
      server.answer(how);
      await using test = await testSources();
      expect(await failureOf((await test.sources.git(source(server.url("linked")))).directory())).toMatch(expected);
    }
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
    const script = await blob("x");
    const tree = await server.git("inner", ["mktree"], `100755 blob ${script}\tpost-checkout\n`);
    await commitTree("hostile", entry.replace("BLOB", script).replace("TREE", tree));
    for (const [how, expected] of [
      ["smart", /^GIT_FAILED: fetching [^ ]*: error: object [0-9a-f]{40}: hasDot(?:git|dot): /],
      ["dumb", /^GIT_FAILED: checking out [0-9a-f]{40} of .*: error: .*[Ii]nvalid path/],
    ] as const) {
      server.answer(how);
      await using test = await testSources();
      expect(await failureOf((await test.sources.git(source(server.url("hostile")))).directory())).toMatch(expected);
    }
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

/** Whatever is in a repository: the checkout of it, or of a submodule, writes nothing outside of itself. `keep` is a file of the host. */
describe("outside of its checkout nothing is written by", () => {
  const hosts = async () => {
    const victim = temporaryDirectory("victim");
    mkdirSync(join(victim, "b"));
    writeFileSync(join(victim, "b/keep"), "mine");
    const owned = await server.commit("owned", { keep: "OWNED" });
    return { victim, owned, link: await blob(victim) };
  };
  const fetchBoth = async (name: string, victim: string, rest: Partial<GitSource> = {}) => {
    const failures: Record<string, string> = {};
    for (const how of ["smart", "dumb"] as const) {
      server.answer(how);
      await using test = await testSources();
      failures[how] = await failureOf((await test.sources.git(source(server.url(name), rest))).directory());
      expect(readdirSync(victim)).toEqual(["b"]);
      expect(readdirSync(join(victim, "b"))).toEqual(["keep"]);
      expect(readFileSync(join(victim, "b/keep"), "utf8")).toBe("mine");
    }
    return failures;
  };
  const modules = (path: string, name: string) => `[submodule "x"]\n\tpath = ${path}\n\turl = ../${name}.git\n`;

  type Order = readonly ("directory" | "link")[];
  const misplaced = /^GIT_FAILED: fetching the submodule "a\/b" of .*: at its path the checkout has no empty directory$/;
  // git itself takes what comes last.
  describe.each<[name: string, order: Order, expected: RegExp]>([
    ["the directory first", ["directory", "link"], misplaced],
    ["the link first", ["link", "directory"], /^no error$/],
    ["the link twice", ["link", "directory", "link"], misplaced],
  ])("a directory with a submodule and a link of one name, %s", (_name, order, expected) => {
    it.each<[name: string, rest: Partial<GitSource>]>([
      ["as files", {}],
      ["with .git kept", { keepGitDir: true }],
      ["in a directory of the repository", { subdir: "a" }],
    ])("%s", async (_what, rest) => {
      const { victim, owned, link } = await hosts();
      const directory = await rawTree([["160000", "b", owned]]);
      const entries = order.map((kind) => (kind === "link" ? (["120000", "a", link] as const) : (["40000", "a", directory] as const)));
      await commitRawTree("twice", await rawTree([["100644", ".gitmodules", await blob(modules("a/b", "owned"))], ...entries]));
      const { smart, dumb } = await fetchBoth("twice", victim, rest);
      expect(smart).toMatch(/^GIT_FAILED: fetching .*: error: object [0-9a-f]{40}: (?:duplicateEntries|treeNotSorted)/);
      expect(dumb).toMatch(expected);
    });
  });

  it.each<[name: string, order: Order]>([
    ["the directory first", ["directory", "link"]],
    ["the link first", ["link", "directory"]],
  ])("a directory with files and a link of one name, %s", async (_name, order) => {
    const { victim, link } = await hosts();
    const directory = await rawTree([["40000", "b", await rawTree([["100644", "keep", await blob("OWNED")]])]]);
    const entries = order.map((kind) => (kind === "link" ? (["120000", "a", link] as const) : (["40000", "a", directory] as const)));
    await commitRawTree("files", await rawTree(entries));
    const { smart } = await fetchBoth("files", victim, { keepGitDir: true });
    expect(smart).toMatch(/duplicateEntries|treeNotSorted/);
  });

  it("a submodule and a link of one name", async () => {
    const { victim, owned, link } = await hosts();
    for (const entries of [
      [["160000", "b", owned] as const, ["120000", "b", link] as const],
      [["120000", "b", link] as const, ["160000", "b", owned] as const],
    ]) {
      await commitRawTree("same", await rawTree([["100644", ".gitmodules", await blob(modules("b", "owned"))], ...entries]));
      const { smart, dumb } = await fetchBoth("same", victim, { keepGitDir: true });
      expect(smart).toMatch(/duplicateEntries|treeNotSorted/);
      expect(dumb).toMatch(/^GIT_FAILED: fetching the submodule "b" of .*: at its path the checkout has no empty directory$|^no error$/);
    }
  });

  it("a submodule below a link that the submodule before it brought", async () => {
    const { victim, owned } = await hosts();
    const linking = await server.commit("linking", { l: { link: victim } });
    const text = `${modules("a", "linking")}[submodule "y"]\n\tpath = a/l/b\n\turl = ../owned.git\n`;
    const below = await rawTree([["40000", "l", await rawTree([["160000", "b", owned]])]]);
    const entries = [
      ["100644", ".gitmodules", await blob(text)] as const,
      ["160000", "a", linking] as const,
      ["40000", "a", below] as const,
    ];
    await commitRawTree("between", await rawTree(entries));
    const { smart, dumb } = await fetchBoth("between", victim, { keepGitDir: true });
    expect(smart).toMatch(/duplicateEntries/);
    expect(dumb).toMatch(/^GIT_FAILED: fetching the submodule "a(?:\/l\/b)?" of .*: at its path the checkout has no empty directory$/);
  });

  it("a nested submodule", async () => {
    const { victim, owned, link } = await hosts();
    const directory = await rawTree([["160000", "b", owned]]);
    const tree = await rawTree([
      ["100644", ".gitmodules", await blob(modules("a/b", "owned"))],
      ["40000", "a", directory],
      ["120000", "a", link],
    ]);
    await commitRawTree("middle", tree);
    const middle = await server.git("middle", ["rev-parse", "main"]);
    await server.commit("outermost", { ".gitmodules": modules("m", "middle"), m: { submodule: middle } });
    const { smart, dumb } = await fetchBoth("outermost", victim, { keepGitDir: true });
    expect(smart).toMatch(/duplicateEntries/);
    expect(dumb).toMatch(/^GIT_FAILED: fetching the submodule "a\/b" of .*middle.git: at its path the checkout has no empty directory$/);
  });

  it("names that some file systems take for one", async () => {
    const { victim, owned, link } = await hosts();
    const directory = await rawTree([["160000", "b", owned]]);
    const tree = await rawTree([
      ["100644", ".gitmodules", await blob(modules("a/b", "owned"))],
      ["120000", "A", link],
      ["40000", "a", directory],
    ]);
    await commitRawTree("folding", tree);
    await fetchBoth("folding", victim, { keepGitDir: true });
  });
});

describe("old repositories", () => {
  it("with harmless faults are taken", async () => {
    const tree = await rawTree([["040000", "d", await rawTree([["100644", "f", await blob("old")]])]]);
    const text = `tree ${tree}\nauthor A U Thor <a@e.com>1 +051800\ncommitter <c 1700000000 +051800\n\nx\n`;
    const commit = await server.git("inner", ["hash-object", "-t", "commit", "-w", "--literally", "--stdin"], text);
    await server.git("inner", ["init", "--quiet", "--bare", "--initial-branch=main", "../old.git"]);
    await publish("old", commit);
    await using test = await testSources();
    const directory = await (await test.sources.git(source(server.url("old")))).directory();
    expect(readFileSync(join(directory, "d/f"), "utf8")).toBe("old");
  });
});

describe("a bomb is refused before it is written:", () => {
  /** A tree of `width` times itself, `depth` deep. */
  const nested = async (width: number, depth: number, innermost: string): Promise<string> => {
    let tree = innermost;
    for (let i = 0; i < depth; i += 1) {
      tree = await rawTree(Array.from({ length: width }, (_, n) => ["40000", `d${n}`, tree] as const));
    }
    return tree;
  };
  const failure = async (name: string, settings: Parameters<typeof testSources>[0] = {}) => {
    await using test = await testSources(settings);
    const said = await failureOf((await test.sources.git(source(server.url(name)))).directory());
    return said.replace(/[0-9a-f]{40}/, "COMMIT").replace(server.host, "HOST");
  };

  it("a tree that holds another many times", async () => {
    await commitRawTree("bomb", await nested(10, 9, await rawTree([["100644", "f", await blob("x")]])));
    expect(await failure("bomb")).toBe(
      "TOO_LARGE: checking out COMMIT of http://HOST/bomb.git: it has more than 1000000 files and directories, submodules included",
    );
  });

  it("the same without a single file", async () => {
    await commitRawTree("hollow", await nested(10, 9, await rawTree([])));
    expect(await failure("hollow")).toContain("TOO_LARGE: ");
  });

  it("files that are larger together than is allowed", async () => {
    await commitRawTree("large", await nested(8, 2, await rawTree([["100644", "f", await blob("x".repeat(1000))]])));
    expect(await failure("large", { settings: { maxDownloadBytes: 60_000 } })).toBe(
      "TOO_LARGE: checking out COMMIT of http://HOST/large.git: it has more than 60000 bytes, submodules included",
    );
    expect(await failure("large", { settings: { maxDownloadBytes: 64_000 } })).toBe("no error");
  });

  it("files of submodules, counted with those around them", async () => {
    const small = await server.commit("small", { f: "x".repeat(600) });
    const listed = ["a", "b"].map((path) => `[submodule "${path}"]\n\tpath = ${path}\n\turl = ../small.git\n`).join("");
    await server.commit("sum", { ".gitmodules": listed, a: { submodule: small }, b: { submodule: small } });
    expect(await failure("sum", { settings: { maxDownloadBytes: 1000 } })).toContain("small.git: it has more than 1000 bytes");
  });

  it("submodules of submodules, counted together", async () => {
    const many = async (name: string, count: number, first: string, url: string) => {
      const paths = Array.from({ length: count }, (_, n) => `s${`${n}`.padStart(4, "0")}`);
      const text = paths.map((path) => `[submodule "${path}"]\n\tpath = ${path}\n\turl = ${url}\n`).join("");
      await commitRawTree(
        name,
        await rawTree([["100644", ".gitmodules", await blob(text)], ...paths.map((path) => ["160000", path, first] as const)]),
      );
      return server.git(name, ["rev-parse", "main"]);
    };
    const leaves = await many("leaves", 600, inner, "../inner.git");
    await many("root", 600, leaves, "../leaves.git");
    expect(await failure("root")).toBe(
      "TOO_LARGE: checking out COMMIT of http://HOST/leaves.git: it has more than 1000 submodules, theirs included",
    );
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
