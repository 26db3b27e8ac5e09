import { existsSync, lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { GitSource } from "../../../builder/plan/operation.ts";
import { mustRun } from "../../support/command.ts";
import { type GitServer, startGitServer } from "../../support/git-server.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { failureOf, listing } from "./listing.ts";
import { testSources } from "./sources.ts";

let server: GitServer;
let first: string;
let second: string;

beforeAll(async () => {
  server = await startGitServer();
  first = await server.commit("app", { "a.txt": "one\n", "d/run": { executable: "#!/bin/sh\n" }, link: { link: "a.txt" } });
  await server.git("app", ["tag", "light", first]);
  await server.git("app", ["tag", "--annotate", "--message=one", "heavy", first]);
  second = await server.commit("app", { "a.txt": "two\n", "d/e/f": "f" });
  await server.commit("app", { "a.txt": "side\n" }, { branch: "side/way" });
});

beforeEach(() => {
  server.answer("smart");
  server.requests.length = 0;
});

afterAll(() => server.close());

function source(name: string, rest: Partial<GitSource> = {}): GitSource {
  return { kind: "git", remote: server.url(name), keepGitDir: false, submodules: true, ...rest };
}

describe("a commit", () => {
  it("is checked out whole, with its own time and modes as umask 022 gives them", async () => {
    await using test = await testSources();
    const umask = process.umask(0o077);
    try {
      const tree = await test.sources.git(source("app"));
      expect(tree.commit).toBe(second);
      const directory = await tree.directory();
      expect(listing(directory)).toEqual([
        "a.txt 644 1700000002 two",
        "d 755 1700000002 /",
        "d/e 755 1700000002 /",
        "d/e/f 644 1700000002 f",
        "d/run 755 1700000002 #!/bin/sh",
        "link 777 1700000002 -> a.txt",
      ]);
      expect((lstatSync(directory).mode & 0o7777).toString(8)).toBe("755");
      expect(lstatSync(directory).mtimeMs).toBe(1_700_000_002_000);
    } finally {
      process.umask(umask);
    }
    expect(test.heard).toEqual([`${server.url("app")} - ${second}`]);
  });

  it.each<[name: string, ref: string, content: string]>([
    ["a branch", "main", "two\n"],
    ["a branch with a slash", "side/way", "side\n"],
    ["a branch by its whole name", "refs/heads/main", "two\n"],
    ["a branch by part of its name", "heads/main", "two\n"],
    ["a light tag", "light", "one\n"],
    ["an annotated tag", "heavy", "one\n"],
    ["a tag by its whole name", "refs/tags/heavy", "one\n"],
    ["HEAD", "HEAD", "two\n"],
    ["a commit that no ref names", "FIRST", "one\n"],
    ["the beginning of a commit's name", "FIR", "one\n"],
  ])("is found by %s", async (_name, written, content) => {
    await using test = await testSources();
    const ref = written === "FIRST" ? first : written === "FIR" ? first.slice(0, 9) : written;
    const tree = await test.sources.git(source("app", { ref }));
    expect(readFileSync(join(await tree.directory(), "a.txt"), "utf8")).toBe(content);
    if (content === "one\n") expect(tree.commit).toBe(first);
  });

  it("of a branch goes before that of a tag of the same name", async () => {
    await server.commit("both", { f: "tag" });
    await server.git("both", ["tag", "x", "main"]);
    const branch = await server.commit("both", { f: "branch" }, { branch: "x" });
    await using test = await testSources();
    expect((await test.sources.git(source("both", { ref: "x" }))).commit).toBe(branch);
  });

  it("of a repository of sha256 is found and checked out", async () => {
    await server.git("app", ["init", "--quiet", "--bare", "--object-format=sha256", "--initial-branch=main", "../wide.git"]);
    const blob = await server.git("wide", ["hash-object", "-w", "--stdin"], "wide");
    const tree = await server.git("wide", ["mktree"], `100644 blob ${blob}\tf\n`);
    const commit = await server.git("wide", ["commit-tree", "-m", "x", tree]);
    await server.git("wide", ["update-ref", "refs/heads/main", commit]);
    await using test = await testSources();
    const fetched = await test.sources.git(source("wide"));
    expect(fetched.commit).toBe(commit);
    expect(readFileSync(join(await fetched.directory(), "f"), "utf8")).toBe("wide");
  });

  it("comes from a server that hands out nothing but files", async () => {
    server.answer("dumb");
    await using test = await testSources();
    for (const ref of ["main", "heavy", first, first.slice(0, 8)]) {
      const tree = await test.sources.git(source("app", { ref }));
      expect(readFileSync(join(await tree.directory(), "a.txt"), "utf8")).toBe(ref === "main" ? "two\n" : "one\n");
    }
  });

  it("comes from a server that gives only what refs name", async () => {
    await server.commit("strict", { f: "1" });
    const middle = await server.commit("strict", { f: "2" });
    await server.commit("strict", { f: "3" });
    await server.git("strict", ["config", "protocol.version", "0"]);
    await server.git("strict", ["config", "uploadpack.allowAnySHA1InWant", "false"]);
    await using test = await testSources();
    await (await test.sources.git(source("strict"))).directory();
    const tree = await test.sources.git(source("strict", { ref: middle }));
    expect(readFileSync(join(await tree.directory(), "f"), "utf8")).toBe("2");
  });

  it("has the time that its committer says, and is fetched for it once", async () => {
    await using test = await testSources();
    const tree = await test.sources.git(source("app", { ref: "heavy" }));
    const asked = server.requests.length;
    expect(await Promise.all([tree.time(), tree.time()])).toEqual([1_700_000_001, 1_700_000_001]);
    const fetched = server.requests.length;
    expect(fetched).toBeGreaterThan(asked);
    await tree.directory();
    expect(await (await test.sources.git(source("app", { ref: "heavy", subdir: "d" }))).time()).toBe(1_700_000_001);
    expect(server.requests.length).toBe(fetched);
  });

  it("has its time also where what was fetched has been damaged since", async () => {
    await using test = await testSources();
    const tree = await test.sources.git(source("app"));
    await tree.directory();
    const repository = join(
      test.store.root,
      "v1/git",
      readdirSync(join(test.store.root, "v1/git")).find((name) => !name.includes(".")) ?? "",
    );
    rmSync(join(repository, "HEAD"));
    expect(await tree.time()).toBe(1_700_000_002);
  });

  it("without any files is an empty directory", async () => {
    await server.commit("empty", {});
    await using test = await testSources();
    expect(readdirSync(await (await test.sources.git(source("empty"))).directory())).toEqual([]);
  });

  it("keeps names that are no UTF-8", async () => {
    const blob = await server.git("app", ["hash-object", "-w", "--stdin"], "x");
    const names = Buffer.concat([Buffer.from(`100644 blob ${blob}\tn`), Buffer.from([0xff]), Buffer.from("\0")]);
    await server.git("app", ["init", "--quiet", "--bare", "--initial-branch=main", "../names.git"]);
    await server.git("names", ["hash-object", "-w", "--stdin"], "x");
    const tree = await server.git("names", ["mktree", "-z"], names);
    const commit = await server.git("names", ["commit-tree", "-m", "x", tree]);
    await server.git("names", ["update-ref", "refs/heads/main", commit]);
    await using test = await testSources();
    const directory = await (await test.sources.git(source("names"))).directory();
    expect(readdirSync(directory, { encoding: "latin1" })).toEqual(["n\xff"]);
  });
});

describe("what is asked of a remote", () => {
  it("is one ref a build, and one commit a store", async () => {
    const root = temporaryDirectory();
    {
      await using test = await testSources({ root });
      const [a, b] = await Promise.all([test.sources.git(source("app")), test.sources.git(source("app"))]);
      expect(await a.directory()).toBe(await b.directory());
      expect(server.requests.filter((line) => line === "GET /app.git/info/refs").length).toBe(2);
      expect(test.heard).toEqual([`${server.url("app")} - ${second}`]);
    }
    server.requests.length = 0;
    await using test = await testSources({ root });
    await (await test.sources.git(source("app"))).directory();
    expect(server.requests).toEqual(["GET /app.git/info/refs", "POST /app.git/git-upload-pack"]);
  });

  it("is nothing for a commit that is here", async () => {
    const root = temporaryDirectory();
    {
      await using test = await testSources({ root });
      await (await test.sources.git(source("app", { ref: second }))).directory();
    }
    server.requests.length = 0;
    await using test = await testSources({ root });
    expect(listing(await (await test.sources.git(source("app", { ref: second }))).directory()).length).toBe(6);
    expect(server.requests).toEqual([]);
  });

  it("is nothing before the files of a named commit are wanted", async () => {
    await using test = await testSources();
    expect((await test.sources.git(source("app", { ref: first }))).commit).toBe(first);
    expect(server.requests).toEqual([]);
    expect(test.heard).toEqual([`${server.url("app")} ${first} ${first}`]);
  });

  it("is asked again where it fails for a passing reason", async () => {
    await using test = await testSources();
    server.fail(503, 502);
    expect((await test.sources.git(source("app"))).commit).toBe(second);
    expect(test.heard.slice(0, 2)).toEqual([
      `asking ${server.url("app")} for HEAD: unable to access '${server.url("app")}/': The requested URL returned error: 503; next try in 0.0 s`,
      `asking ${server.url("app")} for HEAD: unable to access '${server.url("app")}/': The requested URL returned error: 502; next try in 0.0 s`,
    ]);
  });

  it("is got anew where what is here is damaged", async () => {
    const root = temporaryDirectory();
    {
      await using test = await testSources({ root });
      await (await test.sources.git(source("app"))).directory();
    }
    const git = join(root, "v1/git");
    for (const path of readdirSync(git, { recursive: true, encoding: "utf8" })) {
      if (/\/objects\/[0-9a-f]{2}\/|\.(?:pack|idx)$/.test(path)) rmSync(join(git, path), { force: true });
    }
    await using test = await testSources({ root });
    expect(listing(await (await test.sources.git(source("app"))).directory()).length).toBe(6);
  });

  it("survives what a killed git left", async () => {
    const root = temporaryDirectory();
    {
      await using test = await testSources({ root });
      await (await test.sources.git(source("app", { ref: first }))).directory();
    }
    const [name = ""] = readdirSync(join(root, "v1/git")).filter((entry) => !entry.endsWith(".lock"));
    writeFileSync(join(root, "v1/git", name, "shallow.lock"), "");
    await using test = await testSources({ root });
    expect(listing(await (await test.sources.git(source("app"))).directory()).length).toBe(6);
  });

  it("is the same for two processes' worth of sources at once", async () => {
    const root = temporaryDirectory();
    await using one = await testSources({ root });
    await using two = await testSources({ root });
    const trees = await Promise.all(
      [one, two].flatMap(({ sources }) => [sources.git(source("app")), sources.git(source("app", { ref: first }))]),
    );
    const listings = await Promise.all(trees.map(async (tree) => listing(await tree.directory()).length));
    expect(listings).toEqual([6, 4, 6, 4]);
  });
});

describe("the .git directory", () => {
  it("is one in which git works, and has no times of ours", async () => {
    await using test = await testSources();
    const directory = await (await test.sources.git(source("app", { ref: "heavy", keepGitDir: true }))).directory();
    const git = (...args: readonly string[]) => mustRun(["git", "-c", "safe.directory=*", ...args], { cwd: directory });
    expect(await git("status", "--porcelain")).toBe("");
    expect((await git("log", "--format=%H %s")).trim()).toBe(`${first} at 1700000001`);
    expect((await git("describe", "--tags", "--exact-match")).trim()).toBe("heavy");
    expect((await git("remote", "get-url", "origin")).trim()).toBe(server.url("app"));
    expect((await git("fsck", "--full")).trim()).toBe("");
    await git("fetch", "--quiet", "origin", "main");
  });

  it("is the same bytes each time", async () => {
    const hashes = await Promise.all(
      [0, 1].map(async () => {
        await using test = await testSources();
        const directory = await (await test.sources.git(source("app", { ref: "main", keepGitDir: true }))).directory();
        expect(readFileSync(join(directory, ".git/packed-refs"), "utf8")).toContain(`${second} refs/heads/main\n`);
        expect(new Set(listing(join(directory, ".git")).map((line) => line.split(" ")[2]))).toEqual(new Set(["1700000002"]));
        return await mustRun(["sh", "-c", "find . -type f | sort | xargs sha256sum"], { cwd: directory });
      }),
    );
    expect(hashes[0]).toBe(hashes[1]);
  });

  it.each<[ref: string | undefined, name: string | undefined]>([
    [undefined, "refs/heads/main"],
    ["main", "refs/heads/main"],
    ["light", "refs/tags/light"],
    ["heavy", "refs/tags/heavy"],
    ["FIRST", undefined],
  ])("says what it is made of: %s", async (written, name) => {
    await using test = await testSources();
    const ref = written === "FIRST" ? first : written;
    const wanted = source("app", ref === undefined ? {} : { ref });
    const tag = written === "heavy" ? { tag: await server.git("app", ["rev-parse", "heavy"]) } : {};
    const { kept } = await test.sources.git({ ...wanted, keepGitDir: true });
    expect(kept).toEqual({ remote: server.url("app"), ...(name === undefined ? {} : { ref: name }), ...tag });
    expect((await test.sources.git(wanted)).kept).toBeUndefined();
  });

  it("has no place beside a directory of the repository", async () => {
    await using test = await testSources();
    const tree = await test.sources.git(source("app", { subdir: "d", keepGitDir: true }));
    const directory = await tree.directory();
    expect(tree.kept).toBeUndefined();
    expect(readdirSync(directory).sort()).toEqual(["e", "run"]);
    expect(existsSync(join(directory, "../.git"))).toBe(false);
  });
});

describe("submodules", () => {
  let inner: string;
  let lib: string;

  beforeAll(async () => {
    inner = await server.commit("inner", { deep: "deep" });
    lib = await server.commit("group/lib", {
      code: "code",
      ".gitmodules": '[submodule "x"]\n\tpath = sub/x\n\turl = ../inner.git\n',
      "sub/x": { submodule: inner },
    });
    await server.commit("whole", {
      ".gitmodules": [
        `[submodule "lib"]\n\tpath = lib\n\turl = ${server.url("group/lib")}\n`,
        '[submodule "off"]\n\tpath = off\n\turl = ./x\n\tupdate = none\n',
        '[submodule "gone"]\n\tpath = gone\n\turl = ./gone\n',
      ].join(""),
      lib: { submodule: lib },
      off: { submodule: inner },
    });
  });

  it("are checked out, relative ones and those in them too, with the time of the whole", async () => {
    await server.git("app", ["clone", "--quiet", "--bare", "../inner.git", "../group/inner.git"]);
    await using test = await testSources();
    const directory = await (await test.sources.git(source("whole"))).directory();
    const time = lstatSync(join(directory, ".gitmodules")).mtimeMs / 1000;
    expect(listing(directory).filter((line) => !line.startsWith(".git"))).toEqual([
      `lib 755 ${time} /`,
      expect.stringMatching(/^lib\/\.gitmodules /),
      `lib/code 644 ${time} code`,
      `lib/sub 755 ${time} /`,
      `lib/sub/x 755 ${time} /`,
      `lib/sub/x/deep 644 ${time} deep`,
      `off 755 ${time} /`,
    ]);
  });

  it("stay empty where they are not wanted", async () => {
    await using test = await testSources();
    const directory = await (await test.sources.git(source("whole", { submodules: false }))).directory();
    expect(readdirSync(join(directory, "lib"))).toEqual([]);
  });

  it("keep a .git of their own beside that of the whole", async () => {
    await using test = await testSources();
    const directory = await (await test.sources.git(source("whole", { keepGitDir: true }))).directory();
    const git = (...args: readonly string[]) => mustRun(["git", "-c", "safe.directory=*", ...args], { cwd: join(directory, "lib") });
    expect((await git("rev-parse", "HEAD")).trim()).toBe(lib);
    expect(await mustRun(["git", "-c", "safe.directory=*", "status", "--porcelain"], { cwd: directory })).toBe("");
  });

  it("that are gone fail with their name", async () => {
    await server.commit("broken", { ".gitmodules": '[submodule "l"]\n\tpath = l\n\turl = ../nowhere.git\n', l: { submodule: inner } });
    await using test = await testSources();
    const tree = await test.sources.git(source("broken"));
    expect(await failureOf(tree.directory())).toBe(
      `GIT_FAILED: fetching ${server.url("nowhere")}: repository '${server.url("nowhere")}/' not found`,
    );
  });
});

describe("a directory of a repository", () => {
  beforeAll(() =>
    server.commit("dirs", {
      "a/b/f": "f",
      file: "x",
      in: { link: "a/b" },
      out: { link: "/etc" },
      up: { link: "../.." },
      loop: { link: "loop" },
    }),
  );

  it.each<[name: string, subdir: string]>([
    ["a directory", "a/b"],
    ["a link to one", "in"],
  ])("is given for %s", async (_name, subdir) => {
    await using test = await testSources();
    const directory = await (await test.sources.git(source("dirs", { subdir }))).directory();
    expect(readdirSync(directory)).toEqual(["f"]);
  });

  it.each<[name: string, subdir: string, problem: string]>([
    ["what is not there", "nope", "is not in the repository"],
    ["a file", "file", "is a file"],
    ["what is below a file", "file/x", "is not in the repository"],
    ["a link to itself", "loop", "is not in the repository"],
    ["a link to the host's files", "out", "is a link that leads out of the repository"],
    ["a link upwards", "up", "is a link that leads out of the repository"],
    ["the git directory", ".git", "is not in the repository"],
  ])("is refused for %s", async (_name, subdir, problem) => {
    await using test = await testSources();
    const tree = await test.sources.git(source("dirs", { subdir }));
    expect(await failureOf(tree.directory())).toBe(
      `GIT_SUBDIR_NOT_FOUND: fetching ${server.url("dirs")}: the directory "${subdir}" ${problem}`,
    );
  });
});

describe("a checksum", () => {
  it.each<[name: string, checksum: () => string]>([
    ["the commit", () => first],
    ["its beginning", () => first.slice(0, 7)],
    ["the tag's own object", () => tagObject],
  ])("is met by %s", async (_name, checksum) => {
    await using test = await testSources();
    expect((await test.sources.git(source("app", { ref: "heavy", checksum: checksum() }))).commit).toBe(first);
  });

  let tagObject: string;
  beforeAll(async () => {
    tagObject = await server.git("app", ["rev-parse", "heavy"]);
  });

  it("that is another commit's is refused before anything is fetched", async () => {
    await using test = await testSources();
    expect(await failureOf(test.sources.git(source("app", { ref: "main", checksum: first })))).toBe(
      `CHECKSUM_MISMATCH: fetching ${server.url("app")}: expected ${first}, got ${second}`,
    );
    expect(readdirSync(join(test.store.root, "v1/git"))).toEqual([]);
  });
});

describe("what goes wrong", () => {
  it("is a ref that nobody has", async () => {
    await using test = await testSources();
    expect(await failureOf(test.sources.git(source("app", { ref: "nope" })))).toBe(
      `GIT_FAILED: asking ${server.url("app")} for nope: it has no such branch, tag or commit`,
    );
  });

  it("is a commit that nobody has", async () => {
    await using test = await testSources();
    const commit = "1".repeat(40);
    const tree = await test.sources.git(source("app", { ref: commit }));
    expect(await failureOf(tree.directory())).toBe(`GIT_FAILED: fetching ${server.url("app")}: it has no commit ${commit}`);
  });

  it("is a repository that is not there", async () => {
    await using test = await testSources();
    expect(await failureOf(test.sources.git(source("nope")))).toBe(
      `GIT_FAILED: asking ${server.url("nope")} for HEAD: repository '${server.url("nope")}/' not found`,
    );
  });

  it("is a repository without commits", async () => {
    await server.git("app", ["init", "--quiet", "--bare", "../bare.git"]);
    await using test = await testSources();
    expect(await failureOf(test.sources.git(source("bare")))).toBe(
      `GIT_FAILED: asking ${server.url("bare")} for HEAD: the repository is empty`,
    );
  });

  it("is a server that nobody reaches, after all tries", async () => {
    await using test = await testSources({ settings: { attempts: 2 } });
    const remote = "http://127.0.0.1:1/x.git";
    expect(await failureOf(test.sources.git(source("x", { remote })))).toMatch(
      /^GIT_FAILED: asking http:\/\/127\.0\.0\.1:1\/x\.git for HEAD: unable to access .*Failed to connect to 127\.0\.0\.1 port 1 .*\(2 tries\)$/,
    );
  });

  it("is a server that wants to know who asks", async () => {
    await using test = await testSources();
    server.fail(401);
    const failure = test.sources.git(source("app"));
    await expect(failure).rejects.toMatchObject({ code: "GIT_FAILED", hint: expect.stringContaining("the repository is private") });
  });

  it("is a machine without git", async () => {
    await using test = await testSources({ environment: { PATH: temporaryDirectory() } });
    const failure = test.sources.git(source("app"));
    await expect(failure).rejects.toMatchObject({
      code: "GIT_MISSING",
      message: "running git: there is no such program on the PATH",
      hint: expect.stringContaining("apt-get install git"),
    });
  });

  it("is what the lock says, before anything is checked out", async () => {
    const refused = new Error("locked");
    await using test = await testSources({
      onResolved: {
        http: () => undefined,
        git: () => {
          throw refused;
        },
      },
    });
    await expect(test.sources.git(source("app"))).rejects.toBe(refused);
    expect(existsSync(join(test.store.root, "v1/tmp", "checkout-1"))).toBe(false);
  });

  it("is the caller, who has enough of a server that never answers", async () => {
    server.answer("never");
    const leaving = new AbortController();
    const reason = new Error("enough");
    await using test = await testSources({ signal: leaving.signal });
    const failure = expect(test.sources.git(source("app"))).rejects.toBe(reason);
    await server.arrived(1);
    leaving.abort(reason);
    await failure;
  });

  it("is a server that says nothing", async () => {
    server.answer("never");
    await using test = await testSources({ settings: { attempts: 1, stallTimeoutMs: 200 } });
    expect(await failureOf(test.sources.git(source("app")))).toBe(
      `GIT_FAILED: asking ${server.url("app")} for HEAD: git does not get on any more`,
    );
  });
});

describe("what was checked out", () => {
  it("is gone when the sources are closed", async () => {
    await using test = await testSources();
    const directory = await (await test.sources.git(source("app"))).directory();
    expect(existsSync(directory)).toBe(true);
    await test.sources.close();
    expect(existsSync(directory)).toBe(false);
  });
});
