import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeEach, describe, expect, it } from "vitest";
import { openFetched, openStream, type TarOptions } from "../../../builder/context/tar-source.ts";
import type { InputsRequest } from "../../../builder/steps/copy-inputs.ts";
import { textOf } from "../../../runtime-addon/index.ts";
import { digestOf } from "../../../store/digest.ts";
import { openStore, type Store } from "../../../store/store.ts";
import { needs } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { inChunks, type TarEntry, tarOf, tarOfFiles } from "./tars.ts";

let store: Store;
let options: TarOptions;
beforeEach(async () => {
  store = await openStore(join(temporaryDirectory("tar-context"), "store"));
  options = { describe: "the build context", place: "<input>", store: async () => store, signal: new AbortController().signal };
  return () => store.close();
});

const open = (bytes: Uint8Array, more: Partial<TarOptions> = {}) => openStream(inChunks(bytes), { ...options, ...more });
const request = (...paths: string[]): InputsRequest => ({
  paths,
  parents: false,
  exclude: [],
  irrelevant: { ignoreModes: false, ignoreOwners: false },
});

/** What COPY of one path takes, with the files' contents. */
async function copied(bytes: Uint8Array, path: string): Promise<unknown[]> {
  const reader = await (await open(bytes)).reader(undefined);
  const [source] = await (await reader.inputs(request(path))).sources();
  return (source?.nodes ?? []).map((node) => {
    const { kind, path, mode, uid, gid } = node;
    const content = node.content?.at === "tar" && node.kind === "file" ? contentOf(node.content, node.size) : undefined;
    return [kind, textOf(path), mode.toString(8), `${uid}:${gid}`, ...(content === undefined ? [] : [content])];
  });
}

function contentOf({ tar, offset }: { tar: string; offset: number }, size: number): string {
  return readFileSync(tar)
    .subarray(offset, offset + size)
    .toString();
}

const compressions: readonly (readonly [name: string, compress: (bytes: Buffer) => Buffer])[] = [
  ["plain", (bytes) => bytes],
  ["gzip", (bytes) => gzipSync(bytes)],
  ["zstd", (bytes) => execFileSync("zstd", ["-qc"], { input: bytes })],
  ["xz", (bytes) => execFileSync("xz", ["-c"], { input: bytes })],
  ["bzip2", (bytes) => execFileSync("bzip2", ["-c"], { input: bytes })],
];

describe("a stream that is a tar", () => {
  it.each(compressions)("gives its Dockerfile and its files: %s", needs("zstd", "xz", "bzip2"), async (_name, compress) => {
    const bytes = compress(tarOfFiles({ Dockerfile: "FROM scratch\n", "src/a": "content" }));
    const { context } = await open(bytes);
    expect(context.dockerfile).toBeUndefined();
    expect(context.root).toBeUndefined();
    expect(await context.readText("Dockerfile")).toBe("FROM scratch\n");
    expect(await context.readText("none")).toBeUndefined();
    expect(await copied(bytes, "src")).toEqual([
      ["directory", "", "755", "0:0"],
      ["file", "a", "644", "0:0", "content"],
    ]);
  });

  it("is not unpacked: one file of the store holds it, which goes with it", async () => {
    const { reader } = await open(tarOfFiles({ a: "1" }));
    const [source] = await (await (await reader(undefined)).inputs(request("a"))).sources();
    expect(source?.nodes[0]?.content).toMatchObject({ at: "tar", tar: expect.stringMatching(/^.*\/tmp\/.*context-\d+$/), offset: 512 });
  });

  it("belongs to root, whoever wrote it, and its top directory has the mode of every context's", async () => {
    const bytes = tarOf([
      { name: "./", mode: 0o700, uid: 7 },
      { name: "./x", mode: 0o4750, content: "x" },
    ]);
    expect(await copied(bytes, "")).toEqual([
      ["directory", "", "755", "0:0"],
      ["file", "x", "4750", "0:0", "x"],
    ]);
  });

  it("is the same to the cache whatever owners and compression it has, and another with other content", async () => {
    const rootOf = async (bytes: Buffer) => {
      const inputs = await (await (await open(bytes)).reader(undefined)).inputs(request("a"));
      return (await inputs.merkles())[0]?.root;
    };
    const plain = tarOfFiles({ a: "1" });
    const root = await rootOf(plain);
    expect(await rootOf(gzipSync(plain))).toBe(root);
    expect(await rootOf(tarOf([{ name: "a", content: "1", uid: 5, gid: 6, mtime: 7 }]))).toBe(root);
    expect(await rootOf(tarOfFiles({ a: "2" }))).not.toBe(root);
  });

  it.each<[what: string, entries: TarEntry[], path: string, expected: unknown[]]>([
    [
      "the last of equal names counts",
      [
        { name: "a", content: "old" },
        { name: "a", content: "new" },
      ],
      "a",
      [["file", "", "644", "0:0", "new"]],
    ],
    [
      "missing parents are made",
      [{ name: "x/y/z", content: "1" }],
      "x",
      [
        ["directory", "", "755", "0:0"],
        ["directory", "y", "755", "0:0"],
        ["file", "y/z", "644", "0:0", "1"],
      ],
    ],
    ["an absolute name is one below the root", [{ name: "/etc/x", content: "1" }], "etc/x", [["file", "", "644", "0:0", "1"]]],
    [
      "an absolute link leads to the archive's own file",
      [
        { name: "etc/passwd", content: "ours" },
        { name: "l", type: "2", link: "/etc/passwd" },
      ],
      "l",
      [["file", "", "644", "0:0", "ours"]],
    ],
    [
      "a link that climbs stays inside",
      [
        { name: "etc/passwd", content: "ours" },
        { name: "l", type: "2", link: "../../../etc/passwd" },
      ],
      "l",
      [["file", "", "644", "0:0", "ours"]],
    ],
    [
      "a hard link is its file",
      [
        { name: "a", content: "1" },
        { name: "b", type: "1", link: "a" },
      ],
      "b",
      [["file", "", "644", "0:0", "1"]],
    ],
  ])("reads what tars may hold: %s", async (_what, entries, path, expected) => {
    expect(await copied(tarOf(entries), path)).toEqual(expected);
  });

  it("misses what is not in it, by name", async () => {
    const reader = await (await open(tarOfFiles({ a: "1" }))).reader(undefined);
    await expect((await reader.inputs(request("b"))).sources()).rejects.toMatchObject({
      code: "COPY_SOURCE_NOT_FOUND",
      message: 'looking for "/b" in the build context: no such file or directory',
    });
  });

  it("may have its Dockerfile behind a link, as long as that stays inside", async () => {
    const { context } = await open(
      tarOf([
        { name: "real", content: "text" },
        { name: "Dockerfile", type: "2", link: "real" },
        { name: "out", type: "2", link: "/etc/passwd" },
        { name: "dir/" },
      ]),
    );
    expect(await context.readText("Dockerfile")).toBe("text");
    expect(await context.readText("out")).toBeUndefined();
    await expect(context.readText("dir")).rejects.toMatchObject({
      code: "DOCKERFILE_UNREADABLE",
      message: "reading dir in the build context: it is a directory",
    });
  });

  it("is read where it lies if it is a plain file that nobody changes", async () => {
    const bytes = tarOfFiles({ a: "1" });
    const blob = await store.blobs.putBytes("x", bytes);
    const path = store.blobs.path(blob.digest);
    const { reader } = await openFetched({ digest: digestOf(bytes), size: bytes.length, path }, options);
    const [source] = await (await (await reader(undefined)).inputs(request("a"))).sources();
    expect(source?.nodes[0]?.content).toEqual({ at: "tar", tar: path, offset: 512, size: 1 });
  });
});

describe("a stream that is cancelled", () => {
  it.each(["before it begins", "in the middle"])("ends with the reason, and leaves no file: %s", async (when) => {
    const cancel = new AbortController();
    const reason = new Error("cancelled");
    let open = false;
    const bytes = (async function* () {
      open = true;
      try {
        for await (const chunk of inChunks(tarOfFiles({ a: "x".repeat(5000), b: "y" }))) {
          yield chunk;
          if (when === "in the middle") cancel.abort(reason);
        }
      } finally {
        open = false;
      }
    })();
    if (when === "before it begins") cancel.abort(reason);
    await expect(openStream(bytes, { ...options, signal: cancel.signal })).rejects.toBe(reason);
    expect(open).toBe(false);
    expect(existsSync(await store.tempFile("next").then((path) => path.replace(/next-\d+$/, "context-1")))).toBe(false);
  });
});

describe("a hostile tar", () => {
  it.each<[attack: string, entries: TarEntry[], code: string, message: RegExp]>([
    ["climbs out by its name", [{ name: "../evil", content: "x" }], "UNSAFE_PATH", /the name "\.\.\/evil" holds "\.\."/],
    ["climbs out in the middle of a name", [{ name: "a/../../evil", content: "x" }], "UNSAFE_PATH", /holds "\.\."/],
    ["says that something is removed", [{ name: "a/.wh.b", content: "" }], "RESERVED_NAME", /"a\/\.wh\.b" cannot be in an image/],
    [
      "has a removal beside its file",
      [
        { name: "b", content: "1" },
        { name: ".wh.b", content: "" },
      ],
      "RESERVED_NAME",
      /"\.wh\.b" cannot be/,
    ],
    ["hides a directory", [{ name: "a/.wh..wh..opq", content: "" }], "RESERVED_NAME", /cannot be in an image/],
    ["keeps another file system's book", [{ name: ".wh..wh.plnk/1", content: "x" }], "RESERVED_NAME", /cannot be in an image/],
    [
      "links hard to a file of the host",
      [{ name: "a", type: "1", link: "etc/passwd" }],
      "INVALID_TAR",
      /"a" is a hard link to "etc\/passwd", which is no file of it/,
    ],
    ["links hard upwards", [{ name: "a", type: "1", link: "../../etc/passwd" }], "UNSAFE_PATH", /holds "\.\."/],
    [
      "has a file where a directory must be",
      [
        { name: "a", content: "1" },
        { name: "a/b", content: "2" },
      ],
      "INVALID_TAR",
      /an entry lies below "a"/,
    ],
    [
      "leads in circles",
      [
        { name: "a", type: "2", link: "b" },
        { name: "b", type: "2", link: "a" },
        { name: "a/x", content: "1" },
      ],
      "SYMLINK_LOOP",
      /too many symlinks/,
    ],
    ["has the device that marks a removal", [{ name: "a", type: "3" }], "INVALID_TAR", /the device 0:0/],
  ])("%s", async (_attack, entries, code, message) => {
    await expect(open(tarOf(entries))).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it("ends in the middle of a file", async () => {
    const bytes = tarOfFiles({ a: "x".repeat(5000) }).subarray(0, 2000);
    await expect(open(bytes)).rejects.toMatchObject({ code: "INVALID_TAR", message: expect.stringContaining("the build context") });
  });

  it("ends in the middle of its compression", async () => {
    const bytes = gzipSync(tarOfFiles({ a: "x" }));
    await expect(open(bytes.subarray(0, bytes.length - 12))).rejects.toMatchObject({ code: "INVALID_COMPRESSION" });
  });

  it("becomes far more than it was", async () => {
    const bomb = gzipSync(tarOfFiles({ a: "\0".repeat(3_000_000) }));
    await expect(open(bomb, { limits: { plainBytes: 1_000_000, ratio: 1100, freeBytes: 2 ** 30 } })).rejects.toMatchObject({
      code: "TOO_LARGE",
      message: "reading the build context: decompressing: more than 1000000 bytes",
    });
    await expect(open(bomb, { limits: { plainBytes: 2 ** 40, ratio: 10, freeBytes: 1000 } })).rejects.toMatchObject({ code: "TOO_LARGE" });
  });

  it("is compressed, and no tar", async () => {
    await expect(open(gzipSync("FROM scratch\n"))).rejects.toMatchObject({ code: "INVALID_TAR" });
  });

  it("is compressed, and empty", async () => {
    await expect(open(gzipSync(""))).rejects.toMatchObject({
      code: "INVALID_TAR",
      message: "reading the build context: the archive is empty",
    });
  });
});

describe("a stream that is no tar", () => {
  it("is a Dockerfile, and COPY is told why there is nothing", async () => {
    const opened = await open(Buffer.from("FROM scratch\nCOPY a /a\n"));
    expect(opened.context.dockerfile).toBe("FROM scratch\nCOPY a /a\n");
    const inputs = await (await opened.reader(undefined)).inputs(request("a"));
    await expect(inputs.sources()).rejects.toMatchObject({
      code: "COPY_SOURCE_NOT_FOUND",
      message: 'looking for "/a" in the build context: no such file or directory',
      hint: "there are no files: the context is a Dockerfile alone; give a directory too: -f - DIR",
    });
    expect(await (await (await opened.reader(undefined)).inputs(request(""))).sources()).toMatchObject([
      { name: "", nodes: [{ path: "" }] },
    ]);
  });

  it("may be empty, or longer than a tar's first block", async () => {
    expect((await open(Buffer.alloc(0))).context.dockerfile).toBe("");
    const long = `# ${"x".repeat(5000)}\n`;
    expect((await open(Buffer.from(long))).context.dockerfile).toBe(long);
  });

  it("opens no store", async () => {
    const { context } = await open(Buffer.from("FROM scratch"), { store: () => Promise.reject(new Error("opened")) });
    expect(context.dockerfile).toBe("FROM scratch");
  });

  it.each<[what: string, bytes: Buffer, code: string, message: string]>([
    [
      "has bytes that no text has",
      Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1, 2]),
      "UNSUPPORTED_CONTEXT",
      "reading the build context: it is neither a tar nor a Dockerfile",
    ],
    [
      "is larger than any Dockerfile",
      Buffer.alloc(16 * 1024 * 1024 + 1, "#"),
      "DOCKERFILE_TOO_LARGE",
      "reading the build context: it is larger than 16777216 bytes",
    ],
    [
      "is not UTF-8",
      Buffer.from("FROM scratch\nLABEL a=\xe9\n", "latin1"),
      "DOCKERFILE_UNREADABLE",
      "reading the build context: line 2 is not UTF-8",
    ],
  ])("is refused where it %s", async (_what, bytes, code, message) => {
    await expect(open(bytes)).rejects.toMatchObject({ code, message });
  });

  it("fails as its source does", async () => {
    const broken = (async function* () {
      yield Buffer.from("FROM");
      throw new Error("the line broke");
    })();
    await expect(openStream(broken, options)).rejects.toThrow("the line broke");
  });
});
