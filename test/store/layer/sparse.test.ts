import { execFileSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { bytesOf } from "../../../runtime-addon/index.ts";
import { digestOf } from "../../../store/digest.ts";
import { applyLayer } from "../../../store/layer/apply.ts";
import { stackRootfs } from "../../../store/layer/rootfs.ts";
import { contentsBytes, writeContents } from "../../../store/layer/sparse-contents.ts";
import { tarParser } from "../../../store/layer/tar-parse.ts";
import { readLayer } from "../../../store/layer/tar-read.ts";
import type { Tree } from "../../../store/layer/tree.ts";
import { mediaTypes } from "../../../store/oci.ts";
import { openRootfs } from "../../../store/open-rootfs.ts";
import { openStore } from "../../../store/store.ts";
import { needs } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { chunked, pax, raw, trailer } from "./samples.ts";

const temp = temporaryDirectory("sparse");
const mebibyte = 2 ** 20;

/** Files with holes in every place, by name: where they have bytes, and how long they are. */
const files: Readonly<Record<string, { readonly runs: readonly number[]; readonly size: number }>> = {
  "first-bytes": { runs: [0], size: mebibyte },
  "last-bytes": { runs: [mebibyte - 4096], size: mebibyte },
  middle: { runs: [mebibyte / 2], size: mebibyte },
  hole: { runs: [], size: 3 * mebibyte + 1 },
  odd: { runs: [65536], size: mebibyte + 77 },
  // More runs than a header of the old form and one block behind it hold.
  "many-runs": { runs: Array.from({ length: 60 }, (_, i) => i * 131072), size: 60 * 131072 + 5 },
};

function makeFiles(directory: string): void {
  mkdirSync(directory, { recursive: true });
  for (const [name, { runs, size }] of Object.entries(files)) {
    const file = openSync(join(directory, name), "w");
    for (const [i, start] of runs.entries()) writeSync(file, Buffer.alloc(4096, `${name}${i} `), 0, 4096, start);
    ftruncateSync(file, size);
    closeSync(file);
  }
  writeFileSync(join(directory, "zz-dense"), "behind them all");
}

const read = async (bytes: Uint8Array, chunkBytes?: number): Promise<Tree> => (await readLayer(chunked(bytes, chunkBytes))).tree;
const digests = (tree: Tree) => tree.entries.flatMap((entry) => (entry.kind === "file" ? [[entry.path, entry.size, entry.digest]] : []));

const forms: readonly [name: string, argv: readonly [string, ...string[]]][] = [
  ["GNU's own", ["tar", "--sparse", "--format=gnu"]],
  ["PAX 0.0", ["tar", "--sparse", "--format=pax", "--sparse-version=0.0"]],
  ["PAX 0.1", ["tar", "--sparse", "--format=pax", "--sparse-version=0.1"]],
  ["PAX 1.0", ["tar", "--sparse", "--format=pax", "--sparse-version=1.0"]],
  ["libarchive's", ["bsdtar", "--format=pax"]],
];

describe.each(forms)("sparse files in the form %s", needs("bsdtar"), (form, [tool, ...args]) => {
  const directory = join(temp, form.replaceAll(/\W/g, "-"), "files");
  const tar = join(directory, "../layer.tar");
  const archive = (): Buffer => {
    makeFiles(directory);
    execFileSync(tool, [...args, "-cf", tar, "-C", directory, ...Object.keys(files), "zz-dense"]);
    return readFileSync(tar);
  };

  it("have the contents and the digests that they have whole", async () => {
    const bytes = archive();
    expect(bytes.length).toBeLessThan(2 * mebibyte);
    const dense = execFileSync("tar", ["-c", "-C", directory, ...Object.keys(files), "zz-dense"], { maxBuffer: 1 << 26 });
    const tree = await read(bytes);
    expect(digests(tree)).toEqual(digests(await read(dense)));
    expect(await read(bytes, 511)).toEqual(tree);
    expect(tree).toMatchObject({ diffId: digestOf(bytes), size: bytes.length });
  });

  it("are unpacked with their holes", needs("root"), async () => {
    const tree = await read(archive());
    const contents = `${tar}.contents`;
    await writeContents(tar, contents, tree);
    expect(statSync(contents).size).toBe(contentsBytes(tree));
    const target = `${tar}.unpacked`;
    await applyLayer(tree, contents, target, { owners: "exact" });
    execFileSync("diff", ["-r", directory, target]);
    expect(statSync(join(target, "hole")).blocks * 512).toBeLessThanOrEqual(65536);
    expect(statSync(join(target, "middle")).blocks * 512).toBeLessThanOrEqual(2 * 65536);
  });

  it("are read in a layer of the store, which keeps the tar as it came", async () => {
    const bytes = archive();
    const compressed = gzipSync(bytes);
    const root = join(temporaryDirectory("sparse-store"), "store");
    const diffId = digestOf(bytes);
    for (const _ of ["fresh", "opened again"]) {
      await using store = await openStore(root);
      const blob = await store.blobs.putBytes(mediaTypes.layerGzip, compressed);
      const rootfs = await openRootfs(store.layers, [{ diffId, blob }]);
      for (const name of Object.keys(files)) {
        const whole = await rootfs.read(bytesOf(name), { limit: 16 * mebibyte });
        expect(whole.equals(readFileSync(join(directory, name)))).toBe(true);
      }
      expect(digestOf(readFileSync(await store.layers.plainTar(diffId)))).toBe(diffId);
    }
  });
});

const octal = (value: number): string => `${value.toString(8).padStart(11, "0")}\0`;

/** A header of the old form: its runs, and whether a block of more follows. */
function oldSparse(runs: readonly (readonly [number, number])[], size: number, content = "", more = false): Buffer {
  const bytes = raw({ type: "S", magic: "ustar  \0" }, content);
  const header = bytes.subarray(0, 512);
  header.fill(0, 345, 500);
  for (const [i, [start, length]] of runs.entries()) header.write(octal(start) + octal(length), 386 + i * 24, "latin1");
  header[482] = Number(more);
  header.write(octal(size), 483, "latin1");
  header.write("        ", 148, "latin1");
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
    "latin1",
  );
  return bytes;
}

const map1 = (text: string, size: string, content = ""): Buffer[] => {
  const block = Buffer.alloc(Math.ceil(text.length / 512) * 512);
  block.write(text, "latin1");
  return [
    pax({ "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "real", "GNU.sparse.realsize": size }),
    raw({}, Buffer.concat([block, Buffer.from(content)])),
  ];
};

const misfit = "the map of a sparse file does not fit the file";

describe("attacks", () => {
  it.each<[name: string, parts: Buffer[], code: string, message: string]>([
    [
      "runs out of order",
      [
        oldSparse(
          [
            [10, 1],
            [0, 1],
          ],
          20,
          "ab",
        ),
      ],
      "INVALID_TAR",
      `at byte 0: ${misfit}`,
    ],
    [
      "runs that overlap",
      [
        oldSparse(
          [
            [0, 2],
            [1, 1],
          ],
          20,
          "abc",
        ),
      ],
      "INVALID_TAR",
      `at byte 0: ${misfit}`,
    ],
    ["a run behind the end", [oldSparse([[20, 1]], 20, "a")], "INVALID_TAR", `at byte 0: ${misfit}`],
    ["runs of more bytes than follow", [oldSparse([[0, 9]], 20, "a")], "INVALID_TAR", `at byte 0: ${misfit}`],
    ["runs of fewer bytes than follow", [oldSparse([[0, 1]], 20, "abc")], "INVALID_TAR", `at byte 0: ${misfit}`],
    ["a map that never comes", [oldSparse([], 20, "", true)], "INVALID_TAR", "at byte 512: the archive ends inside an entry"],
    ["a map of text", map1("x\n", "20"), "INVALID_TAR", `at byte 1536: ${misfit}`],
    ["a map without a line", map1("1".repeat(100), "20"), "INVALID_TAR", `at byte 1536: ${misfit}`],
    ["a map that is longer than the content", [...map1("900\n", "20"), trailer], "INVALID_TAR", `at byte 2048: ${misfit}`],
    ["a count beyond counting", map1("99999999999999999999\n", "20"), "INVALID_TAR", `at byte 1536: ${misfit}`],
    ["a size beyond counting", map1("0\n", "99999999999999999999"), "INVALID_TAR", `at byte 1024: ${misfit}`],
    ["half a pair", [pax({ "GNU.sparse.map": "1,2,3", "GNU.sparse.size": "20" }), raw({})], "INVALID_TAR", `at byte 1024: ${misfit}`],
    [
      "a hole of 8 EiB",
      [pax({ "GNU.sparse.map": "", "GNU.sparse.size": "9007199254740991" }), raw({})],
      "TOO_LARGE",
      "at byte 1024: holes of sparse files of more than 8589934592 bytes",
    ],
    [
      "a form of the future",
      [pax({ "GNU.sparse.major": "2", "GNU.sparse.minor": "0" }), raw({})],
      "UNSUPPORTED_TAR",
      "at byte 1024: a sparse file of a form that is not known",
    ],
    ["star's form", [pax({ "SCHILY.realsize": "20" }), raw({})], "UNSUPPORTED_TAR", "at byte 1024: a sparse file of star's own form"],
    [
      "a name upwards behind a harmless one",
      [pax({ path: "ok", "GNU.sparse.name": "../../etc/passwd", "GNU.sparse.map": "", "GNU.sparse.size": "1" }), raw({})],
      "UNSAFE_PATH",
      'at byte 1024: the name "../../etc/passwd" holds ".."',
    ],
  ])("%s", async (_name, parts, code, message) => {
    await expect(read(Buffer.concat(parts))).rejects.toMatchObject({ code, message: `reading a tar: ${message}` });
  });

  it("many holes that are large together", async () => {
    const one = Buffer.concat([pax({ "GNU.sparse.map": "", "GNU.sparse.size": String(2 ** 33 - 1) }), raw({})]);
    const parser = tarParser({ entry() {}, content() {}, contentEnd() {}, hole() {} });
    parser.push(one);
    expect(() => parser.push(one)).toThrow("reading a tar: at byte 2560: holes of sparse files of more than 8589934592 bytes");
  });

  it("a sparse file where no holes are expected", () => {
    const parser = tarParser({ entry() {}, content() {}, contentEnd() {} });
    expect(() => parser.push(oldSparse([], 20))).toThrow("reading a tar: at byte 0: a sparse file cannot be here");
  });
});

it("entries that are replaced, or are no files, keep the places of the others", async () => {
  const sparse = (name: string, start: number, content: string): Buffer[] => [
    pax({ "GNU.sparse.name": name, "GNU.sparse.map": `${start},${content.length}`, "GNU.sparse.size": "100" }),
    raw({ name: "x" }, content),
  ];
  const bytes = Buffer.concat([
    ...sparse("a", 1, "old"),
    ...sparse("d/.wh.removed", 1, "a removal"),
    ...sparse("b", 2, "kept"),
    ...sparse("d/", 1, "a directory"),
    ...sparse("a", 3, "new"),
    trailer,
  ]);
  const tar = join(temp, "replaced.tar");
  writeFileSync(tar, bytes);
  const tree = await read(bytes);
  await writeContents(tar, `${tar}.contents`, tree);
  const contents = readFileSync(`${tar}.contents`);
  const found = tree.entries.flatMap((entry) =>
    entry.kind === "file"
      ? contents
          .subarray(entry.offset, entry.offset + entry.size)
          .toString()
          .replaceAll("\0", ".")
      : [],
  );
  expect(found).toEqual([`...new${".".repeat(94)}`, `..kept${".".repeat(94)}`]);
});

it("empty files are as many as there are", async () => {
  const empty = (name: string): Buffer[] => [pax({ "GNU.sparse.name": name, "GNU.sparse.map": "", "GNU.sparse.size": "0" }), raw({})];
  const tree = await read(Buffer.concat([...empty("a"), ...empty("b"), trailer]));
  const rootfs = stackRootfs([{ tree, tar: async () => "" }]);
  const [a, b] = tree.entries.flatMap((entry) => (entry.kind === "file" ? rootfs.inode(entry) : []));
  expect(a).not.toBe(b);
  expect(contentsBytes(tree)).toBeUndefined();
});
