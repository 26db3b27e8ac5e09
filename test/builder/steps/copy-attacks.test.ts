import { mkdirSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { directoryContext } from "../../../builder/context/directory.ts";
import type { CopyOperation } from "../../../builder/plan/operation.ts";
import { contextReader } from "../../../builder/steps/context-inputs.ts";
import { copyStep } from "../../../builder/steps/copy.ts";
import { type ByteString, bufferOf, bytesOf } from "../../../runtime-addon/index.ts";
import type { Store } from "../../../store/store.ts";
import { directoryEntry, fileEntry, symlinkEntry } from "../../store/layer/samples.ts";
import { mustRun } from "../../support/command.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { file, makeTree } from "../../support/tree.ts";
import { type TarEntry, tarOf } from "../context/tars.ts";
import {
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

type Swap = (root: string, outside: string) => unknown;

/** A secret of the host beside a context; a COPY in whose middle `swap` is called once, when the files have been found. */
async function swapped(store: Store, operation: CopyOperation, swap: Swap) {
  const top = temporaryDirectory("attack");
  await makeTree(top, {
    "context/d/f": file("harmless"),
    "context/d/s/g": file("harmless"),
    "outside/f": file("secret"),
    "outside/g": file("secret"),
  });
  const root = join(top, "context");
  const reader = contextReader(store, directoryContext(root, undefined), Date.now);
  let isSwapped = false;
  return copyStep(
    operation,
    noFiles,
    async () => {
      const inputs = await reader.inputs(pathRequest(operation));
      if (!isSwapped) await swap(root, join(top, "outside"));
      isSwapped = true;
      return inputs;
    },
    stepContext(store),
  );
}

describe("a context that is changed while it is copied gives nothing of the host by", () => {
  const local = { local: true, remote: false };
  const replaceByLink = (path: string, to: string): void => {
    renameSync(path, `${path}.old`);
    symlinkSync(to, path);
  };

  it.each<[attack: string, change: Parameters<typeof copyOperation>[0], swap: Swap]>([
    ["a file that becomes a symlink", { sources: ["d"] }, (root, outside) => replaceByLink(join(root, "d/f"), join(outside, "f"))],
    ["a directory that becomes a symlink", { sources: ["d"] }, (root, outside) => replaceByLink(join(root, "d/s"), outside)],
    ["the source that becomes a symlink", { sources: ["d"] }, (root, outside) => replaceByLink(join(root, "d"), outside)],
    ["a symlink that goes up", { sources: ["d"] }, (root) => replaceByLink(join(root, "d/s"), "../../outside")],
    ["a named file whose directory becomes a symlink", { sources: ["d/f"] }, (root, outside) => replaceByLink(join(root, "d"), outside)],
    [
      "a directory above with --parents",
      { sources: ["d/s/g"], parents: true },
      (root, outside) => replaceByLink(join(root, "d/s"), outside),
    ],
    [
      "an archive to be that becomes a symlink",
      { sources: ["d/f"], unpack: local },
      (root, outside) => replaceByLink(join(root, "d/f"), join(outside, "f")),
    ],
    [
      "an archive to be whose directory becomes a symlink",
      { sources: ["d/f"], unpack: local },
      (root, outside) => replaceByLink(join(root, "d"), outside),
    ],
  ])("%s", async (_attack, change, swap) => {
    await using store = await temporaryStore();
    const outcome = await swapped(store, copyOperation({ target: "/t/", ...change }), swap).catch((error: unknown) => {
      expect(error).toMatchObject({ code: expect.stringMatching(/^(COPY_SOURCE_NOT_FOUND|CONTEXT_CHANGING|OUTSIDE_CONTEXT)$/) });
      return undefined;
    });
    if (outcome === undefined) return;
    const rootfs = await layerRootfs(store, outcome);
    for (const entry of rootfs.walk("" as ByteString)) {
      if (entry.kind === "file") expect((await rootfs.read(entry.path, { limit: 100 })).toString()).toBe("harmless");
    }
  });

  it.each<[attack: string, change: Parameters<typeof copyOperation>[0]]>([
    ["COPY", { sources: ["d/f"] }],
    ["ADD", { sources: ["d/f"], unpack: local }],
  ])("a file that becomes a FIFO: %s does not wait for somebody to write to it", async (_attack, change) => {
    await using store = await temporaryStore();
    const swap = async (root: string) => {
      unlinkSync(join(root, "d/f"));
      await mustRun(["mkfifo", join(root, "d/f")]);
    };
    const outcome = await swapped(store, copyOperation({ target: "/t", ...change }), swap).catch(() => undefined);
    if (outcome !== undefined) expect((await entriesOf(store, outcome)).at(-1)).toMatch(/^p /);
  });
});

describe("names that are written to deceive", () => {
  const names = ["a\nb", "\u001b[31mred", "-rf", "$(touch x)", "a b", "\\", '"', "'", "%s", "..x", "x..", "\u202etxt.exe", " ", "ü"];

  it("are copied as they are", async () => {
    await using store = await temporaryStore();
    const root = temporaryDirectory("context");
    await makeTree(root, Object.fromEntries(names.map((name) => [name, file(name)])));
    const outcome = await copyFrom(root, copyOperation({ target: "/t/" }), stepContext(store));
    const rootfs = await layerRootfs(store, outcome);
    expect(
      rootfs
        .list(bytesOf("t"))
        .map(({ path }) => path)
        .sort(),
    ).toEqual(names.map((name) => bytesOf(`t/${name}`)).sort());
  });

  it("and are no UTF-8: by wildcard, with --parents, past --exclude", async () => {
    await using store = await temporaryStore();
    const root = temporaryDirectory("context");
    for (const name of ["d\xff", "d\xff/f\xfe", "d\xff/g\xfe", "\xe9"]) {
      const path = Buffer.concat([Buffer.from(`${root}/`), bufferOf(name as ByteString)]);
      if (name === "d\xff") mkdirSync(path);
      else writeFileSync(path, "x");
    }
    const paths = async (change: Parameters<typeof copyOperation>[0]) => {
      const outcome = await copyFrom(root, copyOperation({ target: "/", ...change }), stepContext(store));
      return (await store.layers.tree(outcome.layer.diffId)).entries.map(({ path }) => path);
    };
    expect(await paths({ sources: ["d?"] })).toEqual(["f\xfe", "g\xfe"]);
    expect(await paths({ sources: ["d?/f*"], parents: true })).toEqual(["d\xff", "d\xff/f\xfe"]);
    expect(await paths({ exclude: ["d?/g?"] })).toEqual(["d\xff", "d\xff/f\xfe", "\xe9"]);
    expect(await paths({ exclude: ["*", "!d?/g?"] })).toEqual(["d\xff", "d\xff/g\xfe"]);
  });

  it("mean removals in a layer: they are refused", async () => {
    await using store = await temporaryStore();
    const root = temporaryDirectory("context");
    await makeTree(root, { "d/.wh.passwd": file(), "e/.wh..wh..opq": file() });
    for (const source of ["d", "e", "d/.wh.passwd"]) {
      await expect(copyFrom(root, copyOperation({ sources: [source], target: "/t/" }), stepContext(store))).rejects.toMatchObject({
        code: "RESERVED_NAME",
      });
    }
  });
});

describe("trees that are made to be slow", () => {
  it("four hundred directories deep", async () => {
    await using store = await temporaryStore();
    const root = temporaryDirectory("deep");
    const path = Array.from({ length: 400 }, () => "d").join("/");
    mkdirSync(join(root, path), { recursive: true });
    writeFileSync(join(root, path, "f"), "x");
    for (const change of [{}, { sources: ["**/f"], parents: true }, { exclude: ["**/nothing", "!**/g"] }]) {
      const outcome = await copyFrom(root, copyOperation({ target: "/t/", ...change }), stepContext(store), { ignore: "**/x\n!**/y" });
      expect((await store.layers.tree(outcome.layer.diffId)).entries).toHaveLength(402);
    }
  });

  it("with ten thousand patterns, and a pattern of a megabyte", async () => {
    await using store = await temporaryStore();
    const root = temporaryDirectory("context");
    await makeTree(root, { "src/a/b.ts": file(), "node_modules/x/y": file() });
    const many = Array.from({ length: 10_000 }, (_, i) => `**/*a${i}*/**`);
    const ignore = [...many, `${"*a".repeat(500_000)}b`, "node_modules", `!${"**/".repeat(10_000)}z`].join("\n");
    const outcome = await copyFrom(root, copyOperation({ target: "/" }), stepContext(store), { ignore });
    expect((await entriesOf(store, outcome)).map((line) => line.split(" ").at(-1))).toEqual(["src", "src/a", "src/a/b.ts"]);
  });
});

describe("ADD of a hostile archive", () => {
  async function add(store: Store, entries: readonly TarEntry[], target = "/t/", files = noFiles): Promise<string[]> {
    const root = temporaryDirectory("context");
    writeFileSync(join(root, "x"), gzipSync(tarOf(entries)));
    const operation = copyOperation({ sources: ["x"], target, unpack: { local: true, remote: false } });
    const lines = await entriesOf(store, await copyFrom(root, operation, stepContext(store), { files }));
    return lines.map((line) => line.replace(/^(\S+ \S+ \S+) \S+ /, "$1 "));
  }

  it.each<[attack: string, entries: TarEntry[], code: string]>([
    ["a name with ..", [{ name: "../out" }], "UNSAFE_PATH"],
    ["a name with .. in the middle", [{ name: "a/../../out" }], "UNSAFE_PATH"],
    ["a hard link to what it does not hold", [{ name: "h", type: "1", link: "/etc/shadow" }], "INVALID_TAR"],
    ["a hard link to the destination", [{ name: "h", type: "1", link: "." }], "INVALID_TAR"],
    ["a hard link to a directory", [{ name: "d/" }, { name: "h", type: "1", link: "d" }], "INVALID_TAR"],
    ["a hard link to itself", [{ name: "h", type: "1", link: "h" }], "INVALID_TAR"],
    [
      "a hard link to what it replaced with its directory",
      [{ name: "d/f" }, { name: "d", type: "2", link: "x" }, { name: "h", type: "1", link: "d/f" }],
      "INVALID_TAR",
    ],
    ["a name below a file of its own", [{ name: "f" }, { name: "f/g" }], "INVALID_TAR"],
    ["a name below a hard link", [{ name: "f" }, { name: "h", type: "1", link: "f" }, { name: "h/g" }], "INVALID_TAR"],
    ["a name below a FIFO", [{ name: "p", type: "6" }, { name: "p/g" }], "INVALID_TAR"],
    ["symlinks in a circle", [{ name: "a", type: "2", link: "b" }, { name: "b", type: "2", link: "a" }, { name: "a/f" }], "SYMLINK_LOOP"],
    ["a hard link with ..", [{ name: "h", type: "1", link: "../etc/shadow" }], "UNSAFE_PATH"],
    ["a removal of the image's file", [{ name: ".wh.etc" }], "RESERVED_NAME"],
    ["a removal of all that a directory has", [{ name: "etc/.wh..wh..opq" }], "RESERVED_NAME"],
  ])("fails on %s", async (_attack, entries, code) => {
    await using store = await temporaryStore();
    await expect(add(store, entries)).rejects.toMatchObject({ code });
  });

  it("puts absolute names below the target", async () => {
    await using store = await temporaryStore();
    expect(await add(store, [{ name: "/etc/passwd" }])).toEqual(["d 755 0:0 t", "d 755 0:0 t/etc", "f 644 1000:1000 t/etc/passwd"]);
  });

  it.each<[attack: string, link: string]>([
    ["is absolute", "/etc"],
    ["climbs out", "../../../etc"],
  ])("does not follow a symlink of the image out of the target: it %s", async (_attack, link) => {
    await using store = await temporaryStore();
    const files = await filesOf(store, [directoryEntry("t"), symlinkEntry("t/l", link), directoryEntry("etc"), fileEntry("etc/passwd")]);
    expect(await add(store, [{ name: "l/passwd" }], "/t/", files)).toEqual([
      "d 755 0:0 t",
      "d 755 0:0 t/etc",
      "f 644 1000:1000 t/etc/passwd",
    ]);
  });

  it.each<[attack: string, link: string]>([
    ["is absolute", "/etc/passwd"],
    ["climbs out", "../etc/passwd"],
  ])("gives no file of the image outside of the target another name, by a symlink of the image that %s", async (_attack, link) => {
    await using store = await temporaryStore();
    const files = await filesOf(store, [directoryEntry("t"), symlinkEntry("t/l", link), directoryEntry("etc"), fileEntry("etc/passwd")]);
    // The link itself, which leads where it led.
    expect(await add(store, [{ name: "h", type: "1", link: "l" }], "/t/", files)).toEqual(["d 755 0:0 t", `l 777 0:0 t/h -> ${link}`]);
    const through = [{ name: "h", type: "1", link: "l/x" }];
    await expect(add(store, through, "/t/", files)).rejects.toMatchObject({ code: "INVALID_TAR" });
  });

  it("gives a file of the image below the target another name, as link(2) does", async () => {
    await using store = await temporaryStore();
    const files = await filesOf(store, [directoryEntry("t"), fileEntry("t/old", "text", { uid: 5, mode: 0o640 })]);
    const root = temporaryDirectory("context");
    writeFileSync(join(root, "x"), tarOf([{ name: "new", type: "1", link: "/old" }, { name: "old" }]));
    const operation = copyOperation({ sources: ["x"], target: "/t/", unpack: { local: true, remote: false } });
    const outcome = await copyFrom(root, operation, stepContext(store), { files });
    const rootfs = await layerRootfs(store, outcome);
    expect((await rootfs.read(bytesOf("t/new"), { limit: 10 })).toString()).toBe("text");
    expect((await rootfs.read(bytesOf("t/old"), { limit: 10 })).toString()).toBe("");
  });

  it("stands in nobody's way below a file of the image", async () => {
    await using store = await temporaryStore();
    const files = await filesOf(store, [directoryEntry("t"), fileEntry("t/f")]);
    await expect(add(store, [{ name: "f/g" }], "/t/", files)).rejects.toMatchObject({ code: "COPY_TO_NON_DIRECTORY" });
  });

  it.each<[attack: string, entries: TarEntry[]]>([
    ["a directory", [{ name: "./", mode: 0o4777, uid: 7 }]],
    ["a directory by its absolute name", [{ name: "/", mode: 0o4777, uid: 7 }]],
    ["a file", [{ name: ".", content: "x" }]],
    ["a symlink", [{ name: "./", type: "2", link: "/etc" }]],
  ])("leaves the destination as it is, though it has it as %s", async (_attack, entries) => {
    await using store = await temporaryStore();
    const files = await filesOf(store, [directoryEntry("t", { mode: 0o700 })]);
    expect(await add(store, [...entries, { name: "f" }], "/t/", files)).toEqual(["d 700 0:0 t", "f 644 1000:1000 t/f"]);
  });

  it.each<[attack: string, link: string]>([
    ["leads out", "/etc"],
    ["climbs out", "../../../etc"],
  ])("a file below a symlink that %s stands where that leads with the target as root", async (_attack, link) => {
    await using store = await temporaryStore();
    const entries = [
      { name: "l", type: "2", link },
      { name: "l/passwd", content: "x" },
    ];
    expect(await add(store, entries)).toEqual([
      "d 755 0:0 t",
      "d 755 0:0 t/etc",
      "f 644 1000:1000 t/etc/passwd",
      `l 644 1000:1000 t/l -> ${link}`,
    ]);
  });

  it("leaves devices out, which replace nothing, and keeps FIFOs: nothing is opened", async () => {
    await using store = await temporaryStore();
    const entries = [
      { name: "disk", content: "a file before" },
      { name: "disk", type: "4" },
      { name: "removed", type: "3" },
      { name: "d/null", type: "3" },
      { name: "pipe", type: "6" },
    ];
    expect(await add(store, entries)).toEqual(["d 755 0:0 t", "f 644 1000:1000 t/disk", "p 644 1000:1000 t/pipe"]);
  });

  it("says how many devices it left out", async () => {
    await using store = await temporaryStore();
    const root = temporaryDirectory("context");
    writeFileSync(join(root, "x"), tarOf([{ name: "null", type: "3" }, { name: "f" }, { name: "disk", type: "4" }]));
    const operation = copyOperation({ sources: ["x"], target: "/t/", unpack: { local: true, remote: false } });
    expect(await copyFrom(root, operation, stepContext(store))).toMatchObject({ note: "device files of archives that are left out: 2" });
  });

  describe("does not hang on many names through the longest symlinks of the image", () => {
    const through = async (store: Store, nowhere: string) => {
      const chain = Array.from({ length: 40 }, (_, i) => symlinkEntry(`t/l${i}`, i === 39 ? "d" : `${nowhere}l${i + 1}`));
      const files = await filesOf(store, [directoryEntry("t"), directoryEntry("t/x"), ...chain]);
      const entries = Array.from({ length: 10_000 }, (_, i) => ({ name: `l0/d${i}/f` }));
      return add(store, entries, "/t/", files);
    };

    it("of dots, which are looked at once", async () => {
      await using store = await temporaryStore();
      expect(await through(store, "./".repeat(1500))).toContainEqual(expect.stringContaining(" t/d/d9999/f"));
    });

    it("of steps to and fro", async () => {
      await using store = await temporaryStore();
      await expect(through(store, "x/../".repeat(700))).rejects.toMatchObject({ code: "SYMLINK_LOOP" });
    });
  });

  it("takes the last of equal names", async () => {
    await using store = await temporaryStore();
    const entries = [
      { name: "a", content: "1" },
      { name: "a/", mode: 0o700 },
      { name: "b", type: "2", link: "/etc/passwd" },
      { name: "b", mode: 0o600 },
      { name: "c/f" },
      { name: "c", type: "6" },
      { name: "c/", mode: 0o711 },
    ];
    expect(await add(store, entries)).toEqual(["d 755 0:0 t", "d 700 1000:1000 t/a", "f 600 1000:1000 t/b", "d 711 1000:1000 t/c"]);
  });
});
