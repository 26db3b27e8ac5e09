import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  createReadStream,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Digest } from "../../store/digest.ts";
import { type DirectoryWork, localDirectoryWork, type PackRequest } from "../../store/directory-work.ts";
import type { SourceEntry } from "../../store/layer/entry.ts";
import { readLayer } from "../../store/layer/tar-read.ts";
import { writeLayer } from "../../store/layer/tar-write.ts";
import { openStore, type Store } from "../../store/store.ts";
import { needs } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { char, dir, file, listing, makeTree, type Wanted } from "../support/tree.ts";
import { directoryEntry, fileEntry, hardlinkEntry, whiteout } from "./layer/samples.ts";

/** Long before any test runs. */
const old = 1_000_000_000;

async function withStore<T>(body: (store: Store, work: DirectoryWork) => Promise<T>): Promise<T> {
  await using store = await openStore(join(temporaryDirectory("store"), "store"));
  return await body(store, localDirectoryWork(store));
}

async function addLayer(store: Store, entries: readonly SourceEntry[]): Promise<Digest> {
  const tempTar = await store.tempFile("test");
  const tree = await writeLayer(entries, tempTar, { sync: false, ignoreMtime: () => false });
  return (await store.layers.add(tree, { tempTar })).diffId;
}

/** What a run over these layers would have left, packed. */
async function packed(
  store: Store,
  work: DirectoryWork,
  parents: readonly Digest[],
  upper: Readonly<Record<string, Wanted>>,
  change: Partial<PackRequest> = {},
) {
  const directory = await store.temp("run");
  await work.prepare({ directory, parents, owners: "exact" });
  await makeTree(join(directory, "upper"), upper);
  const result = await work.pack({ directory, parents, owners: "exact", startedAtMs: 0, endedAtMs: 1, created: [], ...change });
  return { ...result, directory };
}

const pathsOf = async (store: Store, diffId: Digest) =>
  (await store.layers.tree(diffId)).entries.map(({ kind, path }) => `${kind} ${path}`);

/** A tar of another program that holds d/f and not d. */
async function layerWithoutDirectory(store: Store): Promise<Digest> {
  const scratch = await store.temp("tar");
  mkdirSync(join(scratch, "d"));
  writeFileSync(join(scratch, "d/f"), "content");
  execFileSync("tar", ["-C", scratch, "-cf", join(scratch, "layer.tar"), "d/f"]);
  const { tree } = await readLayer(createReadStream(join(scratch, "layer.tar")));
  return (await store.layers.add(tree, { tempTar: join(scratch, "layer.tar") })).diffId;
}

/** A tar of another program whose hard link leads to a file that is in no layer. */
async function layerWithLostLink(store: Store): Promise<Digest> {
  const scratch = await store.temp("tar");
  const tar = join(scratch, "layer.tar");
  writeFileSync(join(scratch, "a"), "content");
  linkSync(join(scratch, "a"), join(scratch, "b"));
  execFileSync("tar", ["-C", scratch, "-cf", tar, "a", "b"]);
  execFileSync("tar", ["-f", tar, "--delete", "a"]);
  const { tree } = await readLayer(createReadStream(tar));
  return (await store.layers.add(tree, { tempTar: tar })).diffId;
}

describe("layers are unpacked", needs("root"), () => {
  it("once each, in the order asked for", () =>
    withStore(async (store, work) => {
      const one = await addLayer(store, [fileEntry("a", "1", { uid: 5, mode: 0o640 })]);
      const two = await addLayer(store, [fileEntry("b", "2"), whiteout("a")]);
      const { directories, omitted } = await work.unpack({ diffIds: [one, two, one], owners: "exact" });
      expect(omitted).toEqual([]);
      expect(directories).toEqual([
        store.layers.directory(one, "exact"),
        store.layers.directory(two, "exact"),
        store.layers.directory(one, "exact"),
      ]);
      expect(listing(directories[0] ?? "", { times: false }).map((line) => line.split(" ").slice(0, 5))).toEqual([
        ["a", "f", "640", "5:0", "1"],
      ]);
      const inode = statSync(join(directories[0] ?? "", "a")).ino;
      expect(await work.unpack({ diffIds: [one], owners: "exact" })).toEqual({ directories: [directories[0]], omitted: [] });
      expect(statSync(join(directories[0] ?? "", "a")).ino).toBe(inode);
    }));

  it("apart for each way to keep owners", () =>
    withStore(async (store, work) => {
      const one = await addLayer(store, [fileEntry("a", "1", { uid: 5 })]);
      const [exact] = (await work.unpack({ diffIds: [one], owners: "exact" })).directories;
      const [flat] = (await work.unpack({ diffIds: [one], owners: "flat" })).directories;
      expect([statSync(join(exact ?? "", "a")).uid, statSync(join(flat ?? "", "a")).uid]).toEqual([5, 0]);
    }));

  it("with their hard links", () =>
    withStore(async (store, work) => {
      const one = await addLayer(store, [fileEntry("a", "1"), hardlinkEntry("b", "a")]);
      const [directory = ""] = (await work.unpack({ diffIds: [one], owners: "exact" })).directories;
      expect(statSync(join(directory, "a")).ino).toBe(statSync(join(directory, "b")).ino);
    }));

  it("apart for each thing they lie on, where they take something from below", () =>
    withStore(async (store, work) => {
      const open = await addLayer(store, [directoryEntry("d", { mode: 0o1777 })]);
      const closed = await addLayer(store, [directoryEntry("d", { mode: 0o700 })]);
      const implying = await layerWithoutDirectory(store);
      const modeOn = async (below: Digest) => {
        const { directories } = await work.unpack({ diffIds: [below, implying], owners: "exact" });
        return statSync(join(directories[1] ?? "", "d")).mode & 0o7777;
      };
      expect([await modeOn(open), await modeOn(closed), await modeOn(open)]).toEqual([0o1777, 0o700, 0o1777]);
    }));

  it("several at once, in the order asked for", () =>
    withStore(async (store, work) => {
      const diffIds: Digest[] = [];
      for (let i = 0; i < 12; i++) diffIds.push(await addLayer(store, [fileEntry(`f${i}`, String(i))]));
      const order = [...diffIds, ...diffIds.slice(0, 3)];
      const { directories } = await work.unpack({ diffIds: order, owners: "exact" });
      expect(directories).toEqual(order.map((diffId) => store.layers.directory(diffId, "exact")));
      for (const [i, directory] of directories.slice(0, 12).entries())
        expect(readFileSync(join(directory, `f${i}`), "utf8")).toBe(String(i));
    }));

  it("until one cannot be, and the rest of the work has ended then", () =>
    withStore(async (store, work) => {
      const good = [await addLayer(store, [fileEntry("a")]), await addLayer(store, [fileEntry("b")])];
      const bad = await layerWithLostLink(store);
      const late = await addLayer(store, [fileEntry("late")]);
      const diffIds = [bad, ...good, ...Array.from({ length: 4 }, () => late)];
      await expect(work.unpack({ diffIds, owners: "exact" })).rejects.toMatchObject({ code: "UNSUPPORTED_HARDLINK" });
      const half = execFileSync("find", [store.root, "-name", "*.tmp"], { encoding: "utf8" });
      expect(half).toBe("");
      expect((await work.unpack({ diffIds: good, owners: "exact" })).directories).toHaveLength(2);
    }));

  it("and nothing else is left of the work", () =>
    withStore(async (store, work) => {
      await work.unpack({ diffIds: [await addLayer(store, [fileEntry("a")])], owners: "exact" });
      expect(execFileSync("find", [store.root, "-path", "*unpack*"], { encoding: "utf8" })).toBe("");
    }));

  it("attack: not begun where the layer is larger than the disk", () =>
    withStore(async (store) => {
      const diffId = await addLayer(store, [fileEntry("a")]);
      const stored = await store.layers.tree(diffId);
      const tree = { ...stored, size: 2 ** 53 - 1, entries: stored.entries.map((entry) => ({ ...entry, size: 2 ** 52 })) };
      const work = localDirectoryWork({ ...store, layers: { ...store.layers, tree: async () => tree } });
      await expect(work.unpack({ diffIds: [diffId], owners: "exact" })).rejects.toMatchObject({
        code: "STORE_FULL",
        message: expect.stringMatching(`^unpacking layer ${diffId}: ${2 ** 52} bytes, and the file system of the store `),
      });
      expect(store.layers.hasDirectory(diffId, "exact")).toBe(false);
    }));
});

describe("an upper", needs("root"), () => {
  it("begins with the root directory's attributes of the layers below", () =>
    withStore(async (store, work) => {
      const below = await addLayer(store, [directoryEntry("", { mode: 0o711, uid: 3, gid: 4 })]);
      const directory = await store.temp("run");
      await work.prepare({ directory, parents: [below], owners: "exact" });
      const { mode, uid, gid } = statSync(join(directory, "upper"));
      expect([mode & 0o7777, uid, gid]).toEqual([0o711, 3, 4]);
      expect(existsSync(join(directory, "work"))).toBe(true);
    }));

  it("becomes a layer, and the layer's directory", () =>
    withStore(async (store, work) => {
      const below = await addLayer(store, [directoryEntry("d", { mtime: old }), fileEntry("d/gone"), fileEntry("kept")]);
      const { directory, diffId, contentId } = await packed(store, work, [below], {
        "d/gone": char(0, 0),
        "d/new": file("text", { mode: 0o4755, uid: 5, gid: 6 }),
        d: dir({ mode: 0o700 }),
      });
      const layer = await work.adopt({ directory, owners: "exact" });
      expect(layer).toEqual({
        diffId,
        contentId,
        blob: expect.objectContaining({ digest: diffId, size: statSync(store.blobs.path(diffId)).size }),
      });
      expect(await pathsOf(store, diffId)).toEqual(["directory d", "whiteout d/gone", "file d/new"]);
      expect(await store.layers.hasDirectory(diffId, "exact")).toBe(true);
      expect(readFileSync(join(store.layers.directory(diffId, "exact"), "d/new"), "utf8")).toBe("text");
    }));

  it("without any change is an empty layer", () =>
    withStore(async (store, work) => {
      const { directory, diffId } = await packed(store, work, [], {});
      await work.adopt({ directory, owners: "exact" });
      expect(await pathsOf(store, diffId)).toEqual([]);
    }));

  it("loses copies that are as they were below", () =>
    withStore(async (store, work) => {
      const below = await addLayer(store, [fileEntry("same", "x", { mtime: old }), fileEntry("other", "x", { mtime: old })]);
      const { directory, diffId } = await packed(store, work, [below], { same: file("x"), other: file("y") });
      await work.adopt({ directory, owners: "exact" });
      expect(await pathsOf(store, diffId)).toEqual(["file other"]);
      expect(existsSync(join(store.layers.directory(diffId, "exact"), "same"))).toBe(false);
    }));

  it("loses mount points that were made for the run, where they are empty", () =>
    withStore(async (store, work) => {
      const upper = { "mnt/a": dir(), "mnt/b": file(), "mnt/c": file("used") };
      const created = ["/mnt/a", "/mnt/b", "/mnt/c"];
      const { directory, diffId } = await packed(store, work, [], upper, { created });
      await work.adopt({ directory, owners: "exact" });
      expect(await pathsOf(store, diffId)).toEqual(expect.arrayContaining(["file mnt/c"]));
      expect(await pathsOf(store, diffId)).not.toEqual(expect.arrayContaining(["directory mnt/a"]));
      expect(await pathsOf(store, diffId)).not.toEqual(expect.arrayContaining(["file mnt/b"]));
    }));

  it("is no directory of its layer where it hides more than the layer says", () =>
    withStore(async (store, work) => {
      const was = await addLayer(store, [fileEntry("d", "a file")]);
      // As overlay marks a directory in the place of a file.
      const { directory, diffId } = await packed(store, work, [was], { d: dir({ xattrs: { "user.overlay.opaque": "y" } }), "d/f": file() });
      await work.adopt({ directory, owners: "exact" });
      expect(await pathsOf(store, diffId)).toEqual(["directory d", "file d/f"]);
      expect(store.layers.hasDirectory(diffId, "exact")).toBe(false);
      const below = await addLayer(store, [directoryEntry("d"), fileEntry("d/g")]);
      const { directories } = await work.unpack({ diffIds: [below, diffId], owners: "exact" });
      expect(listing(directories[1] ?? "").join()).not.toContain("user.overlay.opaque");
    }));

  it("is clamped to the epoch, itself too", () =>
    withStore(async (store, work) => {
      const { directory, diffId } = await packed(
        store,
        work,
        [],
        { f: file("x", { mtime: old }), g: file("x", { mtime: 5 }) },
        { epoch: 100 },
      );
      await work.adopt({ directory, owners: "exact" });
      const { entries } = await store.layers.tree(diffId);
      expect(entries.map((entry) => ("mtime" in entry ? entry.mtime : undefined))).toEqual([100, 5]);
      expect(Math.floor(statSync(join(store.layers.directory(diffId, "exact"), "f")).mtimeMs)).toBe(100_000);
    }));
});

describe("the contentId of a run", needs("root"), () => {
  const contentIdOf = (mtime: number, change: Partial<PackRequest> = {}, text = "x") =>
    withStore(
      async (store, work) =>
        (await packed(store, work, [], { f: file(text, { mtime }) }, { startedAtMs: 2_000_000, endedAtMs: 3_000_000, ...change }))
          .contentId,
    );

  it("leaves out times that mean now, and counts others", async () => {
    const now = await contentIdOf(2500);
    expect(await contentIdOf(2600)).toBe(now);
    expect(await contentIdOf(1500)).not.toBe(now);
    expect(await contentIdOf(3500)).not.toBe(now);
    expect(await contentIdOf(1500)).not.toBe(await contentIdOf(1600));
  });

  it("takes times of a clock that lags a tick behind as now", async () => {
    expect(await contentIdOf(1999.96)).toBe(await contentIdOf(2500));
    expect(await contentIdOf(1999.94)).not.toBe(await contentIdOf(2500));
  });

  it("changes with content", async () => {
    expect(await contentIdOf(2500, {}, "y")).not.toBe(await contentIdOf(2500));
  });

  it("is the same for runs at other times", async () => {
    expect(await contentIdOf(9_000_500, { startedAtMs: 9_000_000_000, endedAtMs: 9_001_000_000 })).toBe(await contentIdOf(2500));
  });
});

describe("what is removed", () => {
  it("is gone with all that is in it, and may be gone before", () =>
    withStore(async (_store, work) => {
      const path = join(temporaryDirectory("removed"), "d");
      mkdirSync(join(path, "a/b"), { recursive: true });
      writeFileSync(join(path, "a/b/c"), "");
      chmodSync(join(path, "a/b"), 0);
      await work.remove({ path });
      expect(existsSync(path)).toBe(false);
      await work.remove({ path });
      rmSync(path, { force: true });
    }));
});

describe("a copy of the layers, changed", needs("root"), () => {
  const base = [
    directoryEntry("d"),
    fileEntry("d/file", "old"),
    hardlinkEntry("d/link", "d/file"),
    fileEntry("d/other", "other"),
    directoryEntry("gone"),
    fileEntry("gone/f", "x"),
  ];

  it.each<[string, (tree: string) => void, readonly string[]]>([
    ["not at all", () => undefined, []],
    [
      "in content, with the size and the time that it had",
      (tree) => {
        const { mtime, atime } = statSync(join(tree, "d/other"));
        writeFileSync(join(tree, "d/other"), "OTHER");
        utimesSync(join(tree, "d/other"), atime, mtime);
      },
      ["directory d", "file d/other"],
    ],
    [
      "and changed back",
      (tree) => {
        const { mtime, atime } = statSync(join(tree, "d/other"));
        for (const text of ["OTHER", "other"]) writeFileSync(join(tree, "d/other"), text);
        utimesSync(join(tree, "d/other"), atime, mtime);
      },
      [],
    ],
    ["through one of two names", (tree) => appendFileSync(join(tree, "d/file"), "new"), ["directory d", "file d/file", "hardlink d/link"]],
    [
      "by a name more",
      (tree) => linkSync(join(tree, "d/file"), join(tree, "d/third")),
      ["directory d", "file d/file", "hardlink d/link", "hardlink d/third"],
    ],
    ["by a name less", (tree) => rmSync(join(tree, "d/link")), ["directory d", "whiteout d/link"]],
    ["by a removal of all below", (tree) => rmSync(join(tree, "gone"), { recursive: true }), ["whiteout gone"]],
    [
      "by a file in a directory's place",
      (tree) => {
        rmSync(join(tree, "gone"), { recursive: true });
        writeFileSync(join(tree, "gone"), "");
      },
      ["file gone"],
    ],
    ["in a mount point that was made for it", (tree) => writeFileSync(join(tree, "at/made"), ""), ["directory at", "file at/made"]],
  ])("%s", (_name, change, expected) =>
    withStore(async (store, work) => {
      const parents = [await addLayer(store, base)];
      const directory = await store.temp("run");
      const mountPoints = { directories: ["/at", "/d/sub"], files: ["/etc/hosts", "/d/other", "/d/file/x"] };
      const { source, omitted } = await work.copy({ directory, parents, owners: "exact", mountPoints });
      expect([omitted, readdirSync(source).sort()]).toEqual([[], ["at", "d", "etc", "gone"]]);
      const inode = statSync(join(source, "d/file")).ino;
      expect(statSync(join(source, "d/link")).ino).toBe(inode);
      change(source);
      await work.pack({ directory, parents, owners: "exact", startedAtMs: 0, endedAtMs: 1, created: [] });
      const { diffId } = await work.adopt({ directory, owners: "exact" });
      expect(await pathsOf(store, diffId)).toEqual(expected);
      expect(store.layers.hasDirectory(diffId, "exact")).toBe(false);
      await work.remove({ path: directory });
      expect(existsSync(directory)).toBe(false);
    }),
  );

  it("can be of one path only, wherever a symlink leads to it", () =>
    withStore(async (store, work) => {
      const parents = [await addLayer(store, [...base, { ...fileEntry("at", ""), kind: "symlink", target: "/d" } as SourceEntry])];
      const directory = await store.temp("run");
      const { source } = await work.copy({ directory, parents, owners: "exact", only: "/../at/link" });
      expect([source, readFileSync(source, "utf8")]).toEqual([join(directory, "tree/d/link"), "old"]);
      expect(readdirSync(join(directory, "tree"))).toEqual(["d"]);
    }));
});
