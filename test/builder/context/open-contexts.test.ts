import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeEach, describe, expect, it } from "vitest";
import { type ContextsOptions, openContexts } from "../../../builder/context/open-contexts.ts";
import type { FetchedTree, RemoteSources } from "../../../builder/fetch/remote-sources.ts";
import type { ContextSource } from "../../../builder/options.ts";
import type { GitSource, HttpSource } from "../../../builder/plan/operation.ts";
import type { InputsRequest } from "../../../builder/steps/copy-inputs.ts";
import { textOf } from "../../../runtime-addon/index.ts";
import { openStore, type Store } from "../../../store/store.ts";
import { contextDirectory } from "../../support/context.ts";
import { needs } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { inChunks, tarOf, tarOfFiles } from "./tars.ts";

let store: Store;
beforeEach(async () => {
  store = await openStore(join(temporaryDirectory("open-contexts"), "store"));
  return () => store.close();
});

/** A web of these files, by URL, and a repository of this directory behind every git URL. Tells what was asked for. */
function fakeWeb(files: Readonly<Record<string, string | Uint8Array>> = {}, checkout?: string, lastModified?: number) {
  const asked: (HttpSource | GitSource)[] = [];
  const checkouts: string[] = [];
  const remote: RemoteSources = {
    async http(source) {
      asked.push(source);
      const blob = await store.blobs.putBytes("x", Buffer.from(files[source.url] ?? ""));
      return { ...blob, path: store.blobs.path(blob.digest), ...(lastModified === undefined ? {} : { lastModified }) };
    },
    async git(source): Promise<FetchedTree> {
      asked.push(source);
      return {
        commit: "c".repeat(40),
        async directory() {
          checkouts.push(source.remote);
          return checkout ?? "";
        },
        time: async () => 1_600_000_000,
      };
    },
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
  return { asked, checkouts, remote: async () => remote };
}

function open(options: Partial<ContextsOptions>) {
  return openContexts({
    main: { kind: "empty" },
    named: {},
    dockerfile: undefined,
    buildArgs: {},
    store: async () => store,
    remote: () => Promise.reject(new Error("nothing is fetched")),
    signal: new AbortController().signal,
    now: Date.now,
    ...options,
  });
}

const request: InputsRequest = { paths: [""], parents: false, exclude: [], irrelevant: { ignoreModes: false, ignoreOwners: false } };

/** The paths of all that COPY . takes from a context. */
async function filesOf(contexts: Awaited<ReturnType<typeof open>>, name?: string): Promise<string[]> {
  const sources = await (await (await contexts.reader(name)).inputs(request)).sources();
  return sources.flatMap(({ nodes }) => nodes.map(({ path }) => textOf(path))).filter((path) => path !== "");
}

describe("the build context", () => {
  it("may be a directory, without what its ignore file excludes", async () => {
    const path = contextDirectory({ Dockerfile: "FROM scratch", ".dockerignore": "*\n!a", a: "", b: "" });
    const contexts = await open({ main: { kind: "directory", path } });
    expect(contexts.main).toMatchObject({ describe: `the build context ${path}`, root: path });
    expect(await contexts.dockerfile()).toMatchObject({ file: join(path, "Dockerfile"), text: "FROM scratch" });
    expect(await filesOf(contexts)).toEqual(["a"]);
  });

  it("says what is wrong with its ignore file when the Dockerfile is read", async () => {
    const path = contextDirectory({ Dockerfile: "FROM scratch", "Dockerfile.dockerignore": "a\n[b" });
    const contexts = await open({ main: { kind: "directory", path } });
    await expect(contexts.dockerfile()).rejects.toMatchObject({
      code: "INVALID_IGNORE_FILE",
      message: expect.stringMatching(/\/Dockerfile\.dockerignore:2: /),
    });
  });

  it("goes by the ignore file of the Dockerfile that is used", async () => {
    const path = contextDirectory({ "x/D": "", "x/D.dockerignore": "b\nx", ".dockerignore": "a", a: "", b: "" });
    const contexts = await open({ main: { kind: "directory", path }, dockerfile: { path: join(path, "x/D") } });
    expect(await filesOf(contexts)).toEqual([".dockerignore", "a"]);
  });

  it("may be a symlink to a directory", async () => {
    const path = join(temporaryDirectory("link"), "link");
    const root = contextDirectory({ Dockerfile: "", a: "" });
    symlinkSync(root, path);
    const contexts = await open({ main: { kind: "directory", path } });
    expect(contexts.main.root).toBe(root);
    expect(await filesOf(contexts)).toEqual(["Dockerfile", "a"]);
  });

  it.each([
    ["plain", (bytes: Buffer) => bytes],
    ["compressed", (bytes: Buffer) => gzipSync(bytes)],
  ])("may be a tar, %s, which is used whole", async (_how, compress) => {
    const bytes = compress(tarOfFiles({ Dockerfile: "FROM scratch", ".dockerignore": "a", a: "1" }));
    const contexts = await open({ main: { kind: "tar", bytes: inChunks(bytes) } });
    expect(await contexts.dockerfile()).toEqual({ file: "<input>/Dockerfile", text: "FROM scratch" });
    expect(await filesOf(contexts)).toEqual([".dockerignore", "Dockerfile", "a"]);
  });

  it("may be a Dockerfile", async () => {
    const contexts = await open({ main: { kind: "tar", bytes: inChunks(Buffer.from("FROM scratch")) } });
    expect(await contexts.dockerfile()).toEqual({ file: "<input>", text: "FROM scratch" });
    expect(await filesOf(contexts)).toEqual([]);
  });

  it("may be nothing, when the Dockerfile is given", async () => {
    const contexts = await open({ dockerfile: { text: "FROM scratch" } });
    expect(await contexts.dockerfile()).toEqual({ file: "Dockerfile", text: "FROM scratch" });
    expect(await filesOf(contexts)).toEqual([]);
    await expect((await open({})).dockerfile()).rejects.toMatchObject({ code: "DOCKERFILE_NOT_FOUND" });
  });

  it.each<[what: string, body: string | Uint8Array, files: string[], place: string]>([
    ["a tar", tarOfFiles({ Dockerfile: "FROM scratch", a: "1" }), ["Dockerfile", "a"], "https://host/dir/context/Dockerfile"],
    [
      "a compressed tar",
      gzipSync(tarOfFiles({ Dockerfile: "FROM scratch", a: "1" })),
      ["Dockerfile", "a"],
      "https://host/dir/context/Dockerfile",
    ],
    ["a Dockerfile", "FROM scratch", [], "https://host/dir/context"],
  ])("may be %s of the web", async (_what, body, files, place) => {
    const url = "https://host/dir/context?token=secret";
    const { asked, remote } = fakeWeb({ [url]: body });
    const contexts = await open({ main: { kind: "http", url }, remote });
    expect(contexts.main.describe).toBe("the build context https://host/dir/context");
    expect(await contexts.dockerfile()).toEqual({ file: place, text: "FROM scratch" });
    expect(await filesOf(contexts)).toEqual(files);
    expect(asked).toHaveLength(1);
  });

  it("may be a repository, which is used whole and checked out when something reads it", async () => {
    const checkout = contextDirectory({ Dockerfile: "FROM scratch", ".dockerignore": "a", a: "1" });
    const { asked, checkouts, remote } = fakeWeb({}, checkout);
    const contexts = await open({ main: { kind: "git", url: "https://host/x.git#main:sub" }, remote });
    expect(asked).toEqual([{ kind: "git", remote: "https://host/x.git", ref: "main", subdir: "sub", keepGitDir: false, submodules: true }]);
    expect(checkouts).toEqual([]);
    expect(await contexts.dockerfile()).toEqual({ file: "https://host/x.git#main:sub/Dockerfile", text: "FROM scratch" });
    expect(await filesOf(contexts)).toEqual([".dockerignore", "Dockerfile", "a"]);
  });

  it.each([
    ["may not lead out of it", "/etc/passwd", "it is a link that leads out of it"],
    ["may not lead out of it upwards", "../../../etc/passwd", "it is a link that leads out of it"],
    ["may not lead to itself", "Dockerfile", "ELOOP: too many symbolic links encountered"],
    ["may not be a directory", "d", "it is a directory"],
  ])("%s: the Dockerfile of a repository, whose place on the host no error tells", async (_what, target, problem) => {
    const checkout = contextDirectory({ "d/f": "f" });
    symlinkSync(target, join(checkout, "Dockerfile"));
    const contexts = await open({ main: { kind: "git", url: "https://host/x.git" }, remote: fakeWeb({}, checkout).remote });
    await expect(contexts.dockerfile()).rejects.toMatchObject({
      code: "DOCKERFILE_UNREADABLE",
      message: `reading Dockerfile in the build context https://host/x.git: ${problem}`,
    });
  });

  it.each([
    ["1", true],
    ["true", true],
    ["0", false],
    ["yes", false],
  ])("keeps .git of a repository where BUILDKIT_CONTEXT_KEEP_GIT_DIR is %s: %s", async (value, keepGitDir) => {
    const { asked, remote } = fakeWeb();
    const git = { kind: "git", url: "https://host/x.git" } as const;
    const contexts = await open({ main: git, named: { other: git }, buildArgs: { BUILDKIT_CONTEXT_KEEP_GIT_DIR: value }, remote });
    await contexts.reader("other");
    expect(asked).toMatchObject([{ keepGitDir }, { keepGitDir: false }]);
  });

  it.each<[what: string, main: ContextsOptions["main"], error: object]>([
    ["a directory that is not there", { kind: "directory", path: "/none" }, { code: "CONTEXT_NOT_FOUND" }],
    [
      "a repository that is none",
      { kind: "git", url: "https://me@host/dir?x=secret" },
      { code: "UNSUPPORTED_CONTEXT", message: "opening the build context https://host/dir: it is no URL of a git repository" },
    ],
    [
      "a file of the web that is none",
      { kind: "http", url: "/x" },
      { code: "UNSUPPORTED_CONTEXT", message: "opening the build context /x: it is no http URL of a file" },
    ],
    [
      "an image",
      { kind: "image", image: "debian" },
      { code: "UNSUPPORTED_CONTEXT", message: "opening the build context: it has no files of its own, being of the kind image" },
    ],
  ])("cannot be %s", async (_what, main, error) => {
    await expect(open({ main })).rejects.toMatchObject(error);
  });

  it("may have its Dockerfile behind a URL, with the ignore file of the directory", async () => {
    const url = "https://host/Dockerfile?token=secret";
    const { remote } = fakeWeb({ [url]: "FROM scratch" });
    const path = contextDirectory({ ".dockerignore": "a", a: "", b: "" });
    const contexts = await open({ main: { kind: "directory", path }, dockerfile: { path: url }, remote });
    expect(await contexts.dockerfile()).toMatchObject({ file: "https://host/Dockerfile", text: "FROM scratch" });
    expect(await filesOf(contexts)).toEqual([".dockerignore", "b"]);
  });
});

describe("the same files", () => {
  it("are the same as a directory and as a tar, whatever attributes they have", needs("root", "attr", "acl"), async () => {
    const path = contextDirectory({ Dockerfile: "", "d/a": "1", "d/b": "2" });
    const set = (name: string, value: string, at: string) => execFileSync("setfattr", ["-n", name, "-v", value, join(path, at)]);
    set("user.a", "1", "d/a");
    set("user.b", "1", "d");
    set("trusted.a", "1", "d/a");
    // Version 3, of a namespace whose root is user 1000 (linux/capability.h).
    set("security.capability", "0x0100000300040000000000000000000000000000e8030000", "d/b");
    execFileSync("setfacl", ["-m", "u:12345:r", join(path, "d/a")]);
    const tar = execFileSync("tar", ["--xattrs", "--xattrs-include=*", "--acls", "-C", path, "-c", "."]);
    const rootsOf = async (main: ContextsOptions["main"]) => {
      const inputs = await (await (await open({ main })).reader()).inputs(request);
      return (await inputs.merkles()).map(({ root, nodes }) => ({ root, nodes: [...nodes.values()].sort() }));
    };
    const asTar = await rootsOf({ kind: "tar", bytes: inChunks(tar) });
    expect(await rootsOf({ kind: "directory", path })).toEqual(asTar);
    expect(asTar[0]?.nodes.join("\n")).toMatch(/security\.capability.*user\.a|user\.a.*security\.capability/s);
  });
});

describe("a named context", () => {
  it("is opened when something first reads from it, once", async () => {
    const { asked, remote } = fakeWeb({ "https://host/a.tar": tarOfFiles({ a: "1" }) });
    const contexts = await open({
      named: { a: { kind: "http", url: "https://host/a.tar" }, b: { kind: "http", url: "https://host/b.tar" } },
      remote,
    });
    expect(asked).toEqual([]);
    expect(await filesOf(contexts, "a")).toEqual(["a"]);
    expect(await contexts.reader("a")).toBe(await contexts.reader("a"));
    expect(asked).toMatchObject([{ url: "https://host/a.tar" }]);
  });

  it("goes by the ignore file at its own root, and by no other", async () => {
    const main = contextDirectory({ Dockerfile: "", ".dockerignore": "b" });
    const path = contextDirectory({ ".dockerignore": "a", "Dockerfile.dockerignore": "b", a: "", b: "" });
    const contexts = await open({ main: { kind: "directory", path: main }, named: { src: { kind: "directory", path } } });
    expect(await filesOf(contexts, "src")).toEqual([".dockerignore", "Dockerfile.dockerignore", "b"]);
  });

  it("says whose ignore file is wrong", async () => {
    const path = contextDirectory({ ".dockerignore": "a\n!" });
    await expect(open({ named: { src: { kind: "directory", path } } })).rejects.toMatchObject({
      code: "INVALID_IGNORE_FILE",
      message: expect.stringMatching(/^\.dockerignore of the context "src":2: /),
    });
  });

  it("may be a repository, or no files at all", async () => {
    const checkout = contextDirectory({ a: "1" });
    const { remote } = fakeWeb({}, checkout);
    const contexts = await open({
      named: { repo: { kind: "git", url: "https://host/x.git" }, none: { kind: "image", image: "scratch" } },
      remote,
    });
    expect(await filesOf(contexts, "repo")).toEqual(["a"]);
    expect(await filesOf(contexts, "none")).toEqual([]);
  });

  it("is missed at once where it is a directory that is not there", async () => {
    await expect(open({ named: { src: { kind: "directory", path: "/none" } } })).rejects.toMatchObject({
      code: "CONTEXT_NOT_FOUND",
      message: 'opening the context "src" (/none): there is no such directory',
    });
  });

  it.each<[what: string, body: string | Uint8Array, files: string[]]>([
    ["a tar, by what is in it", tarOfFiles({ a: "1" }), ["a"]],
    ["a compressed tar", gzipSync(tarOfFiles({ a: "1" })), ["a"]],
    ["a text, as a file", "text", ["context"]],
    ["a compressed text", gzipSync("text"), ["context"]],
    ["something that only begins like compressed bytes", Uint8Array.of(0x1f, 0x8b, 8, 1, 2, 3), ["context"]],
    ["nothing", "", ["context"]],
  ])("may be %s of the web", async (_what, body, files) => {
    const url = "https://host/page?token=secret";
    const { remote } = fakeWeb({ [url]: body });
    const contexts = await open({ named: { page: { kind: "http", url } }, remote });
    expect(await filesOf(contexts, "page")).toEqual(files);
    if (files[0] !== "context") return;
    const [source] = await (await (await contexts.reader("page")).inputs({ ...request, paths: ["context"] })).sources();
    const [node] = source?.nodes ?? [];
    expect(node).toMatchObject({ mode: 0o600, uid: 0, gid: 0, mtime: 0, content: { at: "tar", offset: 0 } });
    expect(node?.content?.at === "tar" && readFileSync(node.content.tar).equals(Buffer.from(body))).toBe(true);
  });
});

describe("what was learned of directories", () => {
  it("is written down for those that were read", async () => {
    const path = contextDirectory({ Dockerfile: "" });
    mkdirSync(join(path, "d"));
    writeFileSync(join(path, "d/a"), "1");
    const contexts = await open({ main: { kind: "directory", path }, now: () => Date.now() + 10_000 });
    const inputs = await (await contexts.reader()).inputs(request);
    const roots = await inputs.merkles();
    await inputs.saveRoots(roots);
    await contexts.save();
    const again = await open({ main: { kind: "directory", path } });
    const known = await (await (await again.reader()).inputs(request)).knownRoots();
    expect(known?.[0]?.root).toBe(roots[0]?.root);
  });
});

describe("the time of a context", () => {
  const archive = tarOf([
    { name: "Dockerfile", content: "FROM scratch", mtime: 10 },
    { name: "d/", mtime: 90 },
    { name: "d/f", mtime: 30 },
    { name: "d/g", mtime: 20 },
    { name: "d/l", type: "2", link: "f", mtime: 80 },
  ]);
  const url = "https://host/context";
  const http = { kind: "http", url } as const;

  it.each<[what: string, source: () => ContextSource, web: Parameters<typeof fakeWeb>, time: number | undefined]>([
    ["a directory", () => ({ kind: "directory", path: contextDirectory({ f: "" }) }), [], undefined],
    ["nothing", () => ({ kind: "empty" }), [], undefined],
    ["a tar", () => ({ kind: "tar", bytes: inChunks(archive) }), [], 30],
    ["a tar of directories", () => ({ kind: "tar", bytes: inChunks(tarOf([{ name: "d/" }])) }), [], undefined],
    ["a Dockerfile", () => ({ kind: "tar", bytes: inChunks(Buffer.from("FROM scratch")) }), [], undefined],
    ["a commit", () => ({ kind: "git", url: "https://host/x.git" }), [], 1_600_000_000],
    ["a tar of the web", () => http, [{ [url]: gzipSync(archive) }], 30],
    ["a tar of the web with a time of its own", () => http, [{ [url]: gzipSync(archive) }, undefined, 7], 7],
    ["a Dockerfile of the web", () => http, [{ [url]: "FROM scratch" }, undefined, 7], 7],
    ["a Dockerfile of the web without a time", () => http, [{ [url]: "FROM scratch" }], undefined],
  ])("of %s is the same as a named one", async (_what, source, web, time) => {
    const { remote } = fakeWeb(...web);
    expect(await (await open({ main: source(), remote })).time()).toBe(time);
    expect(await (await open({ named: { src: source() }, remote })).time("src")).toBe(time);
  });

  it.each<[ContextSource]>([
    [{ kind: "image", image: "debian" }],
    [{ kind: "image", image: "scratch" }],
    [{ kind: "oci-layout", path: "/nowhere" }],
    [{ kind: "stage", stage: "a" }],
  ])("is none for %j", async (source) => {
    expect(await (await open({ named: { src: source } })).time("src")).toBeUndefined();
  });

  it("takes nothing from who reads it afterwards", async () => {
    const contexts = await open({ named: { src: { kind: "tar", bytes: inChunks(archive) } } });
    expect(await contexts.time("src")).toBe(30);
    expect(await filesOf(contexts, "src")).toEqual(["Dockerfile", "d", "d/f", "d/g", "d/l"]);
  });
});
