import { execFileSync } from "node:child_process";
import { createReadStream, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeEach, expect, it } from "vitest";
import { importRootfs } from "../../../store/archive/import.ts";
import { saveImages } from "../../../store/archive/save.ts";
import { defaultLimits } from "../../../store/compression.ts";
import { digestOf } from "../../../store/digest.ts";
import { machinePlatform } from "../../../store/platform.ts";
import { openStore, type Store } from "../../../store/store.ts";
import { verifyStore } from "../../../store/verify.ts";
import { needs } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { output } from "../sample-image.ts";

let directory: string;
let store: Store;
let tar: Buffer;
beforeEach(async () => {
  directory = temporaryDirectory("import");
  store = await openStore(join(directory, "store"));
  mkdirSync(join(directory, "rootfs/etc"), { recursive: true });
  writeFileSync(join(directory, "rootfs/etc/hostname"), "box\n");
  execFileSync("tar", ["-cf", join(directory, "rootfs.tar"), "-C", join(directory, "rootfs"), "."]);
  tar = readFileSync(join(directory, "rootfs.tar"));
  return () => store.close();
});

it("makes one layer of the tar, byte for byte, and a config that says no more than is known", async () => {
  const image = await importRootfs(store, { file: join(directory, "rootfs.tar") }, { names: ["base", "base:v1"] });
  expect(image.names).toEqual(["base", "base:v1"]);
  expect(image.config).toEqual({
    ...machinePlatform(),
    rootfs: { type: "layers", diff_ids: [digestOf(tar)] },
    history: [{ comment: "imported" }],
  });
  expect(readFileSync(store.blobs.path(digestOf(tar))).equals(tar)).toBe(true);
  expect((await store.layers.tree(digestOf(tar))).entries.map(({ path }) => path)).toEqual(["", "etc", "etc/hostname"]);
  expect(await verifyStore(store)).toEqual([]);
});

it.each<[string, (bytes: Buffer) => Buffer]>([
  ["gzip", (bytes) => gzipSync(bytes)],
  ["gzip in two members", (bytes) => Buffer.concat([gzipSync(bytes.subarray(0, 700)), gzipSync(bytes.subarray(700))])],
  ["zstd", (bytes) => output(["zstd", "-qc"], bytes)],
  ["xz", (bytes) => output(["xz", "-c"], bytes)],
  ["bzip2", (bytes) => output(["bzip2", "-c"], bytes)],
])("takes %s, from a stream, and keeps it plain", needs("zstd", "xz", "bzip2"), async (_, compress) => {
  const file = join(directory, "packed");
  writeFileSync(file, compress(tar));
  const image = await importRootfs(store, { stream: createReadStream(file) }, { names: ["base"] });
  expect(image.layers.map(({ diffId, blob }) => [diffId, blob.digest])).toEqual([[digestOf(tar), digestOf(tar)]]);
  expect(image.config.history).toEqual([{ comment: "imported" }]);
});

it("puts into the config what it is told", async () => {
  const image = await importRootfs(
    store,
    { file: join(directory, "rootfs.tar") },
    {
      names: [],
      created: "1970-01-01T00:00:00Z",
      config: { Cmd: ["sh"] },
      comment: "by hand",
      platform: { os: "linux", architecture: "arm", variant: "v7" },
    },
  );
  expect(image.config).toMatchObject({
    architecture: "arm",
    variant: "v7",
    created: "1970-01-01T00:00:00Z",
    config: { Cmd: ["sh"] },
    history: [{ created: "1970-01-01T00:00:00Z", comment: "by hand" }],
  });
});

it("gives the same image whenever it is done, and however its tar comes", async () => {
  const first = await importRootfs(store, { file: join(directory, "rootfs.tar") }, { names: ["a"] });
  writeFileSync(join(directory, "other.tgz"), gzipSync(tar));
  const second = await importRootfs(store, { file: join(directory, "other.tgz") }, { names: ["b"] });
  const third = await importRootfs(store, { stream: createReadStream(join(directory, "rootfs.tar")) }, { names: ["c"] });
  expect([second.imageId, third.imageId]).toEqual([first.imageId, first.imageId]);
  expect(third.names).toEqual(["a", "b", "c"]);
});

it.each([["docker"], ["oci"]] as const)("refuses an archive of images: %s", async (format) => {
  const image = await importRootfs(store, { file: join(directory, "rootfs.tar") }, { names: ["a"] });
  await saveImages(store, [{ image }], { file: join(directory, "image.tar") }, { format });
  await expect(importRootfs(store, { file: join(directory, "image.tar") }, { names: ["b"] })).rejects.toMatchObject({
    code: "UNSUPPORTED_ARCHIVE",
    message: expect.stringContaining("it is an image archive"),
    hint: "tsbuild load takes the images of it",
  });
});

it("takes root file systems that have files called like those of archives", async () => {
  for (const name of ["manifest.json", "index.json", "repositories.json"]) writeFileSync(join(directory, "rootfs", name), "{}");
  execFileSync("tar", ["-cf", join(directory, "rootfs.tar"), "-C", join(directory, "rootfs"), "."]);
  expect((await importRootfs(store, { file: join(directory, "rootfs.tar") }, { names: ["a"] })).names).toEqual(["a"]);
});

it.each<[name: string, bytes: () => Buffer, code: string, message: string]>([
  ["nothing", () => Buffer.alloc(0), "INVALID_TAR", "reading the tar of a root file system: it is empty"],
  ["no tar", () => Buffer.from("#!/bin/sh\n".repeat(100)), "INVALID_TAR", "this is no tar archive"],
  ["a tar cut short", () => tar.subarray(0, 1600), "INVALID_TAR", "the archive ends inside an entry"],
  ["a gzip file cut short", () => gzipSync(tar).subarray(0, 100), "INVALID_COMPRESSION", "unexpected end of file"],
  [
    "a tar that leaves its root",
    () => output(["tar", "--create", "--absolute-names", "--transform", "s,.*,../escape,", join(directory, "rootfs.tar")]),
    "UNSAFE_PATH",
    "../escape",
  ],
  ["a bomb", () => output(["xz", "-c"], Buffer.alloc(16 << 20)), "TOO_LARGE", "(a compression bomb)"],
])("refuses %s, and leaves nothing", needs("xz"), async (_, bytes, code, message) => {
  async function* stream() {
    yield bytes();
  }
  const limits = { ...defaultLimits, freeBytes: 1 << 20 };
  const refused = importRootfs(store, { stream: stream() }, { names: ["base"], limits });
  await expect(refused).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  expect(await store.images.list()).toEqual([]);
  expect(readdirSync(join(store.root, "blobs/sha256"))).toEqual([]);
  const temps = readdirSync(join(store.root, "v1/tmp")).flatMap((lease) => readdirSync(join(store.root, "v1/tmp", lease)));
  expect(temps).toEqual([]);
});

it("says which file is not there", async () => {
  const file = join(directory, "none.tar");
  await expect(importRootfs(store, { file }, { names: ["x"] })).rejects.toMatchObject({
    code: "NOT_FOUND",
    message: `importing ${file}: there is no such file or directory`,
  });
  await expect(importRootfs(store, { file: directory }, { names: ["x"] })).rejects.toMatchObject({
    code: "NOT_A_FILE",
    message: `importing ${directory}: it is a directory`,
  });
});

it("says which file is no tar", async () => {
  const file = join(directory, "letter.txt");
  writeFileSync(file, "dear");
  await expect(importRootfs(store, { file }, { names: ["x"] })).rejects.toMatchObject({
    code: "INVALID_TAR",
    message: `importing ${file}: reading a tar: this is no tar archive: it ends within its first block`,
  });
});

it("refuses a name that cannot be one before it reads anything", async () => {
  const unread = async function* (): AsyncGenerator<Uint8Array> {
    yield expect.unreachable("read");
  };
  await expect(importRootfs(store, { stream: unread() }, { names: ["a:b:c"] })).rejects.toMatchObject({ code: "INVALID_REFERENCE" });
});
