import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tarOf, tarOfFiles } from "../builder/context/tars.ts";
import { importBusybox } from "../support/bases.ts";
import { mustTsbuild, temporaryStore, tsbuild } from "../support/cli.ts";
import { mustRun } from "../support/command.ts";
import { contextDirectory } from "../support/context.ts";
import { type GitServer, startGitServer } from "../support/git-server.ts";
import { type HttpFiles, startHttpFiles } from "../support/http-files.ts";
import { blobPath, readLayoutImage } from "../support/layout.ts";
import { needs } from "../support/needs.ts";
import { ranSteps } from "../support/progress.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const store = temporaryStore();
let web: HttpFiles;
beforeAll(async () => {
  await importBusybox({ store });
  web = await startHttpFiles();
});
afterAll(() => web.close());

function build(args: readonly string[], stdin?: string | Uint8Array) {
  return tsbuild(["build", "--progress", "plain", ...args], { store, ...(stdin === undefined ? {} : { stdin }) });
}

async function mustBuild(args: readonly string[], stdin?: string | Uint8Array): Promise<string> {
  const result = await build(args, stdin);
  expect(result.code, result.stderr).toBe(0);
  return result.stderr;
}

/** Mode, owner and path of all that the image's own last layer has, as another program lists it. */
async function lastLayer(name: string): Promise<string[]> {
  const digest = readLayoutImage(store, name).manifest.layers.at(-1)?.digest ?? "";
  const listing = await mustRun(["tar", "--numeric-owner", "-tvf", blobPath(store, digest)]);
  return listing
    .trim()
    .split("\n")
    .map((line) => line.replace(/^(\S+) (\S+) +\d+ \S+ \S+ /, "$1 $2 "));
}

/** A file's content in the image's last layer. */
async function contentOf(name: string, path: string): Promise<string> {
  const digest = readLayoutImage(store, name).manifest.layers.at(-1)?.digest ?? "";
  return mustRun(["tar", "-xOf", blobPath(store, digest), path]);
}

const dockerfile = "FROM scratch\nCOPY . /app/\n";

describe("standard input", () => {
  it.each<[name: string, compress: (bytes: Buffer) => Buffer]>([
    ["a tar", (bytes) => bytes],
    ["a tar, by gzip", (bytes) => gzipSync(bytes)],
    ["a tar, by xz", (bytes) => execFileSync("xz", ["-c"], { input: bytes })],
    ["a tar, by zstd", (bytes) => execFileSync("zstd", ["-qc"], { input: bytes })],
  ])("may be %s, which belongs to root and is used whole", needs("xz", "zstd"), async (name, compress) => {
    const tar = tarOf([
      { name: "Dockerfile", content: dockerfile },
      { name: ".dockerignore", content: "bin" },
      { name: "bin/", mode: 0o750 },
      { name: "bin/run", mode: 0o755, content: "run" },
    ]);
    const tag = name.replace(/\W+/g, "-");
    await mustBuild(["-t", tag, "-"], compress(tar));
    expect(await lastLayer(tag)).toEqual([
      "drwxr-xr-x 0/0 app/",
      "-rw-r--r-- 0/0 app/.dockerignore",
      "-rw-r--r-- 0/0 app/Dockerfile",
      "drwxr-x--- 0/0 app/bin/",
      "-rwxr-xr-x 0/0 app/bin/run",
    ]);
    // However it is compressed, it is the same to the cache.
    expect(ranSteps(await mustBuild(["-t", tag, "-"], compress(tar)))).toEqual([]);
  });

  it("may have the Dockerfile elsewhere in the tar, and archives that ADD unpacks", async () => {
    const inner = gzipSync(tarOfFiles({ "deep/file": "unpacked" }));
    const tar = tarOf([
      { name: "docker/Own", content: "FROM scratch\nADD files.tgz /at/\n" },
      { name: "files.tgz", content: inner },
    ]);
    await mustBuild(["-t", "inner", "-f", "docker/Own", "-"], tar);
    expect(await contentOf("inner", "at/deep/file")).toBe("unpacked");
  });

  it("may feed RUN, by a mount too", needs("sandbox"), async () => {
    const tar = tarOfFiles({
      Dockerfile: "FROM busybox\nRUN --mount=type=bind,target=/src cat /src/a > /copied\n",
      a: "from the tar\n",
    });
    await mustBuild(["-t", "mounted", "-"], tar);
    expect(await contentOf("mounted", "copied")).toBe("from the tar\n");
  });

  it("may be a Dockerfile, and then there are no files", async () => {
    await mustBuild(["-t", "alone", "-"], "FROM busybox\nENV A=1\n");
    expect(readLayoutImage(store, "alone").config.config.Env).toContain("A=1");
    const { code, stderr } = await build(["-"], "FROM scratch\nCOPY a /a\n");
    expect(code).toBe(1);
    expect(stderr).toContain(
      '<input>:2:1: error: looking for "/a" in the build context: no such file or directory [COPY_SOURCE_NOT_FOUND]',
    );
    expect(stderr).toContain("hint: there are no files: the context is a Dockerfile alone; give a directory too: -f - DIR");
  });

  it("may be a Dockerfile for a directory", async () => {
    const context = contextDirectory({ a: "1", ".dockerignore": ".dockerignore" });
    await mustBuild(["-t", "given", "-f", "-", context], "FROM scratch\nCOPY . /app/\n");
    expect(await lastLayer("given")).toEqual(["drwxr-xr-x 0/0 app/", "-rw-r--r-- 0/0 app/a"]);
  });

  it.each<[what: string, args: string[], stdin: string | Uint8Array, code: number, message: string]>([
    ["both", ["-f", "-", "-"], "FROM scratch", 2, "the context and the Dockerfile cannot both be standard input [WRONG_OPERANDS]"],
    [
      "a Dockerfile beside another",
      ["-f", "Other", "-"],
      "FROM scratch",
      2,
      "the build context is one, and another is named [AMBIGUOUS_DOCKERFILE]",
    ],
    [
      "a tar without the Dockerfile",
      ["-f", "Other", "-"],
      tarOfFiles({ a: "" }),
      2,
      "there is no Other in the build context [DOCKERFILE_NOT_FOUND]",
    ],
    [
      "a program",
      ["-"],
      Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]),
      1,
      "it is neither a tar nor a Dockerfile [UNSUPPORTED_CONTEXT]",
    ],
    ["a tar that climbs", ["-"], tarOfFiles({ "../evil": "" }), 1, 'the name "../evil" holds ".." [UNSAFE_PATH]'],
  ])("cannot be %s", async (_what, args, stdin, code, message) => {
    const result = await build(args, stdin);
    expect([result.code, result.stderr]).toEqual([code, expect.stringContaining(message)]);
  });
});

describe("the web", () => {
  it.each<[name: string, compress: (bytes: Buffer) => Buffer]>([
    ["plain", (bytes) => bytes],
    ["gzip", (bytes) => gzipSync(bytes)],
  ])("may have the context as a tar: %s", async (name, compress) => {
    web.serve(`/${name}`, { body: compress(tarOfFiles({ Dockerfile: dockerfile, a: "1" })) });
    await mustBuild(["-t", `web-${name}`, web.url(`/${name}`)]);
    expect(await contentOf(`web-${name}`, "app/a")).toBe("1");
    expect(ranSteps(await mustBuild(["-t", `web-${name}`, web.url(`/${name}`)]))).toEqual([]);
  });

  it("may have the Dockerfile alone, as the context or beside one", async () => {
    web.serve("/x/Dockerfile", "FROM scratch\nENV A=web\n");
    await mustBuild(["-t", "web-alone", web.url("/x/Dockerfile")]);
    expect(readLayoutImage(store, "web-alone").config.config.Env).toEqual([
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "A=web",
    ]);
    web.serve("/y/Dockerfile", dockerfile);
    await mustBuild(["-t", "web-beside", "-f", web.url("/y/Dockerfile"), contextDirectory({ a: "here" })]);
    expect(await contentOf("web-beside", "app/a")).toBe("here");
  });

  it("is told from what is not there", async () => {
    const { code, stderr } = await build([web.url("/none?token=secret")]);
    expect(code).toBe(1);
    expect(stderr).toContain("/none");
    expect(stderr).toContain("404");
    expect(stderr).not.toContain("secret");
  });
});

describe("a git repository", needs("git"), () => {
  let git: GitServer;
  let first: string;
  beforeAll(async () => {
    git = await startGitServer();
    first = await git.commit("app", {
      Dockerfile: dockerfile,
      ".dockerignore": "a",
      a: "first",
      "sub/Dockerfile": dockerfile,
      "sub/b": "b",
    });
    await git.git("app", ["tag", "v1", first]);
    await git.commit("app", { a: "second", "bin/run": { executable: "run" } });
    await git.commit("app", { Dockerfile: dockerfile, a: "other" }, { branch: "side" });
  });
  afterAll(() => git.close());

  it.each<[what: string, suffix: string, content: string]>([
    ["its default branch", "", "second"],
    ["a branch", "#side", "other"],
    ["a tag", "#v1", "first"],
    ["a tag, by a query", "?tag=v1", "first"],
    ["a branch, by a query", "?ref=side", "other"],
  ])("may be the context, used whole and without .git: %s", async (_what, suffix, content) => {
    await mustBuild(["-t", "repo", `${git.url("app")}${suffix}`]);
    expect(await contentOf("repo", "app/a")).toBe(content);
    expect((await lastLayer("repo")).filter((line) => line.includes(".git/"))).toEqual([]);
  });

  it("gives its files as they are in the commit, to root", async () => {
    await mustBuild(["-t", "modes", git.url("app")]);
    expect(await lastLayer("modes")).toEqual([
      "drwxr-xr-x 0/0 app/",
      "-rw-r--r-- 0/0 app/.dockerignore",
      "-rw-r--r-- 0/0 app/Dockerfile",
      "-rw-r--r-- 0/0 app/a",
      "drwxr-xr-x 0/0 app/bin/",
      "-rwxr-xr-x 0/0 app/bin/run",
      "drwxr-xr-x 0/0 app/sub/",
      "-rw-r--r-- 0/0 app/sub/Dockerfile",
      "-rw-r--r-- 0/0 app/sub/b",
    ]);
    expect(ranSteps(await mustBuild(["-t", "modes", git.url("app")]))).toEqual([]);
  });

  it.each(["#v1:sub", "#:sub", "?subdir=sub"])("may be one directory of it: %s", async (suffix) => {
    await mustBuild(["-t", "sub", `${git.url("app")}${suffix}`]);
    expect(await lastLayer("sub")).toEqual(["drwxr-xr-x 0/0 app/", "-rw-r--r-- 0/0 app/Dockerfile", "-rw-r--r-- 0/0 app/b"]);
  });

  it("may be one commit, and its Dockerfile another than the usual", async () => {
    await mustBuild(["-t", "commit", "-f", "sub/Dockerfile", `${git.url("app")}#${first}`]);
    expect(await contentOf("commit", "app/a")).toBe("first");
  });

  it("keeps .git where that is asked for", async () => {
    await mustBuild(["-t", "kept", "--build-arg", "BUILDKIT_CONTEXT_KEEP_GIT_DIR=1", git.url("app")]);
    expect(await lastLayer("kept")).toContain("-rw-r--r-- 0/0 app/.git/HEAD");
  });

  it("may be private: with the secret for it, also where ADD names it", async () => {
    const token = "t0ken-of-the-test";
    git.guard(`Basic ${Buffer.from(`x-access-token:${token}`).toString("base64")}`);
    try {
      const file = join(temporaryDirectory("token"), "token");
      writeFileSync(file, `${token}\n`);
      const secret = ["--secret", `id=GIT_AUTH_TOKEN,src=${file}`];
      const { stderr } = await build(["--progress", "rawjson", "-t", "private", ...secret, git.url("app")]);
      expect(stderr).not.toContain(token);
      expect(await contentOf("private", "app/a")).toBe("second");
      const context = contextDirectory({ Dockerfile: `FROM scratch\nADD ${git.url("app")}#side /\n` });
      await mustBuild(["-t", "private", ...secret, context]);
      expect(await contentOf("private", "a")).toBe("other");
      const refused = await build([`${git.url("app")}#side`]);
      expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("--secret id=GIT_AUTH_TOKEN gives a token")]);
    } finally {
      git.guard(undefined);
    }
  });

  it.each<[what: string, suffix: string, message: RegExp]>([
    ["a branch", "#none", /none/],
    ["a directory", "#:none", /\[GIT_SUBDIR_NOT_FOUND\]/],
  ])("is told from what is not there: %s", async (_what, suffix, message) => {
    const { code, stderr } = await build([`${git.url("app")}${suffix}`]);
    expect([code, stderr]).toEqual([1, expect.stringMatching(message)]);
  });

  it("may be a named context, of which the commit is locked", async () => {
    const context = contextDirectory({ Dockerfile: "FROM scratch\nCOPY --from=repo a /a\n" });
    const lock = join(temporaryDirectory("lock"), "lock");
    const args = ["-t", "named", "--build-context", `repo=${git.url("app")}#v1`, "--lock", lock, context];
    await mustBuild(args);
    expect(await contentOf("named", "a")).toBe("first");
    await git.git("app", ["tag", "--force", "v1", "side"]);
    const { code, stderr } = await build([...args.slice(0, -1), "--locked", context]);
    await git.git("app", ["tag", "--force", "v1", first]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("[LOCK_DRIFT]")]);
  });
});

describe("a named context", () => {
  const withContext = (text: string) => contextDirectory({ Dockerfile: text });

  it("may be a directory, without what its own ignore file excludes", async () => {
    const src = contextDirectory({ ".dockerignore": "b", a: "1", b: "2" });
    await mustBuild(["-t", "dir", "--build-context", `src=${src}`, withContext("FROM scratch\nCOPY --from=src . /app/\n")]);
    expect(await lastLayer("dir")).toEqual(["drwxr-xr-x 0/0 app/", "-rw-r--r-- 0/0 app/.dockerignore", "-rw-r--r-- 0/0 app/a"]);
    const { stderr } = await build(["--build-context", `src=${src}`, withContext("FROM scratch\nCOPY --from=src b /\n")]);
    expect(stderr).toContain("[COPY_SOURCE_NOT_FOUND]");
  });

  it("may be a tar of the web", async () => {
    web.serve("/named.tar", { body: tarOfFiles({ a: "of the web" }) });
    await mustBuild(["-t", "tar", "--build-context", `src=${web.url("/named.tar")}`, withContext("FROM scratch\nCOPY --from=src a /\n")]);
    expect(await contentOf("tar", "a")).toBe("of the web");
  });

  it("may be what a stage begins with", async () => {
    const src = contextDirectory({ "bin/run": { text: "run", mode: 0o755 }, a: "1" });
    await mustBuild(["-t", "from", "--build-context", `src=${src}`, withContext("FROM src\nENV A=1\n")]);
    expect(await lastLayer("from")).toEqual(["-rw-r--r-- 0/0 a", "drwxr-xr-x 0/0 bin/", "-rwxr-xr-x 0/0 bin/run"]);
  });

  it("may be an image, in the place of another", async () => {
    const context = withContext("FROM scratch\nCOPY a /a\n");
    writeFileSync(join(context, "a"), "mine");
    await mustBuild(["-t", "mine:v1", context]);
    for (const name of ["nowhere.example/base", "nowhere.example/base:latest"]) {
      await mustBuild([
        "-t",
        "replaced",
        "--build-context",
        `${name}=docker-image://mine:v1`,
        withContext("FROM nowhere.example/base\nENV B=1\n"),
      ]);
      expect(await contentOf("replaced", "a")).toBe("mine");
    }
    await mustBuild([
      "-t",
      "copied",
      "--build-context",
      "dep=docker-image://mine:v1",
      withContext("FROM scratch\nCOPY --from=dep /a /b\n"),
    ]);
    expect(await contentOf("copied", "b")).toBe("mine");
  });

  it("may be no files", async () => {
    await mustBuild(["-t", "nothing", "--build-context", "base=docker-image://scratch", withContext("FROM base\nENV A=1\n")]);
    expect(readLayoutImage(store, "nothing").config.config.Env).toContain("A=1");
  });

  it("may be an image of an image layout, by tag, by digest, and locked", async () => {
    const context = withContext("FROM scratch\nENV FROM_LAYOUT=yes\nCOPY a /a\n");
    writeFileSync(join(context, "a"), "kept");
    const other = temporaryStore();
    await mustTsbuild(["build", "-t", "app:v1", context], { store: other });
    const layout = join(temporaryDirectory("layout"), "images");
    mkdirSync(layout);
    await mustTsbuild(["save", "app:v1", "-o", `${layout}/`], { store: other });
    const { manifests } = JSON.parse(await mustRun(["cat", join(layout, "index.json")]));
    const lock = join(temporaryDirectory("lock"), "lock");
    for (const suffix of ["", ":app:v1", `@${manifests[0].digest}`]) {
      const flags = ["--build-context", `base=oci-layout://${layout}${suffix}`];
      await mustBuild(["-t", "layout", "--lock", lock, ...flags, withContext("FROM base\nENV B=1\n")]);
      expect(await contentOf("layout", "a")).toBe("kept");
      expect(readLayoutImage(store, "layout").config.config.Env).toContain("FROM_LAYOUT=yes");
      await mustBuild(["-t", "layout", "--lock", lock, "--locked", ...flags, withContext("FROM base\nENV B=1\n")]);
    }
    expect(await mustTsbuild(["images"], { store })).not.toContain("app:v1");
  });

  it("cannot be a layout that only the Dockerfile names", async () => {
    const { code, stderr } = await build([withContext("FROM oci-layout:///etc:v1\n")]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("[INVALID_REFERENCE]")]);
  });

  it("may be a stage, and may take the place of one", async () => {
    const text = "FROM scratch AS a\nCOPY x /x\nFROM scratch AS b\nCOPY y /x\nFROM scratch\nCOPY --from=dep /x /z\n";
    const context = contextDirectory({ Dockerfile: text, x: "of a", y: "of b" });
    await mustBuild(["-t", "stage", "--build-context", "dep=target:a", context]);
    expect(await contentOf("stage", "z")).toBe("of a");
    await mustBuild(["-t", "stage", "--build-context", "dep=target:b", context]);
    expect(await contentOf("stage", "z")).toBe("of b");
    const replaced = contextDirectory({ Dockerfile: "FROM nowhere.example/x AS dep\nRUN false\nFROM scratch\nCOPY --from=dep x /x\n" });
    await mustBuild(["-t", "in-place", "--build-context", `dep=${contextDirectory({ x: "of a directory" })}`, replaced]);
    expect(await contentOf("in-place", "x")).toBe("of a directory");
  });

  it.each<[what: string, value: string, code: number, message: string]>([
    ["not there", "src=/none", 2, 'opening the context "src" (/none): there is no such directory [CONTEXT_NOT_FOUND]'],
    ["of no known kind", "src=ftp://host/x", 2, "there are no contexts of the kind ftp:// [UNSUPPORTED_CONTEXT]"],
    ["a stage that is not there", "src=target:none", 1, "none"],
  ])("is refused where it is %s", async (_what, value, code, message) => {
    const result = await build(["--build-context", value, withContext("FROM scratch\nCOPY --from=src / /\n")]);
    expect([result.code, result.stderr]).toEqual([code, expect.stringContaining(message)]);
  });
});
