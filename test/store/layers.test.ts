import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeEach, describe, expect, it } from "vitest";
import { type Digest, digestOf, hexOf } from "../../store/digest.ts";
import { mediaTypes } from "../../store/oci.ts";
import { openStore, type Store } from "../../store/store.ts";
import { chunked } from "../conformance/blob-store.suite.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { addLayer } from "./sample-image.ts";
import { ended, storeProgram } from "./store-process.ts";

let store: Store;
beforeEach(async () => {
  store = await openStore(join(temporaryDirectory("layers"), "store"));
  return () => store.close();
});

const files = { "etc/": "", "etc/passwd": "root:x:0:0::/root:/bin/sh\n", gone: null };
const folder = (diffId: Digest) => join(store.root, "v1/layers", hexOf(diffId));

/** The tar of `files`, without a layer of it in the store. */
async function tarOfFiles(): Promise<Buffer> {
  const { diffId, blob } = await addLayer(store, files);
  const tar = readFileSync(store.blobs.path(diffId));
  await store.blobs.delete(blob.digest);
  rmSync(folder(diffId), { recursive: true });
  return tar;
}

async function putBlob(bytes: Buffer, mediaType: string) {
  const blob = { mediaType, digest: digestOf(bytes), size: bytes.length };
  await store.blobs.put(blob, chunked(bytes));
  return blob;
}

describe("a layer", () => {
  it("is a blob under its digest, and a tree that says what is in it", async () => {
    const info = await addLayer(store, files);
    expect(info.blob).toEqual({ mediaType: mediaTypes.layer, digest: info.diffId, size: statSync(store.blobs.path(info.diffId)).size });
    expect(await store.layers.info(info.diffId)).toEqual(info);
    const tree = await store.layers.tree(info.diffId);
    expect(tree.entries.map(({ kind, path }) => `${kind} ${path}`)).toEqual(["directory etc", "file etc/passwd", "whiteout gone"]);
    expect([tree.diffId, tree.contentId]).toEqual([info.diffId, info.contentId]);
    expect(await store.layers.plainTar(info.diffId)).toBe(store.blobs.path(info.diffId));
    expect(readdirSync(folder(info.diffId)).sort()).toEqual(["info", "tree"]);
  });

  it("can be added twice, and by two processes at once", async () => {
    const program = storeProgram(
      temporaryDirectory("program"),
      `import { openStore } from "store/store.ts";
       import { writeLayer } from "store/layer/tar-write.ts";
       const store = await openStore(process.argv[2]);
       for (let i = 0; i < 20; i++) {
         const attributes = { mode: 0o644, uid: 0, gid: 0, mtime: i, mtimeNsec: 0 };
         const entry = { kind: "file", path: "f", ...attributes, size: 1, content: { at: "bytes", bytes: Buffer.from("x") } };
         const tempTar = await store.tempFile("t");
         const tree = await writeLayer([entry], tempTar, { sync: false, ignoreMtime: () => false });
         await store.layers.add(tree, { tempTar });
         console.log(tree.diffId);
       }
       await store.close();`,
    );
    const ends = await Promise.all([1, 2, 3].map(() => ended(program.start(store.root))));
    expect(ends.map(({ code, stderr }) => ({ code, stderr }))).toEqual(ends.map(() => ({ code: 0, stderr: "" })));
    const diffIds = ends[0]?.stdout.trim().split("\n") ?? [];
    expect(new Set(diffIds).size).toBe(20);
    for (const diffId of diffIds) expect((await store.layers.tree(diffId as Digest)).entries).toHaveLength(1);
    expect(readdirSync(join(store.root, "v1/tmp"))).toEqual([]);
  });

  it("is not there until it is, and says so", async () => {
    const diffId = digestOf("nothing");
    expect(await store.layers.has(diffId)).toBe(false);
    for (const read of [store.layers.info, store.layers.tree, store.layers.plainTar]) {
      await expect(read(diffId)).rejects.toMatchObject({
        code: "NOT_FOUND",
        message: `reading layer ${diffId}: it is not in the store ${store.root}`,
      });
    }
  });

  it.each<[string, (diffId: Digest) => void]>([
    ["a torn tree", (diffId) => truncateSync(join(folder(diffId), "tree"), 10)],
    ["a missing tree", (diffId) => rmSync(join(folder(diffId), "tree"))],
    [
      "a tree in which one name is another",
      (diffId) =>
        writeFileSync(join(folder(diffId), "tree"), readFileSync(join(folder(diffId), "tree"), "latin1").replace("passwd", "passwx")),
    ],
    ["a tree of zeros", (diffId) => writeFileSync(join(folder(diffId), "tree"), Buffer.alloc(statSync(join(folder(diffId), "tree")).size))],
  ])("makes %s anew from the blob", async (_, damage) => {
    const { diffId } = await addLayer(store, files);
    const before = await store.layers.tree(diffId);
    damage(diffId);
    expect(await store.layers.tree(diffId)).toEqual(before);
    expect(readFileSync(join(folder(diffId), "tree")).length).toBeGreaterThan(10);
  });

  it.each(["", "{", '{"diffId":"x"}'])("counts as unknown when its info is %j", async (text) => {
    const { diffId } = await addLayer(store, files);
    writeFileSync(join(folder(diffId), "info"), text);
    expect(await store.layers.has(diffId)).toBe(false);
    expect((await addLayer(store, files)).diffId).toBe(diffId);
    expect(await store.layers.has(diffId)).toBe(true);
  });

  it("counts as unknown without its blob", async () => {
    const { diffId, blob } = await addLayer(store, files);
    await store.blobs.delete(blob.digest);
    expect(await store.layers.has(diffId)).toBe(false);
  });
});

describe("a layer that came compressed", () => {
  it("is read once, checked by both digests, and keeps its blob", async () => {
    const tar = await tarOfFiles();
    const blob = await putBlob(gzipSync(tar), mediaTypes.layerGzip);
    const diffId = digestOf(tar);
    const info = await store.layers.ensure(diffId, blob);
    expect(info).toMatchObject({ diffId, blob });
    expect((await store.layers.tree(diffId)).entries).toHaveLength(3);
    const before = statSync(join(folder(diffId), "info"), { bigint: true }).mtimeNs;
    expect(await store.layers.ensure(diffId, blob)).toEqual(info);
    expect(statSync(join(folder(diffId), "info"), { bigint: true }).mtimeNs).toBe(before);

    const plain = await store.layers.plainTar(diffId);
    expect(plain).toBe(join(folder(diffId), "plain"));
    expect(readFileSync(plain).equals(tar)).toBe(true);
    truncateSync(plain, 100);
    expect(readFileSync(await store.layers.plainTar(diffId)).equals(tar)).toBe(true);
  });

  it("is known by every blob that was checked, and by no other", async () => {
    const tar = await tarOfFiles();
    const diffId = digestOf(tar);
    const blobs = await Promise.all(
      [gzipSync(tar, { level: 1 }), gzipSync(tar, { level: 9 }), tar].map((bytes) => putBlob(bytes, mediaTypes.layer)),
    );
    for (const blob of blobs) expect((await store.layers.ensure(diffId, blob)).blob).toEqual(blob);
    for (const blob of blobs.slice(0, 2)) await store.blobs.delete(blob.digest);
    expect((await store.layers.info(diffId)).blob).toEqual(blobs[2]);

    const liar = await putBlob(gzipSync("another tar"), mediaTypes.layerGzip);
    await expect(store.layers.ensure(diffId, liar)).rejects.toMatchObject({ code: "INVALID_TAR" });
    const other = await putBlob(Buffer.alloc(1024), mediaTypes.layer);
    await expect(store.layers.ensure(diffId, other)).rejects.toMatchObject({
      code: "INTEGRITY",
      message: `reading layer ${other.digest}: its plain tar: expected ${diffId}, got ${other.digest}`,
    });
  });

  it("is refused when its blob is not what its digest says", async () => {
    const tar = await tarOfFiles();
    const blob = await putBlob(gzipSync(tar), mediaTypes.layerGzip);
    chmodSync(store.blobs.path(blob.digest), 0o644);
    writeFileSync(store.blobs.path(blob.digest), Buffer.alloc(blob.size, 1));
    await expect(store.layers.ensure(digestOf(tar), blob)).rejects.toMatchObject({ code: "INTEGRITY" });
    expect(await store.layers.has(digestOf(tar))).toBe(false);
  });
});

describe("an unpacked directory", () => {
  const diffId = digestOf("a layer");

  async function unpacked(text: string): Promise<string> {
    const path = await store.temp("unpacked");
    mkdirSync(join(path, "sub"));
    writeFileSync(join(path, "sub/file"), text);
    return path;
  }
  const content = (owners: "exact" | "flat" = "exact") => readFileSync(join(store.layers.directory(diffId, owners), "sub/file"), "utf8");

  it("is taken in by rename; a second one is dropped", async () => {
    expect(store.layers.hasDirectory(diffId, "exact")).toBe(false);
    const first = await unpacked("first");
    expect(await store.layers.adoptDirectory(diffId, first, "exact")).toBe(store.layers.directory(diffId, "exact"));
    expect(existsSync(first)).toBe(false);
    expect(store.layers.hasDirectory(diffId, "exact")).toBe(true);
    const second = await unpacked("second");
    await store.layers.adoptDirectory(diffId, second, "exact");
    expect([existsSync(second), content()]).toEqual([false, "first"]);
  });

  it("of flat owners is another one", async () => {
    await store.layers.adoptDirectory(diffId, await unpacked("flat"), "flat");
    expect(store.layers.hasDirectory(diffId, "exact")).toBe(false);
    await store.layers.adoptDirectory(diffId, await unpacked("exact"), "exact");
    expect([content("flat"), content("exact")]).toEqual(["flat", "exact"]);
  });

  it("of another boot is not believed, and replaced; a flushed one is", async () => {
    await store.layers.adoptDirectory(diffId, await unpacked("old"), "exact");
    const ok = join(folder(diffId), "dir/ok");
    const anotherBoot = () => writeFileSync(ok, readFileSync(ok, "utf8").replace(/[0-9a-f-]{36}/, "00000000-0000-4000-8000-000000000000"));
    anotherBoot();
    expect(store.layers.hasDirectory(diffId, "exact")).toBe(false);
    await store.layers.adoptDirectory(diffId, await unpacked("new"), "exact");
    expect([content(), readdirSync(join(store.root, "v1/trash"))]).toEqual(["new", []]);

    await store.layers.keepDirectories([diffId, digestOf("no directory")], "exact");
    anotherBoot();
    expect(store.layers.hasDirectory(diffId, "exact")).toBe(true);
  });

  it.each(["", "exact\n", "flat\nX\nflushed\n"])("with the note %j is not believed", async (note) => {
    await store.layers.adoptDirectory(diffId, await unpacked("x"), "exact");
    writeFileSync(join(folder(diffId), "dir/ok"), note);
    expect(store.layers.hasDirectory(diffId, "exact")).toBe(false);
  });

  it("is one of those that many bring at once", async () => {
    const paths = await Promise.all(Array.from({ length: 8 }, (_, i) => unpacked(String(i))));
    await Promise.all(paths.map((path) => store.layers.adoptDirectory(diffId, path, "exact")));
    expect(content()).toMatch(/^[0-7]$/);
    expect(paths.filter((path) => existsSync(path))).toEqual([]);
  });
});
