import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { directoryContext } from "../../../builder/context/directory.ts";
import { parseIgnoreFile } from "../../../builder/context/ignore.ts";
import type { FileOrigin } from "../../../builder/plan/operation.ts";
import { type BindSources, bindInputs } from "../../../builder/steps/bind-inputs.ts";
import { contextReader } from "../../../builder/steps/context-inputs.ts";
import { rootfsInputs } from "../../../builder/steps/rootfs-inputs.ts";
import type { BindMount } from "../../../builder/steps/run-inputs.ts";
import type { Files, StepContext } from "../../../builder/steps/step.ts";
import type { SourceEntry } from "../../../store/layer/entry.ts";
import type { Store } from "../../../store/store.ts";
import { directoryEntry, fileEntry, hardlinkEntry, symlinkEntry } from "../../store/layer/samples.ts";
import { contextDirectory } from "../../support/context.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { dir, file, link, makeTree, symlink } from "../../support/tree.ts";
import { filesOf, stepContext, temporaryStore } from "./step-context.ts";

const context: FileOrigin = { from: "context" };
const stage: FileOrigin = { from: "stage", stage: 0 };

interface Built {
  readonly store: Store;
  readonly context: StepContext;
  /** The inputs of a new build on the same store. */
  build(): (origin: FileOrigin, source: string, written?: string) => ReturnType<ReturnType<ReturnType<typeof bindInputs>>["bind"]>;
  /** What the mount shows: kind, mode, path, and the content of files. */
  shown(origin: FileOrigin, source: string): Promise<readonly string[]>;
}

/** A store, a build context, and a stage. */
async function builds(
  root: string,
  entries: readonly SourceEntry[] = [],
  change: { ignore?: string; onRootfs?: () => void } = {},
): Promise<Built> {
  const store = await temporaryStore();
  const plain = stepContext(store);
  const step: StepContext = {
    ...plain,
    rootfs(layers) {
      change.onRootfs?.();
      return plain.rootfs(layers);
    },
  };
  const files = await filesOf(store, entries);
  const build: Built["build"] = () => {
    const rules = change.ignore === undefined ? undefined : parseIgnoreFile(change.ignore);
    const reader = contextReader(store, directoryContext(root, rules), step.now);
    const sources: BindSources = {
      async inputs(origin, request) {
        if (origin.from === "context") return reader.inputs(request);
        return rootfsInputs(
          request,
          { chain: files.chain, describe: 'stage "build"', rootfs: () => step.rootfs(files.layers) },
          step.cache,
        );
      },
      files: async (): Promise<Files> => files,
    };
    const inputs = bindInputs(sources)(step);
    return (origin, source, written) =>
      inputs.bind({ type: "bind", target: "/m", origin, source, ...(written && { written }), readOnly: true } satisfies BindMount);
  };
  return {
    store,
    context: step,
    build,
    async shown(origin, source) {
      const { layers, source: at, isFile } = await build()(origin, source).open();
      const rootfs = await step.rootfs(layers);
      const { path } = rootfs.resolve(at as never, { followLast: true });
      if (isFile) return [`file ${(await rootfs.read(path, { limit: 1000 })).toString("utf8")}`];
      const lines = [];
      for (const entry of rootfs.walk(path)) {
        const content = entry.kind === "file" ? ` ${(await rootfs.read(entry.path, { limit: 1000 })).toString("utf8")}` : "";
        lines.push(`${entry.kind} ${entry.mode.toString(8)} ${entry.path.slice(path === "" ? 0 : path.length + 1)}${content}`);
      }
      return lines;
    },
  };
}

describe("what a bind mount shows", () => {
  it("of a context is what its ignore file leaves", async () => {
    const root = contextDirectory({ "a/file": "1", "a/run": { text: "2", mode: 0o755 }, "b.log": "3", "c/d/e.log": "4" });
    const { shown, store } = await builds(root, [], { ignore: "**/*.log\n" });
    expect(await shown(context, "")).toEqual([
      "directory 755 a",
      "file 644 a/file 1",
      "file 755 a/run 2",
      "directory 755 c",
      "directory 755 c/d",
    ]);
    expect(await shown(context, "a")).toEqual(["file 644 file 1", "file 755 run 2"]);
    expect(await shown(context, "a/run")).toEqual(["file 2"]);
    await store.close();
  });

  it("of a context's directory has its mode, of the context's own the mode 0755", async () => {
    const root = temporaryDirectory("context");
    await makeTree(root, { "a/b/one": file("1"), "a/b/two": link("a/b/one"), "a/b": dir({ mode: 0o700 }) });
    chmodSync(root, 0o750);
    const { build, store, context: step } = await builds(root);
    const shown = async (source: string) => {
      const { layers, source: at } = await build()(context, source).open();
      const rootfs = await step.rootfs(layers);
      const { entry } = rootfs.resolve(at as never, { followLast: true });
      return `${entry?.kind} ${entry?.mode.toString(8)}`;
    };
    expect(await shown("a/b")).toBe("directory 700");
    expect(await shown("a")).toBe("directory 755");
    expect(await shown("")).toBe("directory 755");
    await store.close();
  });

  it("of a stage is what its layers have", async () => {
    const { shown, store } = await builds(temporaryDirectory(), [
      directoryEntry("src", { mode: 0o700 }),
      fileEntry("src/file", "1"),
      symlinkEntry("link", "src"),
    ]);
    expect(await shown(stage, "")).toEqual(["symlink 777 link", "directory 700 src", "file 644 src/file 1"]);
    expect(await shown(stage, "src")).toEqual(["file 644 file 1"]);
    expect(await shown(stage, "link/file")).toEqual(["file 1"]);
    await store.close();
  });

  it("of a source with the signs of a pattern is the file of that name", async () => {
    const names = ["a*", "b?[x]", "c\\d*"];
    const root = contextDirectory(Object.fromEntries([...names, "ab", "b1x", "cd1"].map((name) => [`${name}/file`, name])));
    const { shown, store } = await builds(
      root,
      names.map((name) => fileEntry(`${name}/file`, name)),
    );
    for (const origin of [context, stage]) for (const name of names) expect(await shown(origin, name)).toEqual([`file 644 file ${name}`]);
    await store.close();
  });

  it("of a context stays inside it, wherever its symlinks point", async () => {
    const outside = contextDirectory({ secret: "SECRET OF THE HOST" });
    const root = contextDirectory({ file: "1" });
    symlinkSync(outside, join(root, "absolute"));
    symlinkSync(`../${outside.split("/").at(-1)}`, join(root, "relative"));
    const { build, store } = await builds(root);
    for (const source of ["absolute", "relative", "absolute/secret", "relative/secret"]) {
      await expect(build()(context, source).open(), source).rejects.toMatchObject({ code: "MOUNT_SOURCE_NOT_FOUND" });
    }
    await store.close();
  });

  it("is what was read when the digest was asked for, whatever happens to the context afterwards", async () => {
    const root = contextDirectory({ file: "before" });
    const { build, store, context: step } = await builds(root);
    const input = build()(context, "file");
    const digest = await input.digest();
    writeFileSync(join(root, "file"), "afterwards");
    const { layers, source } = await input.open();
    expect((await (await step.rootfs(layers)).read(source as never, { limit: 100 })).toString()).toBe("before");
    expect(await build()(context, "file").digest()).not.toBe(digest);
    await store.close();
  });
});

describe("the digest of a bind mount", () => {
  it("is one for one content, whether a context or a stage shows it, under whatever name and time", async () => {
    const root = temporaryDirectory("context");
    await makeTree(root, {
      "one/empty": dir({ mode: 0o711 }),
      "one/file": file("x"),
      "one/link": symlink("file"),
      "one/other": link("one/file"),
      "one/run": file("y", { mode: 0o755, mtime: 5 }),
    });
    const entries = (top: string, mtime: number) => [
      directoryEntry(top, { mtime }),
      directoryEntry(`${top}/empty`, { mode: 0o711 }),
      fileEntry(`${top}/file`, "x", { mtime }),
      symlinkEntry(`${top}/link`, "file"),
      hardlinkEntry(`${top}/other`, `${top}/file`, { mtime }),
      fileEntry(`${top}/run`, "y", { mode: 0o755 }),
    ];
    const { build, store } = await builds(root, [...entries("two", 7), ...entries("three", 9), fileEntry("renamed", "x")]);
    const digest = await build()(context, "one").digest();
    expect(await build()(stage, "two").digest()).toBe(digest);
    expect(await build()(stage, "three").digest()).toBe(digest);
    expect(await build()(stage, "renamed").digest()).toBe(await build()(context, "one/file").digest());
    utimesSync(join(root, "one/file"), 1, 1);
    expect(await build()(context, "one").digest()).toBe(digest);
    await store.close();
  });

  it.each<[string, (root: string) => void]>([
    ["a content", (root) => writeFileSync(join(root, "d/file"), "2")],
    ["its own mode", (root) => chmodSync(join(root, "d"), 0o700)],
    ["an attribute of its own", (root) => execFileSync("setfattr", ["-n", "user.a", "-v", "1", join(root, "d")])],
    ["a mode", (root) => chmodSync(join(root, "d/file"), 0o755)],
    ["the mode of a directory in it", (root) => chmodSync(join(root, "d/e"), 0o700)],
    ["a new file", (root) => writeFileSync(join(root, "d/new"), "")],
    ["a new directory", (root) => mkdirSync(join(root, "d/new"))],
    ["a removed file", (root) => rmSync(join(root, "d/file"))],
  ])("changes with %s", async (_name, change) => {
    const root = contextDirectory({ "d/file": "1", "d/e/file": "1", "other/file": "1" });
    const { build, store } = await builds(root);
    const before = await build()(context, "d").digest();
    writeFileSync(join(root, "other/file"), "not shown");
    expect(await build()(context, "d").digest()).toBe(before);
    change(root);
    expect(await build()(context, "d").digest()).not.toBe(before);
    await store.close();
  });

  it("is known without making a layer once the content was mounted", async () => {
    const root = contextDirectory({ file: "1" });
    const { build, store } = await builds(root, [fileEntry("file", "1")]);
    const layers = () => readdirSync(join(store.root, "blobs/sha256")).length;
    const before = layers();
    expect(await build()(context, "").known()).toBeUndefined();
    expect(layers()).toBe(before);
    const digest = await build()(context, "").digest();
    expect(await build()(context, "").known()).toBe(digest);
    writeFileSync(join(root, "file"), "2");
    expect(await build()(context, "").known()).toBeUndefined();
    expect(await build()(stage, "file").known()).toBe(await build()(stage, "file").digest());
    await store.close();
  });

  it("is that of a stage's directory of the same mode, and of no other", async () => {
    const root = temporaryDirectory("context");
    await makeTree(root, { "d/f": file("x"), d: dir({ mode: 0o700 }) });
    const entries = (top: string, mode: number) => [directoryEntry(top, { mode }), fileEntry(`${top}/f`, "x")];
    const { build, store } = await builds(root, [...entries("closed", 0o700), ...entries("open", 0o755)]);
    const digest = await build()(context, "d").digest();
    expect(await build()(stage, "closed").digest()).toBe(digest);
    expect(await build()(stage, "open").digest()).not.toBe(digest);
    await store.close();
  });

  it("is found again by the mode, where roots are kept", async () => {
    const root = contextDirectory({ "d/f": "1" });
    for (const path of ["d/f", "d", ""]) utimesSync(join(root, path), 1, 1);
    const { build, store } = await builds(root);
    const before = await build()(context, "d").digest();
    chmodSync(join(root, "d"), 0o711);
    expect(await build()(context, "d").known()).toBeUndefined();
    expect(await build()(context, "d").digest()).not.toBe(before);
    chmodSync(join(root, "d"), 0o755);
    expect(await build()(context, "d").known()).toBe(before);
    await store.close();
  });

  it("changes with the mode and the owner of a stage's directory", async () => {
    const tops = [{}, { mode: 0o700 }, { uid: 5 }, { gid: 5 }];
    const { build, store } = await builds(
      temporaryDirectory(),
      tops.map((owned, i) => directoryEntry(`d${i}`, owned)),
    );
    const digests = await Promise.all(tops.map((_, i) => build()(stage, `d${i}`).digest()));
    expect(new Set(digests).size).toBe(tops.length);
    await store.close();
  });

  it.each([
    ["a stage", stage, "src"],
    ["a context", context, "src"],
  ])("of %s reads no layer once it is kept", async (_name, origin, source) => {
    let read = 0;
    const root = contextDirectory({ "src/file": "1" });
    // What was just written is looked at again: its next change could have the same time.
    for (const path of ["src/file", "src", ""]) utimesSync(join(root, path), 1, 1);
    const { build, store } = await builds(root, [fileEntry("src/file", "1")], { onRootfs: () => read++ });
    const digest = await build()(origin, source).digest();
    expect(read).toBeGreaterThan(0);
    read = 0;
    expect(await build()(origin, source).digest()).toBe(digest);
    expect(read).toBe(0);
    await store.close();
  });
});

describe("the source of a bind mount that is missing", () => {
  it.each<[string, FileOrigin, string, string, written?: string]>([
    ["above the context", context, "x", 'mounting on /m: looking for "../x" in the build context ROOT: no such file or directory', "../x"],
    ["above a stage", stage, "x", 'mounting on /m: looking for "../x" in stage "build": no such file or directory', "../x"],
    ["in the context", context, "no/such", 'mounting on /m: looking for "no/such" in the build context ROOT: no such file or directory'],
    ["in a stage", stage, "no/such", 'mounting on /m: looking for "/no/such" in stage "build": no such file or directory'],
    ["below a file", stage, "file/below", 'mounting on /m: looking for "/file/below" in stage "build": no such file or directory'],
  ])("is named: %s", async (_name, origin, source, message, written) => {
    const root = contextDirectory({ file: "" });
    const { build, store } = await builds(root, [fileEntry("file")]);
    const named = { code: "MOUNT_SOURCE_NOT_FOUND", message: message.replace("ROOT", root) };
    await expect(build()(origin, source, written).digest()).rejects.toMatchObject(named);
    await store.close();
  });

  it("because it is ignored is named with the rule", async () => {
    const { build, store } = await builds(contextDirectory({ "a.log": "" }), [], { ignore: "# none\n*.log\n" });
    await expect(build()(context, "a.log").digest()).rejects.toMatchObject({
      code: "MOUNT_SOURCE_NOT_FOUND",
      message: expect.stringContaining("*.log"),
    });
    await store.close();
  });
});
