import { execFileSync } from "node:child_process";
import { appendFileSync, chmodSync, mkdirSync, renameSync, rmSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { stepCache } from "../../../builder/cache/records.ts";
import { directoryContext } from "../../../builder/context/directory.ts";
import { keyVersion } from "../../../builder/plan/key.ts";
import { contextReader } from "../../../builder/steps/context-inputs.ts";
import { copyStep, lookupCopy } from "../../../builder/steps/copy.ts";
import type { CopyInputs } from "../../../builder/steps/copy-inputs.ts";
import { rootfsInputs } from "../../../builder/steps/rootfs-inputs.ts";
import { keyContext, type StepContext } from "../../../builder/steps/step.ts";
import { bytesOf } from "../../../runtime-addon/index.ts";
import { digestOf } from "../../../store/digest.ts";
import type { SourceEntry } from "../../../store/layer/entry.ts";
import { writerVersion } from "../../../store/layer/tar-format.ts";
import { openRootfs } from "../../../store/open-rootfs.ts";
import type { Store } from "../../../store/store.ts";
import { directoryEntry, fileEntry, hardlinkEntry } from "../../store/layer/samples.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { dir, file, link, makeTree, symlink, type Wanted } from "../../support/tree.ts";
import {
  type CopyChange,
  copyFrom,
  copyOperation,
  entriesOf,
  filesOf,
  layerRootfs,
  noFiles,
  pathRequest,
  stepContext,
  temporaryStore,
} from "./step-context.ts";

async function directory(wanted: Readonly<Record<string, Wanted>>): Promise<string> {
  const root = temporaryDirectory("context");
  await makeTree(root, wanted);
  return root;
}

/** Lets everything that changed so far become old enough to be remembered. */
const later = () => Date.now() + 60_000;

async function contentOf(store: Store, outcome: Parameters<typeof layerRootfs>[1], path: string): Promise<string> {
  return (await (await layerRootfs(store, outcome)).read(bytesOf(path), { limit: 1 << 20 })).toString("latin1");
}

describe("COPY from the context", () => {
  it("makes a layer with what was copied", async () => {
    await using store = await temporaryStore();
    const root = await directory({ "a/f": file("text", { mode: 0o640 }), "a/g": link("a/f"), "a/l": symlink("f"), b: file("no") });
    const outcome = await copyFrom(root, copyOperation({ sources: ["a"], target: "/t/" }), stepContext(store));
    expect(outcome.cached).toBe(false);
    expect(await entriesOf(store, outcome)).toEqual([
      "d 755 0:0 1000000000 t",
      "f 640 0:0 1000000000 t/f",
      "h 640 0:0 1000000000 t/g = t/f",
      expect.stringMatching(/^l 777 0:0 \d+(\.\d+)? t\/l -> f$/),
    ]);
    expect(await contentOf(store, outcome, "t/f")).toBe("text");
  });

  it("gives equal layers in two stores, whatever the order in which files were made", async () => {
    await using one = await temporaryStore();
    await using two = await temporaryStore();
    const names = ["z", "a", "m/x", "m-n"];
    const forth = await directory(Object.fromEntries(names.map((name) => [name, file(name)])));
    const back = await directory(Object.fromEntries([...names].reverse().map((name) => [name, file(name)])));
    const [first, second] = [
      await copyFrom(forth, copyOperation(), stepContext(one)),
      await copyFrom(back, copyOperation(), stepContext(two)),
    ];
    expect([first.layer.diffId, first.layer.contentId]).toEqual([second.layer.diffId, second.layer.contentId]);
  });

  it("writes heredocs", async () => {
    await using store = await temporaryStore();
    const documents = [
      { name: "one.txt", content: "1 ü\n" },
      { name: "two", content: "" },
    ];
    const outcome = await copyFrom(await directory({}), copyOperation({ sources: [], documents, target: "/t/" }), stepContext(store));
    expect(await entriesOf(store, outcome)).toEqual([
      "d 755 0:0 315619200 t",
      "f 644 0:0 315619200 t/one.txt",
      "f 644 0:0 315619200 t/two",
    ]);
    expect(Buffer.from(await contentOf(store, outcome, "t/one.txt"), "latin1").toString()).toBe("1 ü\n");
  });

  it("keeps hard links inside of one source, not across two", async () => {
    await using store = await temporaryStore();
    const root = await directory({ "d/a": file("x"), "d/b": link("d/a"), c: link("d/a") });
    const outcome = await copyFrom(root, copyOperation({ sources: ["d", "c"], target: "/t/" }), stepContext(store));
    expect((await entriesOf(store, outcome)).map((line) => line.replace(/^(.) .*? t/, "$1 t"))).toEqual([
      "d t",
      "f t/a",
      "h t/b = t/a",
      "f t/c",
    ]);
  });

  it("copies with the directories above, and without what is excluded", async () => {
    await using store = await temporaryStore();
    const files = await filesOf(store, [directoryEntry("app", { mode: 0o700, uid: 3, mtime: 9 })]);
    const root = await directory({
      "app/src/a.ts": file("a"),
      "app/src/a.test.ts": file("t"),
      "app/b.ts": file("b"),
      app: dir({ mode: 0o750 }),
    });
    const operation = copyOperation({ sources: ["app/src/*.ts"], target: "/", parents: true, exclude: ["**/*.test.ts"] });
    const outcome = await copyFrom(root, operation, stepContext(store), { files });
    expect(await entriesOf(store, outcome)).toEqual([
      "d 750 3:0 9 app",
      "d 755 0:0 1000000000 app/src",
      "f 644 0:0 1000000000 app/src/a.ts",
    ]);
    writeFileSync(join(root, "app/src/a.test.ts"), "changed");
    expect((await copyFrom(root, operation, stepContext(store), { files })).cached).toBe(true);
    writeFileSync(join(root, "app/src/a.ts"), "changed");
    expect((await copyFrom(root, operation, stepContext(store), { files })).cached).toBe(false);
  });

  it("is not the same step where a directory is taken itself and where it only leads to what is", async () => {
    await using store = await temporaryStore();
    const files = await filesOf(store, [directoryEntry("d", { mode: 0o700, uid: 3, mtime: 9 })]);
    const root = await directory({ "d/f": file("x") });
    const whole = await copyFrom(root, copyOperation({ sources: ["d"], target: "/", parents: true }), stepContext(store), { files });
    const part = await copyFrom(root, copyOperation({ sources: ["d/f"], target: "/", parents: true }), stepContext(store), { files });
    expect((await entriesOf(store, whole))[0]).toBe("d 755 0:0 1000000000 d");
    expect((await entriesOf(store, part))[0]).toBe("d 755 3:0 9 d");
  });

  it("makes an empty layer of a wildcard that matches nothing", async () => {
    await using store = await temporaryStore();
    const outcome = await copyFrom(await directory({}), copyOperation({ sources: ["no*"], target: "/t/" }), stepContext(store));
    expect(await entriesOf(store, outcome)).toEqual([]);
  });

  it("resolves names of --chown in the stage's passwd", async () => {
    await using store = await temporaryStore();
    const files = await filesOf(store, [directoryEntry("etc", { mtime: 4 }), fileEntry("etc/passwd", "app:x:7:8::/:\n")]);
    const root = await directory({ f: file("x") });
    const outcome = await copyFrom(
      root,
      copyOperation({ sources: ["f"], target: "/etc/f", chown: "app", chmod: "u=rwX,go=" }),
      stepContext(store),
      { files },
    );
    expect(await entriesOf(store, outcome)).toEqual(["d 755 0:0 4 etc", "f 600 7:8 1000000000 etc/f"]);
    await expect(copyFrom(root, copyOperation({ sources: ["f"], chown: "nobody" }), stepContext(store), { files })).rejects.toMatchObject({
      code: "UNKNOWN_USER",
    });
  });

  it("gives all that is copied the epoch's time, so that times of sources decide nothing", async () => {
    await using store = await temporaryStore();
    const root = await directory({ new: file("", { mtime: 900.5 }), old: file("", { mtime: 100.25 }), same: file("", { mtime: 500 }) });
    const outcome = await copyFrom(root, copyOperation({ target: "/t" }), stepContext(store, { epoch: 500 }));
    expect(await entriesOf(store, outcome)).toEqual([
      "d 755 0:0 500 t",
      "f 644 0:0 500 t/new",
      "f 644 0:0 500 t/old",
      "f 644 0:0 500 t/same",
    ]);
    expect(outcome.created).toBe("1970-01-01T00:08:20Z");
  });

  it("with an epoch takes the times of each archive, whatever was unpacked before", async () => {
    await using store = await temporaryStore();
    const add = async (mtime: number) => {
      const root = await directory({ "in/f": file("", { mtime }) });
      execFileSync("tar", ["--owner=0", "--group=0", "-C", join(root, "in"), "-cf", join(root, "a.tar"), "f"]);
      const operation = copyOperation({ sources: ["a.tar"], target: "/t/", unpack: { local: true, remote: false } });
      return entriesOf(store, await copyFrom(root, operation, stepContext(store, { epoch: 500 })));
    };
    expect(await add(100)).toEqual(["d 755 0:0 500 t", "f 644 0:0 100 t/f"]);
    expect(await add(200)).toEqual(["d 755 0:0 500 t", "f 644 0:0 200 t/f"]);
    expect(await add(900)).toEqual(["d 755 0:0 500 t", "f 644 0:0 500 t/f"]);
  });
});

describe("a second COPY is cached", () => {
  type Change = (root: string) => void | Promise<void>;
  const wanted = { "d/f": file("one"), "d/g": file("two", { mode: 0o755 }), "d/l": symlink("f"), other: file("x") };
  const asked = { sources: ["d"], target: "/t/" };
  const operation = copyOperation(asked);

  async function again(change: Change, second: CopyChange = {}): Promise<boolean> {
    await using store = await temporaryStore();
    const root = await directory(wanted);
    const first = await copyFrom(root, operation, stepContext(store, { now: later }));
    await change(root);
    const outcome = await copyFrom(root, copyOperation({ ...asked, ...second }), stepContext(store, { now: later }));
    if (outcome.cached) expect(outcome).toEqual({ layer: first.layer, created: first.created, cached: true });
    return outcome.cached;
  }

  it.each<[name: string, change: Change]>([
    ["nothing changed", () => {}],
    ["files were touched", (root) => utimesSync(join(root, "d/f"), 1, 2)],
    ["the directory was touched", (root) => utimesSync(join(root, "d"), 1, 2)],
    ["a file was written anew with the same content", (root) => writeFileSync(join(root, "d/f"), "one")],
    [
      "a file was replaced by an equal one",
      (root) => {
        writeFileSync(join(root, "new"), "one");
        renameSync(join(root, "new"), join(root, "d/f"));
      },
    ],
    ["something else changed", (root) => writeFileSync(join(root, "other"), "changed")],
    [
      "a file came and went",
      (root) => {
        writeFileSync(join(root, "d/h"), "");
        unlinkSync(join(root, "d/h"));
      },
    ],
  ])("when %s", async (_name, change) => {
    expect(await again(change)).toBe(true);
  });

  it.each<[name: string, change: Change, second?: CopyChange]>([
    ["a content changed", (root) => writeFileSync(join(root, "d/f"), "onE")],
    [
      "a content changed and its times were put back",
      (root) => {
        writeFileSync(join(root, "d/f"), "onE");
        utimesSync(join(root, "d/f"), 1_000_000_000, 1_000_000_000);
      },
    ],
    ["a mode changed", (root) => chmodSync(join(root, "d/f"), 0o600)],
    ["a file is new", (root) => writeFileSync(join(root, "d/h"), "")],
    ["an empty directory is new", (root) => mkdirSync(join(root, "d/h"))],
    ["a file is gone", (root) => unlinkSync(join(root, "d/g"))],
    ["a file has another name", (root) => renameSync(join(root, "d/f"), join(root, "d/h"))],
    ["the target is another", () => {}, { target: "/u/" }],
    ["the owner is another", () => {}, { chown: "1" }],
    ["the mode is another", () => {}, { chmod: "644" }],
  ])("not when %s", async (_name, change, second) => {
    expect(await again(change, second)).toBe(false);
  });

  it("when --chmod gives modes that changed", async () => {
    await using store = await temporaryStore();
    const root = await directory(wanted);
    const withMode = { ...operation, chmod: "644" };
    await copyFrom(root, withMode, stepContext(store));
    chmodSync(join(root, "d/f"), 0o600);
    expect((await copyFrom(root, withMode, stepContext(store))).cached).toBe(true);
  });

  it("not when a symbolic --chmod would give other modes", async () => {
    await using store = await temporaryStore();
    const root = await directory({ f: file("x", { mode: 0o640 }) });
    const withMode = copyOperation({ sources: ["f"], target: "/f", chmod: "u+x" });
    await copyFrom(root, withMode, stepContext(store));
    chmodSync(join(root, "f"), 0o600);
    const second = await copyFrom(root, withMode, stepContext(store));
    expect([second.cached, await entriesOf(store, second)]).toEqual([false, ["f 700 0:0 1000000000 f"]]);
  });

  it("not without the cache, but what it makes is", async () => {
    await using store = await temporaryStore();
    const root = await directory(wanted);
    await copyFrom(root, operation, stepContext(store));
    expect((await copyFrom(root, operation, stepContext(store, { useCache: false }))).cached).toBe(false);
    expect((await copyFrom(root, operation, stepContext(store))).cached).toBe(true);
  });

  it("not on another parent, though the content is the same", async () => {
    await using store = await temporaryStore();
    const root = await directory(wanted);
    await copyFrom(root, operation, stepContext(store));
    const files = await filesOf(store, [fileEntry("x")]);
    expect((await copyFrom(root, operation, stepContext(store), { files })).cached).toBe(false);
  });

  it("from another directory with the same content", async () => {
    await using store = await temporaryStore();
    const first = await copyFrom(await directory(wanted), operation, stepContext(store));
    const second = await copyFrom(await directory(wanted), operation, stepContext(store));
    expect([second.cached, second.layer]).toEqual([true, first.layer]);
  });

  it("not when the layer is gone from the store", async () => {
    await using store = await temporaryStore();
    const root = await directory(wanted);
    const first = await copyFrom(root, operation, stepContext(store));
    rmSync(store.blobs.path(first.layer.blob.digest), { force: true });
    const second = await copyFrom(root, operation, stepContext(store));
    expect([second.cached, second.layer.diffId]).toEqual([false, first.layer.diffId]);
    expect(await contentOf(store, second, "t/f")).toBe("one");
  });

  it("not when the ignore file lets more in", async () => {
    await using store = await temporaryStore();
    const root = await directory(wanted);
    const context = () => stepContext(store, { now: later });
    const without = await copyFrom(root, operation, context(), { ignore: "d/g" });
    const withAll = await copyFrom(root, operation, context(), { ignore: "" });
    const withoutAgain = await copyFrom(root, operation, context(), { ignore: "d/g" });
    expect([withAll.cached, withoutAgain.cached, withoutAgain.layer.diffId]).toEqual([false, true, without.layer.diffId]);
  });

  it("not when a directory that --parents keeps has another mode, whatever --chmod says", async () => {
    await using store = await temporaryStore();
    const root = await directory({ "a/f": file("x") });
    const files = await filesOf(store, [directoryEntry("a")]);
    const keeping = copyOperation({ sources: ["a/f"], parents: true, chmod: "644" });
    const copy = () => copyFrom(root, keeping, stepContext(store, { now: later }), { files });
    await copy();
    expect((await copy()).cached).toBe(true);
    chmodSync(join(root, "a"), 0o700);
    const closed = await copy();
    expect(closed.cached).toBe(false);
    expect(await entriesOf(store, closed)).toContainEqual(expect.stringMatching(/^d 700 .* a$/));
  });

  it("says of a word why nothing is copied for it, cached or not", async () => {
    await using store = await temporaryStore();
    const root = await directory({ "d/a": file(), "d/b": file(), f: file() });
    const copy = (...sources: string[]) =>
      copyFrom(root, copyOperation({ sources, target: "/x/" }), stepContext(store, { now: later }), { ignore: "d/b\n" });
    const warnings = ['nothing is copied for "d/b*": what it means is excluded by .dockerignore:1: d/b'];
    for (const cached of [false, true]) expect(await copy("d/b*", "f")).toMatchObject({ cached, warnings });
    expect(await copy("d/*", "none*")).not.toHaveProperty("warnings");
  });

  it("reads no file when nothing changed", async () => {
    await using store = await temporaryStore();
    const root = await directory(wanted);
    await copyFrom(root, operation, stepContext(store, { now: later }));
    const reader = contextReader(store, directoryContext(root, undefined), later);
    const inputs = await reader.inputs(pathRequest(operation));
    const spied: CopyInputs = {
      ...inputs,
      sources: () => Promise.reject(new Error("the sources were listed")),
      merkles: () => Promise.reject(new Error("files were hashed")),
    };
    expect((await copyStep(operation, noFiles, async () => spied, stepContext(store))).cached).toBe(true);
  });

  it("does not trust files that changed a moment ago", async () => {
    await using store = await temporaryStore();
    const root = await directory({ "d/f": file("one") });
    // The clock of this build is that of the last change, which may thus not have been the last.
    const now = () => Date.now() - 10_000;
    await copyFrom(root, operation, stepContext(store, { now }));
    const inputs = await contextReader(store, directoryContext(root, undefined), now).inputs(pathRequest(operation));
    expect(await inputs.knownRoots()).toBeUndefined();
  });
});

describe("a look at what is recorded", () => {
  async function looked(store: Store, root: string, operation = copyOperation({ target: "/t/" })) {
    const reader = contextReader(store, directoryContext(root, undefined), later);
    return lookupCopy(operation, noFiles, () => reader.inputs(pathRequest(operation)), stepContext(store));
  }

  it("finds what a COPY would take, and nothing else", async () => {
    await using store = await temporaryStore();
    const root = await directory({ f: file("x") });
    expect(await looked(store, root)).toBeUndefined();
    const made = await copyFrom(root, copyOperation({ target: "/t/" }), stepContext(store));
    expect(await looked(store, root)).toEqual({ ...made, cached: true });
    expect(await looked(store, root, copyOperation({ target: "/u/" }))).toBeUndefined();
    writeFileSync(join(root, "f"), "y");
    expect(await looked(store, root)).toBeUndefined();
  });

  it("writes nothing to the store", async () => {
    await using store = await temporaryStore();
    const root = await directory({ f: file("x") });
    await copyFrom(root, copyOperation({ target: "/t/" }), stepContext(store));
    writeFileSync(join(root, "f"), "y");
    const files = () => execFileSync("find", [store.root, "-type", "f", "-printf", "%P %s %T@\\n"], { encoding: "utf8" });
    const before = files();
    await looked(store, root);
    expect(files()).toBe(before);
  });

  it("finds nothing where the cache is not to be used", async () => {
    await using store = await temporaryStore();
    const root = await directory({ f: file("x") });
    const operation = copyOperation({ target: "/t/" });
    await copyFrom(root, operation, stepContext(store));
    const reader = contextReader(store, directoryContext(root, undefined), later);
    const context = stepContext(store, { useCache: false });
    expect(await lookupCopy(operation, noFiles, () => reader.inputs(pathRequest(operation)), context)).toBeUndefined();
  });
});

describe("a source's own name", () => {
  const made = (path: string) => directoryEntry(path);

  it.each<[what: string, parent: Parameters<typeof filesOf>[1], operation: CopyChange, cached: boolean, path: string]>([
    ["does not count where the target names the copy", [], { sources: ["t*"], target: "/f" }, true, "f"],
    ["does not count where the target is a file", [fileEntry("f")], { sources: ["t*"], target: "/f" }, true, "f"],
    ["counts in a directory of the parent", [made("f")], { sources: ["t*"], target: "/f" }, false, "f/t2"],
    [
      "counts in a directory that a symlink of the parent names",
      [made("d"), { kind: "symlink", path: bytesOf("f"), target: bytesOf("d"), mode: 0o777, uid: 0, gid: 0, mtime: 0, mtimeNsec: 0 }],
      { sources: ["t*"], target: "/f" },
      false,
      "d/t2",
    ],
    ["counts in a directory that the target says it is", [], { sources: ["t*"], target: "/f/" }, false, "f/t2"],
    ["counts beside a second source", [], { sources: ["t*", "other"], target: "/f/" }, false, "f/t2"],
    ["does not count for what is unpacked", [], { sources: ["t*"], target: "/f", unpack: { local: true, remote: false } }, true, "f"],
  ])("%s", async (_what, parent, change, cached, path) => {
    await using store = await temporaryStore();
    const files = await filesOf(store, parent);
    const root = await directory({ t1: file("x"), other: file("y") });
    const operation = copyOperation(change);
    await copyFrom(root, operation, stepContext(store), { files });
    renameSync(join(root, "t1"), join(root, "t2"));
    const second = await copyFrom(root, operation, stepContext(store), { files });
    expect(second.cached).toBe(cached);
    expect((await entriesOf(store, second)).map((line) => line.split(" ").at(-1))).toContain(path);
    // And again, when it is known without hashing.
    expect((await copyFrom(root, operation, stepContext(store), { files })).cached).toBe(true);
  });

  it("does not count for a directory, whose content alone is copied", async () => {
    await using store = await temporaryStore();
    const root = await directory({ "one/f": file("x"), other: file("y") });
    const operation = copyOperation({ sources: ["o?e", "other"], target: "/t/" });
    await copyFrom(root, operation, stepContext(store));
    renameSync(join(root, "one"), join(root, "ole"));
    expect((await copyFrom(root, operation, stepContext(store))).cached).toBe(true);
  });

  it("does not count as it is written in the instruction", async () => {
    await using store = await temporaryStore();
    const root = await directory({ a: file("x") });
    const first = await copyFrom(root, copyOperation({ sources: ["a"], target: "/t/" }), stepContext(store));
    const again = copyOperation({ sources: ["*"], target: "/t/" });
    // Nothing was recorded for these words, so that it is written, and found to be known.
    expect((await copyFrom(root, again, stepContext(store))).layer).toEqual(first.layer);
    expect((await copyFrom(root, again, stepContext(store))).cached).toBe(true);
  });

  it("keeps a COPY that was never made from being hashed beforehand, whatever else went to its target", async () => {
    await using store = await temporaryStore();
    const root = await directory({ a: file("x"), "d/f": file("y") });
    await copyFrom(root, copyOperation({ sources: ["a"], target: "/t/" }), stepContext(store));
    const operation = copyOperation({ sources: ["d"], target: "/t/" });
    const reader = contextReader(store, directoryContext(root, undefined), Date.now);
    const inputs = await reader.inputs(pathRequest(operation));
    let hashed = 0;
    const counting: CopyInputs = {
      ...inputs,
      merkles: (known) => {
        if (known === undefined) hashed++;
        return inputs.merkles(known);
      },
    };
    expect((await copyStep(operation, noFiles, async () => counting, stepContext(store))).cached).toBe(false);
    expect(hashed).toBe(0);
  });
});

describe("a context that changes while it is read", () => {
  /** A COPY whose sources change each time right after they were found. */
  async function copyWhile(
    change: (root: string, attempt: number) => void,
    root: string,
    context: StepContext,
    operation = copyOperation({ target: "/t" }),
  ) {
    const reader = contextReader(context.store, directoryContext(root, undefined), context.now);
    let attempt = 0;
    return copyStep(
      operation,
      noFiles,
      async () => {
        const inputs = await reader.inputs(pathRequest(operation));
        change(root, ++attempt);
        return inputs;
      },
      context,
    );
  }

  it("is read again when a file grew", async () => {
    await using store = await temporaryStore();
    const root = await directory({ f: file("x") });
    const outcome = await copyWhile((at, attempt) => void (attempt === 1 && appendFileSync(join(at, "f"), "y")), root, stepContext(store));
    expect(await contentOf(store, outcome, "t/f")).toBe("xy");
  });

  it("is read again when a file went away", async () => {
    await using store = await temporaryStore();
    const root = await directory({ f: file("x"), g: file("y") });
    const outcome = await copyWhile((at) => rmSync(join(at, "g"), { force: true }), root, stepContext(store));
    expect((await entriesOf(store, outcome)).map((line) => line.split(" ").at(-1))).toEqual(["t", "t/f"]);
  });

  it("is read again when a file became a symlink out of it: the host's file is never read", async () => {
    await using store = await temporaryStore();
    const root = await directory({ f: file("x") });
    const outcome = await copyWhile(
      (at, attempt) => {
        if (attempt > 1) return;
        unlinkSync(join(at, "f"));
        execFileSync("ln", ["-s", "/etc/passwd", join(at, "f")]);
      },
      root,
      stepContext(store),
    );
    expect((await entriesOf(store, outcome)).at(-1)).toMatch(/^l .* t\/f -> \/etc\/passwd$/);
  });

  it("is an error when it never comes to rest", async () => {
    await using store = await temporaryStore();
    const root = await directory({ f: file("x") });
    await expect(copyWhile((at) => appendFileSync(join(at, "f"), "y"), root, stepContext(store))).rejects.toMatchObject({
      code: "CONTEXT_CHANGING",
      message: expect.stringMatching(/^copying from the build context: files change while they are read: /),
      hint: "stop what writes to the context, or exclude those files with .dockerignore",
    });
  });

  it("is read twice, no more", async () => {
    await using store = await temporaryStore();
    const root = await directory({ f: file("x") });
    const attempts: number[] = [];
    const change = (at: string, attempt: number) => {
      attempts.push(attempt);
      appendFileSync(join(at, "f"), "y");
    };
    await expect(copyWhile(change, root, stepContext(store))).rejects.toMatchObject({ code: "CONTEXT_CHANGING" });
    expect(attempts).toEqual([1, 2]);
  });

  it("is that error too when files keep going away", async () => {
    await using store = await temporaryStore();
    const root = await directory({ g1: file("x"), g2: file("y"), g3: file("z") });
    await expect(copyWhile((at, attempt) => rmSync(join(at, `g${attempt}`)), root, stepContext(store))).rejects.toMatchObject({
      code: "CONTEXT_CHANGING",
      message: expect.stringMatching(/^copying from the build context: files change while they are read: ENOENT: /),
    });
  });

  it("is recorded as what was really read", async () => {
    await using store = await temporaryStore();
    const root = await directory({ f: file("one") });
    const outcome = await copyWhile((at) => writeFileSync(join(at, "f"), "two"), root, stepContext(store));
    expect(await contentOf(store, outcome, "t/f")).toBe("two");
    const context = await directory({ f: file("one") });
    const before = await copyFrom(context, copyOperation({ target: "/t" }), stepContext(store));
    expect([before.cached, await contentOf(store, before, "t/f")]).toEqual([false, "one"]);
    const after = await copyFrom(await directory({ f: file("two") }), copyOperation({ target: "/t" }), stepContext(store));
    expect([after.cached, after.layer]).toEqual([true, outcome.layer]);
  });
});

describe("ADD", () => {
  const add = (source: string) => copyOperation({ sources: [source], target: "/t", unpack: { local: true, remote: false } });

  async function archives(): Promise<string> {
    const root = await directory({ "in/d/f": file("text", { mode: 0o640 }), "in/d": dir({ mode: 0o711 }), "in/l": symlink("d/f") });
    const tar = (...args: string[]) =>
      execFileSync("tar", [
        "--sort=name",
        "--mtime=@1000",
        "--owner=5",
        "--group=6",
        "--numeric-owner",
        "-C",
        join(root, "in"),
        ...args,
        "d",
        "l",
      ]);
    tar("-cf", join(root, "a.tar"));
    writeFileSync(join(root, "a.txt"), gzipSync(tar("-cf", "-")));
    tar("-cJf", join(root, "a.tar.xz"));
    tar("-cjf", join(root, "a.tar.bz2"));
    writeFileSync(join(root, "a.tar.gz"), Buffer.from("not an archive"));
    writeFileSync(join(root, "cut.tar.gz"), gzipSync(tar("-cf", "-")).subarray(0, 30));
    writeFileSync(join(root, "bad.tar.gz"), Buffer.concat([Buffer.from([0x1f, 0x8b]), Buffer.alloc(600, 7)]));
    writeFileSync(join(root, "text.gz"), gzipSync(Buffer.alloc(2000, "text ")));
    writeFileSync(join(root, "empty.tar"), "");
    writeFileSync(join(root, "zeros.tar"), Buffer.alloc(10240));
    writeFileSync(join(root, "a.zip"), Buffer.concat([Buffer.from("PK\x03\x04"), Buffer.alloc(600)]));
    rmSync(join(root, "in"), { recursive: true });
    return root;
  }

  const unpacked = ["d 755 0:0 1000 t", "d 711 5:6 1000 t/d", "f 640 5:6 1000 t/d/f", "l 777 5:6 1000 t/l -> d/f"];

  it.each(["a.tar", "a.txt", "a.tar.xz", "a.tar.bz2"])("unpacks %s, whose name does not matter", async (name) => {
    await using store = await temporaryStore();
    const outcome = await copyFrom(await archives(), add(name), stepContext(store));
    expect(await entriesOf(store, outcome)).toEqual(unpacked);
    expect(await contentOf(store, outcome, "t/d/f")).toBe("text");
  });

  it("unpacks a tar whose checksums are of signed bytes, as some old writers have it", async () => {
    await using store = await temporaryStore();
    const root = await directory({ ö: file("text", { mtime: 1000 }) });
    const bytes = execFileSync("tar", ["--format=v7", "--owner=0", "--group=0", "-C", root, "-cf", "-", "ö"]);
    const sum = [...bytes.subarray(0, 512)].reduce((all, byte, i) => all + (i >= 148 && i < 156 ? 0x20 : (byte << 24) >> 24), 0);
    bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
    writeFileSync(join(root, "a.tar"), bytes);
    const outcome = await copyFrom(root, add("a.tar"), stepContext(store));
    expect(await entriesOf(store, outcome)).toEqual(["d 755 0:0 1000 t", "f 644 0:0 1000 t/ö"]);
  });

  it.each(["a.tar.gz", "cut.tar.gz", "bad.tar.gz", "text.gz", "empty.tar", "zeros.tar", "a.zip"])("copies %s as a file", async (name) => {
    await using store = await temporaryStore();
    const outcome = await copyFrom(await archives(), add(name), stepContext(store));
    expect((await entriesOf(store, outcome)).map((line) => line.replace(/ \d+(\.\d+)? t$/, ""))).toEqual(["f 644 0:0"]);
  });

  it("leaves archives alone inside of a directory, and where it shall not unpack", async () => {
    await using store = await temporaryStore();
    const root = await archives();
    const inDirectory = await copyFrom(root, add(""), stepContext(store));
    expect((await entriesOf(store, inDirectory)).map((line) => line.split(" ").at(-1))).toContain("t/a.tar");
    const kept = await copyFrom(root, { ...add("a.tar"), unpack: { local: false, remote: false } }, stepContext(store));
    expect((await entriesOf(store, kept)).map((line) => line.split(" ").at(-1))).toEqual(["t"]);
  });

  it("is cached by the archive's content", async () => {
    await using store = await temporaryStore();
    const root = await archives();
    const first = await copyFrom(root, add("a.txt"), stepContext(store));
    utimesSync(join(root, "a.txt"), 5, 6);
    const second = await copyFrom(root, add("a.txt"), stepContext(store));
    expect([second.cached, second.layer]).toEqual([true, first.layer]);
    // What stands behind the compressed data is part of the file.
    appendFileSync(join(root, "a.txt"), Buffer.from([0]));
    expect((await copyFrom(root, add("a.txt"), stepContext(store))).cached).toBe(false);
  });

  it("leaves nothing of its work in the store", async () => {
    await using store = await temporaryStore();
    await copyFrom(await archives(), add("a.txt"), stepContext(store));
    const plain = execFileSync("find", [store.root, "-name", "plain.tar"], { encoding: "utf8" });
    expect(plain).toBe("");
  });

  it("fails on an archive that breaks off", async () => {
    await using store = await temporaryStore();
    const root = await archives();
    const whole = execFileSync("cat", [join(root, "a.tar")]);
    writeFileSync(join(root, "broken"), gzipSync(Buffer.concat([whole, Buffer.alloc(1 << 20, Buffer.from("random?!"))])).subarray(0, -20));
    await expect(copyFrom(root, add("broken"), stepContext(store))).rejects.toMatchObject({ code: "INVALID_COMPRESSION" });
  });

  it.each<[attack: string, script: string, code: string]>([
    ["a name that leads out", "tar -cPf a.tar --transform='s,^f$,../../out,' f", "UNSAFE_PATH"],
    ["a name that means a removal in a layer", "tar -cf a.tar --transform='s,^f$,.wh.etc,' f", "RESERVED_NAME"],
    ["a hard link to a file of the host", "ln f g; tar -cPf a.tar --transform='flags=h;s,^f$,/etc/passwd,' f g", "INVALID_TAR"],
  ])("fails on %s", async (_attack, script, code) => {
    await using store = await temporaryStore();
    const root = await directory({ f: file("x") });
    execFileSync("sh", ["-c", script], { cwd: root, stdio: "ignore" });
    await expect(copyFrom(root, add("a.tar"), stepContext(store))).rejects.toMatchObject({ code });
  });
});

describe("COPY --from", () => {
  async function copyStage(store: Store, entries: Parameters<typeof filesOf>[1], change: CopyChange = {}, context = stepContext(store)) {
    const origin = await filesOf(store, entries);
    let opened = 0;
    const rootfs = () => {
      opened++;
      return openRootfs(store.layers, origin.layers);
    };
    const whole = copyOperation({ origin: { from: "stage", stage: 0 }, sources: ["app"], target: "/t/", ...change });
    const inputs = rootfsInputs(pathRequest(whole), { chain: origin.chain, describe: 'stage "s"', rootfs }, stepCache(store));
    const outcome = await copyStep(whole, noFiles, async () => inputs, context);
    return { outcome, opened: () => opened };
  }

  const app = [
    directoryEntry("app", { mode: 0o711 }),
    fileEntry("app/f", "x", { uid: 5, gid: 6, mode: 0o4755 }),
    hardlinkEntry("app/g", "app/f"),
  ];

  it("keeps owners, modes and hard links", async () => {
    await using store = await temporaryStore();
    const { outcome } = await copyStage(store, app);
    expect(await entriesOf(store, outcome)).toEqual([
      "d 755 0:0 1000000000 t",
      "f 4755 5:6 1000000000 t/f",
      "h 4755 5:6 1000000000 t/g = t/f",
    ]);
    expect(await contentOf(store, outcome, "t/g")).toBe("x");
  });

  it("is cached without a look into the stage", async () => {
    await using store = await temporaryStore();
    await copyStage(store, app);
    const { outcome, opened } = await copyStage(store, app);
    expect([outcome.cached, opened()]).toEqual([true, 0]);
  });

  it("is cached when the stage changed elsewhere", async () => {
    await using store = await temporaryStore();
    await copyStage(store, app);
    const { outcome } = await copyStage(store, [...app, fileEntry("other")]);
    expect(outcome.cached).toBe(true);
  });

  it.each<[what: string, entries: Parameters<typeof filesOf>[1]]>([
    ["a content changed", [...app, fileEntry("app/h")]],
    ["an owner changed", [app[0] as SourceEntry, fileEntry("app/f", "x", { uid: 1, gid: 6, mode: 0o4755 }), app[2] as SourceEntry]],
    ["a hard link became a copy", [...app.slice(0, 2), fileEntry("app/g", "x", { uid: 5, gid: 6, mode: 0o4755 })]],
  ])("is not cached when %s", async (_what, entries) => {
    await using store = await temporaryStore();
    await copyStage(store, app);
    expect((await copyStage(store, entries)).outcome.cached).toBe(false);
  });

  it("says what was not found, and where", async () => {
    await using store = await temporaryStore();
    await expect(copyStage(store, app, { sources: ["nope"] })).rejects.toMatchObject({
      code: "COPY_SOURCE_NOT_FOUND",
      message: 'looking for "/nope" in stage "s": no such file or directory',
    });
  });
});

describe("a record", () => {
  it("holds the whole tree of its key", async () => {
    await using store = await temporaryStore();
    const root = await directory({ f: file("x") });
    const context = stepContext(store, { now: () => 1_700_000_000_000 });
    const outcome = await copyFrom(root, copyOperation({ sources: ["f"], target: "/f", chown: "0" }), context);
    const known = await context.cache.findContent(keyContext(noFiles, context, writerVersion), outcome.layer.contentId);
    expect(known).toEqual({
      version: keyVersion,
      layer: outcome.layer,
      operation: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      created: "2023-11-14T22:13:20Z",
      key: {
        chmod: null,
        chown: "0",
        documents: [],
        epoch: null,
        exclude: [],
        op: "copy",
        parent: noFiles.chain,
        parents: false,
        sources: [expect.stringMatching(/^sha256:[0-9a-f]{64}$/)],
        target: "/f",
        unpack: { local: false, remote: false },
        version: keyVersion,
        writer: expect.any(Number),
      },
    });
    expect(
      await context.cache.findContent(
        { ...keyContext(noFiles, context, writerVersion), parent: digestOf("other") },
        outcome.layer.contentId,
      ),
    ).toBeUndefined();
  });
});
