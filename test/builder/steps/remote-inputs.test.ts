import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { stepCache } from "../../../builder/cache/records.ts";
import type { FetchedFile, FetchedTree } from "../../../builder/fetch/remote-sources.ts";
import type { GitSource, HttpSource } from "../../../builder/plan/operation.ts";
import { copyStep, lookupCopy } from "../../../builder/steps/copy.ts";
import { requestOf } from "../../../builder/steps/copy-inputs.ts";
import { gitInputs, httpInputs } from "../../../builder/steps/remote-inputs.ts";
import { digestOf } from "../../../store/digest.ts";
import type { Store } from "../../../store/store.ts";
import { directoryEntry } from "../../store/layer/samples.ts";
import { mustRun } from "../../support/command.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { dir, file, makeTree, symlink, type Wanted } from "../../support/tree.ts";
import { type CopyChange, copyOperation, entriesOf, filesOf, noFiles, stepContext, temporaryStore } from "./step-context.ts";

const web: HttpSource = { kind: "http", url: "https://example.com/files/a.txt?token=x", name: "a.txt" };

/** A file as it lies in the store when it has been fetched. */
function fetched(content: string | Uint8Array, more: Partial<FetchedFile> = {}): FetchedFile {
  const path = join(temporaryDirectory("fetched"), "file");
  writeFileSync(path, content);
  return { digest: digestOf(content), size: Buffer.byteLength(content), path, ...more };
}

describe("ADD of a URL", () => {
  const add = (change: CopyChange = {}) =>
    copyOperation({ words: [web], target: "/t/", unpack: { local: true, remote: false }, ...change });
  const addFrom = (store: Store, from: FetchedFile, change: CopyChange = {}, files = noFiles) =>
    copyStep(add(change), files, async () => httpInputs(from, web), stepContext(store));

  it.each<[name: string, change: CopyChange, more: Partial<FetchedFile>, expected: string[]]>([
    [
      "is root's and 0600, with the server's time",
      {},
      { lastModified: 1_500_000_000 },
      ["d 755 0:0 1500000000 t", "f 600 0:0 1500000000 t/a.txt"],
    ],
    ["has time 0 where the server says none", {}, {}, ["d 755 0:0 0 t", "f 600 0:0 0 t/a.txt"]],
    ["takes the name that the target gives", { target: "/b" }, {}, ["f 600 0:0 0 b"]],
    ["takes owner and mode of the flags", { target: "/b", chown: "7:8", chmod: "u+x" }, {}, ["f 700 7:8 0 b"]],
    ["goes to a directory's own name beside other sources", { words: [web, web] }, {}, ["d 755 0:0 0 t", "f 600 0:0 0 t/a.txt"]],
  ])("%s", async (_name, change, more, expected) => {
    await using store = await temporaryStore();
    expect(await entriesOf(store, await addFrom(store, fetched("text", more), change))).toEqual(expected);
  });

  it("goes into a directory there is", async () => {
    await using store = await temporaryStore();
    const files = await filesOf(store, [directoryEntry("b", { mtime: 9 })]);
    expect(await entriesOf(store, await addFrom(store, fetched("x"), { target: "/b" }, files))).toEqual([
      "d 755 0:0 9 b",
      "f 600 0:0 0 b/a.txt",
    ]);
  });

  it("is no archive unless it shall be", async () => {
    await using store = await temporaryStore();
    const root = temporaryDirectory("tar");
    await makeTree(root, { f: file("x", { mtime: 5 }) });
    const tar = gzipSync(await tarOf(root));
    expect(await entriesOf(store, await addFrom(store, fetched(tar)))).toEqual(["d 755 0:0 0 t", "f 600 0:0 0 t/a.txt"]);
    const unpacked = await addFrom(store, fetched(tar), { unpack: { local: false, remote: true } });
    expect(await entriesOf(store, unpacked)).toEqual(["d 755 0:0 5 t", "f 644 0:0 5 t/f"]);
  });

  it("is cached by content and name, without being read", async () => {
    await using store = await temporaryStore();
    await addFrom(store, fetched("text"));
    const gone: FetchedFile = { digest: digestOf("text"), size: 4, path: "/nowhere/at/all", lastModified: 7 };
    expect((await addFrom(store, gone)).cached).toBe(true);
    expect((await addFrom(store, fetched("other"))).cached).toBe(false);
  });

  it("is refused where the store's file is not what was fetched", async () => {
    await using store = await temporaryStore();
    const from = fetched("text", { digest: digestOf("what was fetched") });
    await expect(addFrom(store, from)).rejects.toMatchObject({
      code: "CHECKSUM_MISMATCH",
      message: `copying "a.txt": fetched as ${digestOf("what was fetched")}, it is ${digestOf("text")} in the store`,
    });
  });
});

describe("ADD of a repository", () => {
  const source: GitSource = { kind: "git", remote: "https://example.com/r.git", keepGitDir: false, submodules: true };
  const commit = "0123456789012345678901234567890123456789";

  async function repository(
    wanted: Readonly<Record<string, Wanted>>,
    id = commit,
  ): Promise<{ tree: FetchedTree; checkouts: () => number }> {
    const root = temporaryDirectory("checkout");
    await makeTree(root, wanted);
    let checkouts = 0;
    const directory = async () => {
      checkouts++;
      return root;
    };
    return { tree: { commit: id, directory }, checkouts: () => checkouts };
  }

  const add = (change: CopyChange = {}) =>
    copyOperation({ words: [source], target: "/t/", unpack: { local: true, remote: false }, ...change });
  const addFrom = (store: Store, tree: FetchedTree, change: CopyChange = {}, from = source) => {
    const operation = add(change);
    const inputs = () => gitInputs(tree, from, requestOf(operation, [""]), stepCache(store), "the repository");
    return copyStep(operation, noFiles, async () => inputs(), stepContext(store));
  };
  const wanted = {
    "a/f": file("text", { mode: 0o755 }),
    "a/l": symlink("f"),
    ".dockerignore": file("**"),
    "e.md": file("x"),
    "x.tar": file(""),
  };

  it.each<[name: string, change: CopyChange, expected: string[]]>([
    ["copies what is in it, whatever its ignore file says", {}, [".dockerignore", "a", "a/f", "a/l", "e.md", "x.tar"]],
    ["leaves out what --exclude does", { exclude: ["**/*.md", ".*"] }, ["a", "a/f", "a/l", "x.tar"]],
    ["is the same with --parents", { parents: true, exclude: ["a", ".*"] }, ["e.md", "x.tar"]],
  ])("%s", async (_name, change, expected) => {
    await using store = await temporaryStore();
    const { tree } = await repository(wanted);
    const entries = await entriesOf(store, await addFrom(store, tree, change));
    expect(
      entries.map((line) =>
        line
          .split(" ")
          .slice(4)
          .join(" ")
          .replace(/ -> .*/, ""),
      ),
    ).toEqual(["t", ...expected.map((path) => `t/${path}`)]);
  });

  it("checks out nothing where the commit's content is known", async () => {
    await using store = await temporaryStore();
    const first = await repository(wanted);
    await addFrom(store, first.tree);
    const second = await repository({});
    expect((await addFrom(store, second.tree)).cached).toBe(true);
    expect([first.checkouts(), second.checkouts()]).toEqual([1, 0]);
  });

  it("is cached for another commit with the same content, not for another content, subdirectory or with .git", async () => {
    await using store = await temporaryStore();
    await addFrom(store, (await repository(wanted)).tree);
    expect((await addFrom(store, (await repository(wanted, commit.replace("0", "f"))).tree)).cached).toBe(true);
    const other = (await repository({ "a/f": file("other") })).tree;
    expect((await addFrom(store, { ...other, commit: commit.replace("0", "e") })).cached).toBe(false);
    expect((await addFrom(store, other, {}, { ...source, subdir: "b" })).cached).toBe(true);
    const whole = (await repository({ ...wanted, ".git": dir() })).tree;
    expect((await addFrom(store, whole, {}, { ...source, keepGitDir: true })).cached).toBe(false);
  });

  it("is looked up without being written", async () => {
    await using store = await temporaryStore();
    const operation = add();
    const { tree } = await repository(wanted);
    const look = () =>
      lookupCopy(
        operation,
        noFiles,
        async () => gitInputs(tree, source, requestOf(operation, [""]), stepCache(store), "the repository"),
        stepContext(store),
      );
    expect(await look()).toBeUndefined();
    const made = await addFrom(store, tree);
    expect(await look()).toEqual({ ...made, cached: true });
  });
});

async function tarOf(root: string): Promise<Buffer> {
  const tar = join(temporaryDirectory("tar"), "x.tar");
  await mustRun(["tar", "--owner=0", "--group=0", "--numeric-owner", "-C", root, "-cf", tar, "f"]);
  return readFileSync(tar);
}
