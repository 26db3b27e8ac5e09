import { execFileSync } from "node:child_process";
import { renameSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type DirectoryContext, directoryContext } from "../../../builder/context/directory.ts";
import { parseIgnoreFile } from "../../../builder/context/ignore.ts";
import type { SelectionFlags } from "../../../builder/context/selection.ts";
import { type ByteString, bufferOf, textOf } from "../../../runtime-addon/index.ts";
import { needs } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { dir, fifo, file, link, makeTree, socket, symlink, type Wanted } from "../../support/tree.ts";

async function context(wanted: Readonly<Record<string, Wanted>>, ignore?: string): Promise<DirectoryContext> {
  const root = temporaryDirectory("context");
  await makeTree(root, wanted);
  return directoryContext(root, ignore === undefined ? undefined : parseIgnoreFile(ignore));
}

/** Each source found, as "name: paths". */
async function found(from: DirectoryContext, source: string): Promise<string[]> {
  return (await from.find(source)).map((one) => {
    const { nodes } = one.list();
    return `${textOf(one.name)}: ${nodes.map(({ path, kind }) => (path === "" ? `(${kind})` : path)).join(" ")}`.trim();
  });
}

const plain = await context({
  "a.txt": file("a", { mode: 0o640, mtime: 5.25 }),
  "b.txt": file("b"),
  ".hidden": file("h"),
  "sub/c.txt": file("c"),
  "sub/deep/d.txt": file("d"),
  "sub/empty": dir({ mode: 0o700 }),
  "to-a": symlink("a.txt"),
  "to-sub": symlink("sub"),
  "sub/up": symlink("../a.txt"),
  abs: symlink("/sub/c.txt"),
  "we[i]rd": file("w"),
});

describe("the context finds", () => {
  it.each<[name: string, source: string, expected: string[]]>([
    ["a file", "a.txt", ["a.txt: (file)"]],
    ["a directory with all that is in it", "sub", ["sub: (directory) c.txt deep deep/d.txt empty up"]],
    [
      "everything",
      "",
      [": (directory) .hidden a.txt abs b.txt sub sub/c.txt sub/deep sub/deep/d.txt sub/empty sub/up to-a to-sub we[i]rd"],
    ],
    ["what a symlink leads to, under the link's name", "to-a", ["to-a: (file)"]],
    ["a directory through a symlink", "to-sub", ["to-sub: (directory) c.txt deep deep/d.txt empty up"]],
    ["a file through a linked directory", "to-sub/c.txt", ["c.txt: (file)"]],
    ["through a relative symlink that goes up", "sub/up", ["up: (file)"]],
    ["through an absolute symlink, from the context's root", "abs", ["abs: (file)"]],
    [
      "by a star, hidden names too",
      "*",
      [
        ".hidden: (file)",
        "a.txt: (file)",
        "abs: (file)",
        "b.txt: (file)",
        "sub: (directory) c.txt deep deep/d.txt empty up",
        "to-a: (file)",
        "to-sub: (directory) c.txt deep deep/d.txt empty up",
        "we[i]rd: (file)",
      ],
    ],
    ["by a star in one name", "*.txt", ["a.txt: (file)", "b.txt: (file)"]],
    ["by a star in the middle, not through symlinks", "*/c.txt", ["c.txt: (file)"]],
    ["by two stars as one", "**/c.txt", ["c.txt: (file)"]],
    ["by a class", "[ab].txt", ["a.txt: (file)", "b.txt: (file)"]],
    ["an escaped bracket", "we[[]i]rd", ["we[i]rd: (file)"]],
    ["nothing by a wildcard that matches nothing", "no*", []],
    ["nothing by a star that would have to cross a slash", "s*c.txt", []],
  ])("%s", async (_name, source, expected) => {
    expect(await found(plain, source)).toEqual(expected);
  });

  it.each(["nope", "sub/nope", "a.txt/x", "to-a/x"])("no %s", async (source) => {
    await expect(plain.find(source)).rejects.toMatchObject({
      code: "COPY_SOURCE_NOT_FOUND",
      message: `looking for "${source}" in the build context ${plain.root}: no such file or directory`,
      hint: undefined,
    });
  });

  describe("nothing, and says what it would be:", async () => {
    const tree = await context(
      {
        "package.json": file("{}"),
        "src/index.ts": file("x"),
        "src/sub/only.ts": file("x"),
        "other/sub/deeper/only.ts": file("x"),
        ".git/config": file("x"),
        "secret.pem": file("x"),
        "out/made.js": file("x"),
        dangling: symlink("/nope"),
        up: symlink("../../nope"),
        chain: symlink("src/next"),
        "src/next": symlink("gone"),
        "src/in": symlink("../dangling"),
      },
      "secret.pem\nout\n",
    );
    const absent = "no such file or directory";

    it.each<[name: string, source: string, problem: string, hint: string | undefined]>([
      ["a near name", "pakage.json", absent, 'did you mean "package.json"?'],
      ["a name in other case", "Package.JSON", absent, 'did you mean "package.json"?'],
      ["a near name of a directory on the way", "srcs/index.ts", absent, 'did you mean "src/index.ts"?'],
      ["a near name in a directory", "src/indx.ts", absent, 'did you mean "src/index.ts"?'],
      ["the name elsewhere, where it is least deep", "only.ts", absent, 'there is "src/sub/only.ts"'],
      ["the name elsewhere, of a path below a file", "package.json/index.ts", absent, 'there is "src/index.ts"'],
      ["no name that is ignored", "secret.pen", absent, undefined],
      ["no name below what is ignored", "made.js", absent, undefined],
      ["no file of git's own", "config", absent, undefined],
      ["nothing that is nowhere", "zzzzzzzz", absent, undefined],
      ["a symlink to nothing", "dangling", 'it is a symlink to "/nope", which is not in the context', undefined],
      ["a symlink that would lead out", "up", 'it is a symlink to "../../nope", which is not in the context', undefined],
      ["a symlink to nothing on the way", "dangling/x", '"dangling" is a symlink to "/nope", which is not in the context', undefined],
      ["the last of several symlinks", "chain", '"src/next" is a symlink to "gone", which is not in the context', undefined],
      ["the last of several, from a directory", "src/in", '"dangling" is a symlink to "/nope", which is not in the context', undefined],
    ])("%s", async (_name, source, problem, hint) => {
      const message = `looking for "${source}" in the build context ${tree.root}: ${problem}`;
      await expect(tree.find(source)).rejects.toMatchObject({ code: "COPY_SOURCE_NOT_FOUND", message, hint });
    });

    it.each([false, true])("a source that would lead out, as it was written, with --parents: %s", async (parents) => {
      await expect(tree.find("x", { parents, exclude: [] }, "../x")).rejects.toMatchObject({
        message: `looking for "../x" in the build context ${tree.root}: no such file or directory`,
        hint: '".." stops at the root of the context: build with a directory above it as context and say with -f where the Dockerfile is, or use --build-context',
      });
    });
  });

  it("what a bad pattern is", async () => {
    await expect(plain.find("a[")).rejects.toMatchObject({ code: "INVALID_PATTERN" });
  });
});

describe("its nodes", () => {
  const capability = "\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

  it("belong to root and keep mode, time and content's place", async () => {
    const [one] = await plain.find("a.txt");
    expect(one?.list().nodes).toEqual([
      {
        path: "",
        kind: "file",
        mode: 0o640,
        uid: 0,
        gid: 0,
        mtime: 5,
        mtimeNsec: 250_000_000,
        size: 1,
        content: { at: "path", root: plain.root, path: "a.txt" },
      },
    ]);
  });

  it("stay symlinks inside a directory", async () => {
    const [one] = await plain.find("sub");
    expect(one?.list().nodes.at(-1)).toMatchObject({ path: "up", kind: "symlink", target: "../a.txt" });
  });

  it("do not show the mode of the context's own directory", async () => {
    const from = await context({ x: file() });
    const [one] = await from.find("");
    expect(one?.list().nodes[0]).toMatchObject({ path: "", mode: 0o755 });
    const below = await context({ "d/x": file(), d: dir({ mode: 0o700 }) });
    expect((await below.find("d"))[0]?.list().nodes[0]).toMatchObject({ path: "", mode: 0o700 });
  });

  it("are what was scanned, in the same order", async () => {
    for (const source of ["", "sub", "a.txt"]) {
      const { nodes, scanned } = (await plain.find(source))[0]?.list() ?? { nodes: [], scanned: [] };
      expect(scanned.map(({ path }) => path)).toEqual(nodes.map(({ path }) => [source, path].filter((part) => part !== "").join("/")));
    }
  });

  it("are hard links where names are one file, of the first name in the source", async () => {
    const from = await context({ "z/a": file("x"), "z/b": link("z/a"), y: link("z/a"), "z-": link("z/a") });
    const kinds = async (source: string) =>
      (await from.find(source))[0]?.list().nodes.map((node) => `${node.path} ${node.kind === "hardlink" ? node.target : node.kind}`);
    expect(await kinds("z")).toEqual([" directory", "a file", "b a"]);
    expect(await kinds("")).toEqual([" directory", "y file", "z directory", "z/a y", "z/b y", "z- y"]);
    expect(await kinds("z/b")).toEqual([" file"]);
  });

  it("are fifos, and no sockets", async () => {
    const from = await context({ p: fifo(), s: socket(), "d/s": socket(), f: file() });
    expect(await found(from, "")).toEqual([": (directory) d f p"]);
    expect(await found(from, "*")).toEqual(["d: (directory)", "f: (file)", "p: (fifo)"]);
    await expect(from.find("s")).rejects.toMatchObject({
      code: "COPY_SOURCE_NOT_FOUND",
      message: `looking for "s" in the build context ${from.root}: a socket cannot be copied`,
    });
  });

  it("have names that are no UTF-8", async () => {
    const from = await context({});
    writeFileSync(Buffer.concat([Buffer.from(`${from.root}/`), bufferOf("f\xff\xfe" as ByteString)]), "x");
    expect((await from.find(""))[0]?.list().nodes.map(({ path }) => path)).toEqual(["", "f\xff\xfe"]);
    expect((await from.find("f*"))[0]?.name).toBe("f\xff\xfe");
    expect((await from.find("f??"))[0]?.name).toBe("f\xff\xfe");
  });

  it("are found under names in UTF-8", async () => {
    const from = await context({ "ü/🎉": file() });
    expect(await found(from, "ü/🎉")).toEqual(["🎉: (file)"]);
    expect(await found(from, "?/?")).toEqual(["🎉: (file)"]);
  });

  it("keep user attributes and capabilities, and no others", needs("root"), async () => {
    const from = await context({ f: file("x", { xattrs: { "user.a": "1", "trusted.b": "2", "security.capability": capability } }) });
    const [one] = await from.find("f");
    expect(one?.list().nodes[0]?.xattrs).toEqual({ "security.capability": capability, "user.a": "1" });
  });

  it("have capabilities in the form that holds for whoever unpacks them", needs("root"), async () => {
    const ofUser1000 = `${capability.slice(0, 3)}\x03${capability.slice(4)}\xe8\x03\0\0`;
    const from = await context({ f: file("x", { xattrs: { "security.capability": ofUser1000 } }) });
    expect((await from.find("f"))[0]?.list().nodes[0]?.xattrs).toEqual({ "security.capability": capability });
  });

  it("have no access lists, which name the machine's users", needs("acl"), async () => {
    const from = await context({ "d/f": file("x", { xattrs: { "user.a": "1" } }) });
    execFileSync("setfacl", ["-m", "u:12345:rwx", join(from.root, "d/f")]);
    execFileSync("setfacl", ["-d", "-m", "u:12345:rwx", join(from.root, "d")]);
    const nodes = (await from.find(""))[0]?.list().nodes ?? [];
    expect(nodes.map(({ path, xattrs }) => [path, xattrs])).toEqual([
      ["", undefined],
      ["d", undefined],
      ["d/f", { "user.a": "1" }],
    ]);
  });

  it("do not show the attributes of the context's own directory", async () => {
    const from = await context({ d: dir({ xattrs: { "user.b": "2" } }) });
    execFileSync("setfattr", ["-n", "user.a", "-v", "1", from.root]);
    expect((await from.find(""))[0]?.list().nodes.map(({ xattrs }) => xattrs)).toEqual([undefined, { "user.b": "2" }]);
  });
});

describe("an ignore file", () => {
  const wanted = {
    "a.txt": file(),
    "b.md": file(),
    "dir/x": file(),
    "dir/keep": file(),
    "dir/sub/y": file(),
    "dir/sub/keep": file(),
    "other/z": file(),
  };

  it.each<[name: string, ignore: string, source: string, expected: string[]]>([
    ["takes a file out", "a.txt", "", [": (directory) b.md dir dir/keep dir/sub dir/sub/keep dir/sub/y dir/x other other/z"]],
    ["takes a directory out", "dir", "", [": (directory) a.txt b.md other other/z"]],
    ["takes all out", "*", "", [": (directory)"]],
    ["puts one file back", "*\n!b.md", "", [": (directory) b.md"]],
    ["puts a file in a directory back, with its directory", "dir\n!dir/keep", "", [": (directory) a.txt b.md dir dir/keep other other/z"]],
    ["puts files at any depth back", "dir\n!**/keep", "", [": (directory) a.txt b.md dir dir/keep dir/sub dir/sub/keep other other/z"]],
    ["is about a directory that is copied itself", "dir\n!dir/keep", "dir", ["dir: (directory) keep"]],
    ["is about directories of a wildcard", "dir\n!dir/keep", "d*", ["dir: (directory) keep"]],
    ["is about files of a wildcard", "*.txt", "*", ["b.md: (file)", "dir: (directory) keep sub sub/keep sub/y x", "other: (directory) z"]],
    ["takes a wildcard's only file out", "a.txt", "*.txt", []],
    ["takes a wildcard's directory out where nothing in it is put back", "dir\n!dir/nothing", "d*", []],
  ])("%s", async (_name, ignore, source, expected) => {
    expect(await found(await context(wanted, ignore), source)).toEqual(expected);
  });

  it.each<[name: string, ignore: string, source: string, by: string]>([
    ["a file", "# all texts\n*.txt", "a.txt", ".dockerignore:2: *.txt"],
    ["a file of a directory", "dir", "dir/x", ".dockerignore:1: dir"],
    ["a directory", "dir", "dir", ".dockerignore:1: dir"],
    ["a directory of which nothing comes back", "dir\n!dir/nothing", "dir", ".dockerignore:1: dir"],
    ["the rule that decides is named, not the first", "dir\n!dir/x\n\n /dir/x ", "dir/x", ".dockerignore:4: /dir/x"],
  ])("is why a source is not found: %s", async (_name, ignore, source, by) => {
    const from = await context(wanted, ignore);
    await expect(from.find(source)).rejects.toMatchObject({
      code: "COPY_SOURCE_NOT_FOUND",
      message: `looking for "${source}" in the build context ${from.root}: excluded by ${by}`,
      hint: `re-include it with a line "!${source}" in .dockerignore`,
    });
  });

  it.each<[name: string, ignore: string, word: string, flags: Partial<SelectionFlags>, rule: string | undefined]>([
    ["a wildcard's matches", "dir/x\ndir/keep", "dir/[kx]*", {}, "2: dir/keep"],
    ["a directory that a wildcard matches", "dir", "d*", {}, "1: dir"],
    ["a wildcard's matches but what --exclude leaves out anyway", "dir/x\ndir/keep", "dir/[kx]*", { exclude: ["keep"] }, "1: dir/x"],
    ["what --parents would take", "**/keep", "dir/*/keep", { parents: true }, "1: **/keep"],
    ["what --parents would take below a pivot", "**/keep", "d*/./*/keep", { parents: true }, "1: **/keep"],
    ["the whole context", "# all\n**", "", {}, "2: **"],
    ["nothing of a context that --exclude leaves out", "a.txt", "", { exclude: ["*"] }, undefined],
    ["nothing, where nothing matches", "*", "no*", {}, undefined],
    ["nothing, where --parents matches nothing", "*", "no/*", { parents: true }, undefined],
    ["nothing that is a directory's name", "dir/*", "dir", {}, undefined],
  ])("is why there is nothing to copy: %s", async (_name, ignore, word, flags, rule) => {
    const from = await context(wanted, ignore);
    const selection = { parents: false, exclude: [], ...flags };
    expect((await from.find(word, selection)).every(({ isEmpty }) => isEmpty)).toBe(true);
    const by = await from.leftOutBy(word, selection);
    expect(by && `${by.line}: ${by.text}`).toBe(rule);
  });

  it("is not why nothing is copied of a context without one", async () => {
    const { root } = await context({ d: dir() });
    expect(await directoryContext(root, undefined).leftOutBy("d*")).toBeUndefined();
  });

  it("says which ignore file it was, and shows of a long or hostile rule only what is safe", async () => {
    const { root } = await context(wanted);
    const rule = (text: string) => directoryContext(root, parseIgnoreFile(text, "api.Dockerfile.dockerignore")).find("a.txt");
    await expect(rule("[a\u001b\u202e]*")).rejects.toMatchObject({
      message: `looking for "a.txt" in the build context ${root}: excluded by api.Dockerfile.dockerignore:1: [a\\u{1b}\\u{202e}]*`,
      hint: 're-include it with a line "!a.txt" in api.Dockerfile.dockerignore',
    });
    await expect(rule(`${"*".repeat(3000)}`)).rejects.toMatchObject({
      message: `looking for "a.txt" in the build context ${root}: excluded by api.Dockerfile.dockerignore:1: ${"*".repeat(200)}…`,
    });
  });

  it("says the same as walking everything and asking of each file", async () => {
    const rules = "**\n!dir\n!other/*\ndir/s*\n!**/keep";
    const filtered = await context(wanted, rules);
    const all = (await directoryContext(filtered.root, undefined).find(""))[0]?.list().nodes ?? [];
    const ignore = parseIgnoreFile(rules);
    const files = all.filter(({ kind, path }) => kind === "file" && !ignore.excludes(path)).map(({ path }) => path);
    const seen = (await filtered.find(""))[0]?.list().nodes ?? [];
    expect(seen.filter(({ kind }) => kind === "file").map(({ path }) => path)).toEqual(files);
    expect(files).toEqual(["dir/keep", "dir/sub/keep", "dir/x", "other/z"]);
  });
});

describe("attacks by symlinks: nothing outside of the context is reached by", () => {
  const secret = "/etc/passwd";

  it.each<[name: string, wanted: Record<string, Wanted>, source: string]>([
    ["a link to an absolute path", { l: symlink(secret) }, "l"],
    ["a link that goes up", { l: symlink("../../../../../../etc/passwd") }, "l"],
    ["a link to a directory outside", { l: symlink("/etc") }, "l/passwd"],
    ["a link to the parent", { l: symlink("..") }, "l/etc/passwd"],
    ["a link to /proc", { l: symlink("/proc/self/root/etc/passwd") }, "l"],
    ["a chain of links", { a: symlink("b"), b: symlink("d/c"), "d/c": symlink("../../../../etc/passwd") }, "a"],
    ["parents in the middle of a word's link", { "d/l": symlink("../../../etc"), d: dir() }, "d/l/passwd"],
  ])("%s", async (_name, wanted, source) => {
    await expect((await context(wanted)).find(source)).rejects.toMatchObject({ code: "COPY_SOURCE_NOT_FOUND" });
  });

  it("a link whose text is a path outside: it means that path in the context", async () => {
    const from = await context({ l: symlink(secret), "etc/passwd": file("mine") });
    expect((await from.find("l"))[0]?.list().nodes[0]).toMatchObject({ size: 4, content: { path: "etc/passwd" } });
  });

  it("a link to the context's parent: it is the context", async () => {
    expect(await found(await context({ l: symlink(".."), x: file() }), "l")).toEqual(["l: (directory) l x"]);
  });

  it.each<[name: string, wanted: Record<string, Wanted>]>([
    ["itself", { l: symlink("l") }],
    ["each other", { l: symlink("m"), m: symlink("l") }],
    ["a name below itself", { l: symlink("l/x") }],
  ])("links that lead to %s end", async (_name, wanted) => {
    await expect((await context(wanted)).find("l")).rejects.toMatchObject({
      code: "SYMLINK_LOOP",
      message: "following l in the build context: too many levels of symbolic links",
    });
  });

  it("links that lead in a circle below a copied directory are copied as they are", async () => {
    expect(await found(await context({ "d/l": symlink("../d") }), "d")).toEqual(["d: (directory) l"]);
  });

  it("a wildcard that matches links: only what is inside is found", async () => {
    expect(await found(await context({ l1: symlink(secret), l2: symlink("x"), l3: symlink("/etc"), x: file() }), "l*")).toEqual([
      "l2: (file)",
    ]);
  });

  it("a link to what the ignore file takes out, by name", async () => {
    const from = await context({ l: symlink("secret"), secret: file() }, "secret");
    await expect(from.find("l")).rejects.toMatchObject({ code: "COPY_SOURCE_NOT_FOUND" });
  });

  it("a link to what the ignore file takes out, by wildcard", async () => {
    const from = await context({ l: symlink("secret/key"), "secret/key": file() }, "secret");
    expect(await found(from, "l*")).toEqual([]);
  });

  it("a link that the ignore file takes out itself", async () => {
    const from = await context({ l: symlink("x"), x: file() }, "l");
    await expect(from.find("l")).rejects.toMatchObject({ code: "COPY_SOURCE_NOT_FOUND" });
  });
});

describe("the fingerprint", () => {
  const fingerprint = async (from: DirectoryContext, source = "d") => (await from.find(source))[0]?.fingerprint;

  it.each([undefined, "nothing-of-this"])(
    "is the same while nothing changes, and another when something does (ignore file: %s)",
    async (ignore) => {
      const wanted = { "d/f": file("x"), "d/l": symlink("f"), "d/e": dir(), outside: file() };
      const from = await context(wanted, ignore);
      const first = await fingerprint(from);
      writeFileSync(join(from.root, "outside"), "changed");
      expect(await fingerprint(from)).toBe(first);
      const changes: (() => void)[] = [
        () => writeFileSync(join(from.root, "d/f"), "longer"),
        () => renameSync(join(from.root, "d/f"), join(from.root, "d/g")),
        () => {
          unlinkSync(join(from.root, "d/l"));
          symlinkSync("h", join(from.root, "d/l"));
        },
        () => writeFileSync(join(from.root, "d/e/new"), ""),
      ];
      const seen = [first];
      for (const change of changes) {
        change();
        seen.push(await fingerprint(from));
      }
      expect(new Set(seen).size).toBe(seen.length);
    },
  );

  it("does not see what the ignore file takes out", async () => {
    const from = await context({ "d/f": file("x"), "d/log/1": file() }, "d/log");
    const first = await fingerprint(from);
    writeFileSync(join(from.root, "d/log/1"), "more");
    expect(await fingerprint(from)).toBe(first);
  });
});
