import { execFileSync } from "node:child_process";
import { createReadStream, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { describe, expect, it } from "vitest";
import { bytesOf, textOf } from "../../../runtime-addon/index.ts";
import type { SourceEntry } from "../../../store/layer/entry.ts";
import type { LayerLimits } from "../../../store/layer/layer-limits.ts";
import { readLayer } from "../../../store/layer/tar-read.ts";
import { streamTar } from "../../../store/layer/tar-stream.ts";
import { writeLayer } from "../../../store/layer/tar-write.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { attributes, directoryEntry, fileEntry, hardlinkEntry, opaque, symlinkEntry, whiteout } from "./samples.ts";

const temp = temporaryDirectory("tar-write");
const options = { sync: false, ignoreMtime: () => false };
let count = 0;
const newFile = (): string => join(temp, `layer-${count++}.tar`);

async function write(entries: readonly SourceEntry[]): Promise<Buffer> {
  const file = newFile();
  await writeLayer(entries, file, options);
  return readFileSync(file);
}

const everyKind: SourceEntry[] = [
  directoryEntry(""),
  directoryEntry("a", { mode: 0o1777, uid: 1, gid: 2 }),
  fileEntry("a/file", "content", { mode: 0o4755 }),
  fileEntry("a-file", "x".repeat(600)),
  hardlinkEntry("b/link", "a/file"),
  symlinkEntry("s", "/a/file"),
  { kind: "char", path: bytesOf("dev/null"), ...attributes, major: 1, minor: 3 },
  { kind: "block", path: bytesOf("dev/disk"), ...attributes, major: 259, minor: 65_537 },
  { kind: "fifo", path: bytesOf("pipe"), ...attributes },
  whiteout("gone"),
  whiteout("a/gone"),
  opaque("a"),
  fileEntry("negative", "", { mtime: -2, mtimeNsec: 500_000_000 }),
  fileEntry("fraction", "", { mtime: 1, mtimeNsec: 120 }),
  fileEntry("far", "", { mtime: 8_589_934_592 }),
  fileEntry("ids", "", { uid: 2_097_152, gid: 4_294_967_294 }),
  fileEntry("ä", "", { xattrs: { "user.b": bytesOf("2"), "user.a": bytesOf("\n=") } }),
  fileEntry("n".repeat(101)),
  fileEntry(`${"p".repeat(155)}/${"n".repeat(100)}`),
  symlinkEntry("long-target", "t".repeat(101)),
];

describe("the canonical form", () => {
  it("never changes within a version", async () => {
    const tree = await writeLayer(everyKind, newFile(), options);
    expect({ diffId: tree.diffId, contentId: tree.contentId, size: tree.size }).toEqual({
      diffId: "sha256:0730cff180edd53019a5a5d4565e2c8a40c953a4a8c92ee9160d71cb6a5ceaa2",
      contentId: "sha256:09e8f8220cbf727b9bc260921912149f223f88db0d90be99154e13e7334e4479",
      size: 19_968,
    });
  });

  it("of no entries is the two zero blocks", async () => {
    const file = newFile();
    const tree = await writeLayer([], file, options);
    expect(tree.diffId).toBe("sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef");
    expect(readFileSync(file)).toEqual(Buffer.alloc(1024));
    expect(tree.entries).toEqual([]);
  });

  it("does not depend on the order of the input", async () => {
    const expected = await write(everyKind);
    expect(await write([...everyKind].reverse())).toEqual(expected);
    expect(await write([...everyKind].sort((a, b) => (a.kind < b.kind ? -1 : 1)))).toEqual(expected);
  });

  it("does not depend on time zone, locale or umask", () => {
    const script = `
      import { writeLayer } from ${JSON.stringify(join(import.meta.dirname, "../../../store/layer/tar-write.ts"))};
      const attributes = { mode: 0o644, uid: 0, gid: 0, mtime: 1_700_000_000, mtimeNsec: 5 };
      const names = ["i", "I", "\\u00c3\\u00a4", "z", "Z", "_", "a/b", "a-b"];
      const entries = names.map((path) => ({ kind: "file", path, ...attributes, size: 1, content: { at: "bytes", bytes: Buffer.from("x") } }));
      const tree = await writeLayer(entries, process.argv[2], { sync: false, ignoreMtime: () => false });
      console.log(tree.diffId, tree.contentId, tree.entries.map((entry) => entry.path).join(" "));
    `;
    const bundle = join(temp, "bundle/main.mjs");
    const root = join(import.meta.dirname, "../../..");
    mkdirSync(join(temp, "bundle"));
    // Where the addon is looked for.
    symlinkSync(join(root, "runtime-addon/build"), join(temp, "bundle/build"));
    buildSync({ stdin: { contents: script, resolveDir: root }, outfile: bundle, bundle: true, format: "esm", platform: "node" });
    const outputs = [
      ["UTC", "C", "022"],
      ["Asia/Kathmandu", "tr_TR.UTF-8", "000"],
      ["America/St_Johns", "de_DE.UTF-8", "077"],
    ].map(([TZ, LC_ALL, umask]) => {
      const command = `umask ${umask}; exec "$0" "$1" "$2"`;
      return execFileSync("sh", ["-c", command, process.execPath, bundle, newFile()], { env: { ...process.env, TZ, LC_ALL } }).toString(
        "latin1",
      );
    });
    expect(outputs[0]).toContain(" I Z _ a/b a-b i z ");
    expect(outputs).toEqual([outputs[0], outputs[0], outputs[0]]);
  });
});

describe("the memory of headers, which is used again", () => {
  // Each shorter than what lay in its place a round before, and of another kind.
  const shrinking = (i: number): SourceEntry => {
    const path = `${String(i).padStart(5, "0")}${"n".repeat(140 - Math.floor(i / 50))}`;
    const long = "x".repeat(Math.floor((9000 - i) / 100));
    if (i % 5 === 0) return symlinkEntry(path, long);
    if (i % 5 === 1) return fileEntry(path, long, { mtimeNsec: i });
    if (i % 5 === 2) return fileEntry(path, "", { uid: 3_000_000 - i, xattrs: { "user.long": bytesOf(long) } });
    if (i % 5 === 3) return { kind: "char", path: bytesOf(path), ...attributes, major: 1, minor: i };
    return fileEntry(path, long);
  };

  it("leaves nothing of an entry in those that come after it", async () => {
    const entries = Array.from({ length: 7000 }, (_, i) => shrinking(i));
    const chunks: Uint8Array[] = [];
    // Its encoder takes new memory each time.
    for await (const chunk of streamTar(entries)) chunks.push(chunk);
    expect((await write(entries)).equals(Buffer.concat(chunks))).toBe(true);
  });
});

describe("the order of the tar", () => {
  const namesOf = (tar: Buffer): string[] => {
    const names: string[] = [];
    for (let at = 0; at < tar.length - 1024; ) {
      const text = (offset: number, length: number): string =>
        tar.toString("latin1", at + offset, at + offset + length).replace(/\0.*$/s, "");
      names.push(text(0, 100));
      at += 512 + Math.ceil(Number.parseInt(text(124, 11), 8) / 512) * 512;
    }
    return names;
  };

  it("is that of a walk, removals before their siblings, the opaque marker first", async () => {
    const entries = [
      whiteout("a/b"),
      whiteout("+"),
      whiteout("z/lost"),
      opaque("a"),
      directoryEntry("a"),
      fileEntry("a/!"),
      fileEntry("a-b"),
      fileEntry("b"),
      directoryEntry("a/c"),
      fileEntry("a/c/d"),
      fileEntry("zz"),
    ];
    expect(namesOf(await write(entries))).toEqual([
      ".wh.+",
      "a/",
      "a/.wh..wh..opq",
      "a/.wh.b",
      "a/!",
      "a/c/",
      "a/c/d",
      "a-b",
      "b",
      "z/.wh.lost",
      "zz",
    ]);
  });

  it("puts the root first, as ./", async () => {
    expect(namesOf(await write([fileEntry("!"), directoryEntry(""), whiteout("x"), opaque("")]))).toEqual([
      "./",
      ".wh..wh..opq",
      ".wh.x",
      "!",
    ]);
  });
});

describe("hard links", () => {
  it("swap roles with a target that sorts behind them, and share its attributes", async () => {
    const file = fileEntry("m", "shared", { mode: 0o755, uid: 5, xattrs: { "user.x": bytesOf("1") } });
    const tree = await writeLayer([hardlinkEntry("z", "m"), file, hardlinkEntry("a", "m", { mode: 0 })], newFile(), options);
    expect(tree.entries.map(({ path, kind }) => `${kind} ${textOf(path)}`)).toEqual(["file a", "hardlink m", "hardlink z"]);
    expect(tree.entries[1]).toEqual({
      kind: "hardlink",
      path: "m",
      target: "a",
      ...attributes,
      mode: 0o755,
      uid: 5,
      xattrs: { "user.x": "1" },
    });
  });
});

describe("what a layer cannot hold is refused", () => {
  it.each([
    [
      "a name that spells a removal",
      [fileEntry("dir/.wh.x")],
      "RESERVED_NAME",
      'writing a layer: "dir/.wh.x" cannot be stored: names beginning with ".wh." mean removals',
    ],
    [
      "a directory that spells a removal",
      [fileEntry(".wh.d/x")],
      "RESERVED_NAME",
      'writing a layer: ".wh.d/x" cannot be stored: names beginning with ".wh." mean removals',
    ],
    [
      "a removed name that spells a removal",
      [whiteout("a/.wh.x")],
      "RESERVED_NAME",
      'writing a layer: "a/.wh.x" cannot be stored: names beginning with ".wh." mean removals',
    ],
    ["a path upwards", [fileEntry("a/../b")], "UNSAFE_PATH", 'writing a layer: "a/../b" is not a normalised relative path'],
    ["an absolute path", [fileEntry("/etc/passwd")], "UNSAFE_PATH", 'writing a layer: "/etc/passwd" is not a normalised relative path'],
    ["a path with an empty segment", [fileEntry("a//b")], "UNSAFE_PATH", 'writing a layer: "a//b" is not a normalised relative path'],
    ["a path that ends in a slash", [directoryEntry("a/")], "UNSAFE_PATH", 'writing a layer: "a/" is not a normalised relative path'],
    ["a NUL", [fileEntry("a\0b")], "UNSAFE_PATH", 'writing a layer: "a\\u0000b" is not a normalised relative path'],
    ["a path given twice", [fileEntry("a"), fileEntry("a")], "INVALID_LAYER", 'writing a layer: "a": is given twice'],
    ["a path that is removed and there", [fileEntry("a"), whiteout("a")], "INVALID_LAYER", 'writing a layer: "a": is given twice'],
    [
      "a file below a file",
      [fileEntry("a"), fileEntry("a-"), fileEntry("a/b/c")],
      "INVALID_LAYER",
      'writing a layer: "a/b/c": "a" is no directory',
    ],
    [
      "a file below a symlink",
      [symlinkEntry("a", "/etc"), fileEntry("a/passwd")],
      "INVALID_LAYER",
      'writing a layer: "a/passwd": "a" is no directory',
    ],
    ["a removal below a removal", [whiteout("a"), whiteout("a/b")], "INVALID_LAYER", 'writing a layer: "a/b": "a" is no directory'],
    [
      "a hard link to nothing",
      [hardlinkEntry("a", "b")],
      "INVALID_LAYER",
      'writing a layer: "a": the hard link\'s target "b" is not a file of this layer',
    ],
    [
      "a hard link to a symlink",
      [symlinkEntry("b", "c"), hardlinkEntry("a", "b")],
      "INVALID_LAYER",
      'writing a layer: "a": the hard link\'s target "b" is not a file of this layer',
    ],
    ["a root that is a file", [fileEntry("")], "INVALID_LAYER", 'writing a layer: "": the root cannot be a file'],
  ] as const)("%s", async (_name, entries, code, message) => {
    const file = newFile();
    await expect(writeLayer(entries, file, options)).rejects.toMatchObject({ code, message });
    expect(existsSync(file)).toBe(false);
  });
});

describe("contents", () => {
  it("come from files, tars and memory, with the same digests and bytes", async () => {
    const content = "z".repeat(1000);
    writeFileSync(join(temp, "source"), content);
    writeFileSync(join(temp, "source.tar"), `${"-".repeat(77)}${content}---`);
    const base = { kind: "file", ...attributes, size: 1000 } as const;
    const from = (reference: Extract<SourceEntry, { kind: "file" }>["content"]): SourceEntry[] => [
      fileEntry("0"),
      { ...base, path: bytesOf("f"), content: reference },
      fileEntry("g", "after"),
    ];
    const expected = await writeLayer(from({ at: "bytes", bytes: Buffer.from(content) }), newFile(), options);
    expect(await writeLayer(from({ at: "path", root: temp, path: bytesOf("source") }), newFile(), options)).toEqual(expected);
    expect(await writeLayer(from({ at: "tar", tar: join(temp, "source.tar"), offset: 77 }), newFile(), options)).toEqual(expected);
    expect(expected.entries[1]).toMatchObject({
      digest: "sha256:950f88b09cf1d5e2cdbc5660c77dce3962265c548797950095629a0ea2daea46",
      offset: 1024,
    });
  });

  it("whose length is not the entry's end the layer, and no file is left", async () => {
    writeFileSync(join(temp, "changing"), "12345");
    const file = newFile();
    const entry: SourceEntry = {
      kind: "file",
      path: bytesOf("f"),
      ...attributes,
      size: 4,
      content: { at: "path", root: temp, path: bytesOf("changing") },
    };
    await expect(writeLayer([entry], file, options)).rejects.toMatchObject({ code: "FILE_CHANGED" });
    expect(existsSync(file)).toBe(false);
  });

  it("in memory of another length than the entry's are refused", async () => {
    const file = newFile();
    const entry = { ...fileEntry("f", "12345"), size: 4 } as SourceEntry;
    await expect(writeLayer([entry], file, options)).rejects.toMatchObject({
      code: "INVALID_LAYER",
      message: 'writing a layer: "f": 5 bytes given, 4 announced',
    });
    expect(existsSync(file)).toBe(false);
  });

  it("of many files and batches are each told by the right digest", async () => {
    const entries = Array.from({ length: 10_000 }, (_, i) => fileEntry(`d${i % 100}/f${i}`, String(i)));
    writeFileSync(join(temp, "hundred"), "h".repeat(100));
    for (let i = 0; i < 10_000; i += 3) {
      const entry = entries[i];
      if (entry?.kind === "file") entries[i] = { ...entry, size: 100, content: { at: "path", root: temp, path: bytesOf("hundred") } };
    }
    const file = newFile();
    const tree = await writeLayer(entries, file, options);
    const tar = readFileSync(file);
    const { createHash } = await import("node:crypto");
    for (const entry of tree.entries) {
      if (entry.kind !== "file") throw new Error(`unexpected ${entry.kind}`);
      const bytes = tar.subarray(entry.offset, entry.offset + entry.size);
      expect(`sha256:${createHash("sha256").update(bytes).digest("hex")}`).toBe(entry.digest);
    }
    expect(tree.entries.length).toBe(10_000);
  });

  it("do not replace a file that exists", async () => {
    const file = newFile();
    writeFileSync(file, "precious");
    await expect(writeLayer([], file, options)).rejects.toMatchObject({ code: "EEXIST" });
    expect(readFileSync(file, "utf8")).toBe("precious");
  });
});

describe("extended attributes", () => {
  const capability = (hex: string) => ({
    "security.capability": bytesOf("") && (Buffer.from(hex, "hex").toString("latin1") as ReturnType<typeof bytesOf>),
  });

  it("lose overlay's marks, and of file capabilities the user namespace", async () => {
    const version3 = capability("010000030004000000000000000000000000000040420f00");
    const version2 = capability("0100000200040000000000000000000000000000");
    const marks = { "user.overlay.opaque": bytesOf("y"), "trusted.overlay.redirect": bytesOf("/x") };
    const tree = await writeLayer(
      [fileEntry("a", "", { xattrs: { ...version3, ...marks } }), fileEntry("b", "", { xattrs: marks })],
      newFile(),
      options,
    );
    expect(tree.entries[0]).toMatchObject({ xattrs: version2 });
    expect(tree.entries[1]).not.toHaveProperty("xattrs");
  });
});

describe("limits", () => {
  const limits = { entries: 4, nameBytes: 30 };
  const deep = [fileEntry("a/b/c"), fileEntry("a/b/d"), fileEntry("e", "", { xattrs: { "user.x": bytesOf("1") } })];
  const attempt = async (entries: readonly SourceEntry[], given: LayerLimits) => {
    const file = join(temporaryDirectory("limits"), "layer.tar");
    await writeLayer(entries, file, { sync: false, ignoreMtime: () => false, limits: given });
    return readLayer(createReadStream(file), { limits: given });
  };

  it("what they let be written can be read", async () => {
    // Names of 11 bytes, directories of 4, attributes of 7 that count twice.
    expect((await attempt(deep, { entries: 3, nameBytes: 29 })).tree.entries).toHaveLength(3);
  });

  it.each<[name: string, entries: readonly SourceEntry[], problem: string]>([
    ["too many entries", ["a", "b", "c", "d", "e"].map((name) => fileEntry(name)), "more than 4 entries"],
    ["too long names", [fileEntry("n".repeat(31))], "names of more than 30 bytes"],
    ["directories that are not among the entries", [fileEntry(`${"d".repeat(14)}/${"n".repeat(2)}`)], "names of more than 30 bytes"],
    ["too large attributes", [fileEntry("a", "", { xattrs: { "user.x": bytesOf("x".repeat(24)) } })], "names of more than 30 bytes"],
  ])("%s are not written", async (_name, entries, problem) => {
    await expect(attempt(entries, limits)).rejects.toMatchObject({ code: "TOO_LARGE", message: `writing a layer: ${problem}` });
  });

  const attributes = { mode: 0o644, uid: 0, gid: 0, mtime: 0, mtimeNsec: 0 };
  /** As a command makes them, at no cost. */
  const sparse = (size: number): { readonly root: string; readonly entries: readonly SourceEntry[] } => {
    const root = temporaryDirectory("sparse");
    writeFileSync(join(root, "big"), "");
    truncateSync(join(root, "big"), size);
    return {
      root,
      entries: [{ ...attributes, path: bytesOf("big"), kind: "file", size, content: { at: "path", root, path: bytesOf("big") } }],
    };
  };
  const write = (root: string, entries: readonly SourceEntry[], given: Parameters<typeof writeLayer>[2]["limits"], store?: string) =>
    writeLayer(entries, join(root, "layer.tar"), {
      sync: false,
      ignoreMtime: () => false,
      ...(given && { limits: given }),
      ...(store === undefined ? {} : { store }),
    });

  it("attack: a sparse file larger than a layer may be is refused before a byte is written", async () => {
    const { root, entries } = sparse(2 ** 40);
    await expect(write(root, entries, undefined)).rejects.toMatchObject({
      code: "TOO_LARGE",
      message: `writing a layer whose largest file has ${2 ** 40} bytes: ${2 ** 40 + 3 * 512} bytes, and at most ${256 * 2 ** 30} are written`,
      hint: "make it of several layers, or raise max_layer_size under [store] in tsbuild.toml",
    });
    expect(readdirSync(root)).toEqual(["big"]);
  });

  it("attack: a sparse file larger than the room of the store is refused before a byte is written", async () => {
    const { root, entries } = sparse(2 ** 43);
    await expect(write(root, entries, { plainBytes: 2 ** 50 }, root)).rejects.toMatchObject({
      code: "STORE_FULL",
      message: expect.stringMatching(
        /^writing a layer whose largest file has 8796093022208 bytes: \d+ bytes, and the file system of the store \S+ has room for \d+$/,
      ),
    });
    expect(readdirSync(root)).toEqual(["big"]);
  });

  it("attack: headers of many blocks count as they are", async () => {
    const entries = [fileEntry("a", "", { xattrs: { "user.x": bytesOf("x".repeat(4000)) } })];
    const root = temporaryDirectory("headers");
    await expect(write(root, entries, { plainBytes: 2048 })).rejects.toMatchObject({ code: "TOO_LARGE" });
    expect(readdirSync(root)).toEqual([]);
    const { size } = await write(root, entries, undefined);
    await write(temporaryDirectory("headers"), entries, { plainBytes: size });
  });

  it("attack: a layer that has no end is given up when the build is ended", async () => {
    const { root, entries } = sparse(2 ** 43);
    const ending = new AbortController();
    const writing = writeLayer(entries, join(root, "layer.tar"), {
      sync: false,
      ignoreMtime: () => false,
      limits: { plainBytes: 2 ** 50 },
      signal: ending.signal,
    });
    ending.abort();
    await expect(writing).rejects.toBe(ending.signal.reason);
    expect(readdirSync(root)).toEqual(["big"]);
  });
});
