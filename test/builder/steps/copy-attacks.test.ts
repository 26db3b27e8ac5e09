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
    ["a hard link to what it does not hold", [{ name: "h", type: "1", link: "/etc/shadow" }], "INVALID_LAYER"],
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

  it("does not follow a symlink of the image out of the target", async () => {
    await using store = await temporaryStore();
    const files = await filesOf(store, [directoryEntry("t"), symlinkEntry("t/l", "/etc"), directoryEntry("etc"), fileEntry("etc/passwd")]);
    await expect(add(store, [{ name: "l/passwd" }], "/t/", files)).rejects.toMatchObject({ code: "UNSAFE_PATH" });
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

  it("keeps devices and FIFOs as what they are: nothing is opened", async () => {
    await using store = await temporaryStore();
    const entries = [
      { name: "disk", type: "4" },
      { name: "pipe", type: "6" },
    ];
    expect(await add(store, entries)).toEqual(["d 755 0:0 t", "b 644 1000:1000 t/disk", "p 644 1000:1000 t/pipe"]);
  });

  it("refuses the device that overlay takes for a removal", async () => {
    await using store = await temporaryStore();
    await expect(add(store, [{ name: "removed", type: "3" }])).rejects.toMatchObject({ code: "INVALID_TAR" });
  });

  it("takes the last of equal names", async () => {
    await using store = await temporaryStore();
    const entries = [
      { name: "a", content: "1" },
      { name: "a/", mode: 0o700 },
      { name: "b", type: "2", link: "/etc/passwd" },
      { name: "b", mode: 0o600 },
    ];
    expect(await add(store, entries)).toEqual(["d 755 0:0 t", "d 700 1000:1000 t/a", "f 600 1000:1000 t/b"]);
  });
});
