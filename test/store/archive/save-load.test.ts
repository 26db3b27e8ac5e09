import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { gzipSync } from "node:zlib";
import { beforeEach, describe, expect, it } from "vitest";
import { loadImages } from "../../../store/archive/load.ts";
import { saveImages } from "../../../store/archive/save.ts";
import { hexOf } from "../../../store/digest.ts";
import { fileBytes } from "../../../store/file-bytes.ts";
import type { Image } from "../../../store/images.ts";
import { mediaTypes } from "../../../store/oci.ts";
import { openStore, type Store } from "../../../store/store.ts";
import { verifyStore } from "../../../store/verify.ts";
import { chunked } from "../../conformance/blob-store.suite.ts";
import { mustRun } from "../../support/command.ts";
import { needs } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { output, putImage } from "../sample-image.ts";

let directory: string;
let store: Store;
let other: Store;
let image: Image;
beforeEach(async () => {
  directory = temporaryDirectory("archive");
  store = await openStore(join(directory, "store"));
  other = await openStore(join(directory, "other"));
  image = await putImage(
    store,
    ["app", "team/app:v1"],
    [
      { "etc/": "", "etc/a": "one", big: "x".repeat(700_000) },
      { "etc/a": null, b: "two" },
    ],
    {
      config: { Env: ["A=1"], Cmd: ["/b"] },
      created: "2024-01-01T00:00:00Z",
    },
  );
  return async () => {
    await store.close();
    await other.close();
  };
});

const names = (images: readonly Image[]) => images.map((found) => [found.imageId, found.names]);

describe("an OCI archive", () => {
  it("holds the layout, the names, Docker's list and each blob once, and is the same every time", async () => {
    const files = ["one.tar", "two.tar"].map((name) => join(directory, name));
    for (const file of files) await saveImages(store, [{ image }], { file });
    const [one, two] = files.map((file) => readFileSync(file));
    expect(one?.equals(two as Buffer)).toBe(true);
    const listing = output(["tar", "--list", "--verbose", "--full-time", "--utc", "--numeric-owner", "-f", files[0] as string]).toString();
    const blobs = [image.descriptor, image.manifest.config, ...image.manifest.layers];
    expect(listing.trim().split("\n")).toEqual([
      expect.stringMatching(/^-rw-r--r-- 0\/0 +30 1970-01-01 00:00:00 oci-layout$/),
      expect.stringMatching(/ index.json$/),
      expect.stringMatching(/ manifest.json$/),
      ...blobs.map(({ digest, size }) =>
        expect.stringMatching(new RegExp(`^-rw-r--r-- 0/0 +${size} 1970-01-01 00:00:00 blobs/sha256/${hexOf(digest)}$`)),
      ),
    ]);
    expect(JSON.parse(output(["tar", "-xOf", files[0] as string, "manifest.json"]).toString())).toEqual([
      {
        Config: `blobs/sha256/${hexOf(image.imageId)}`,
        RepoTags: ["app:latest", "team/app:v1"],
        Layers: image.layers.map(({ blob }) => `blobs/sha256/${hexOf(blob.digest)}`),
      },
    ]);
    expect(readdirSync(directory).sort()).toEqual(["one.tar", "other", "store", "two.tar"]);
  });

  it("carries several images, under the names that were asked for, through a stream", async () => {
    const second = await putImage(store, [], [{ c: "three" }]);
    const stream = new PassThrough();
    const saving = saveImages(store, [{ image, names: ["renamed:v2"] }, { image: second }], { stream });
    const loaded = await loadImages(other, { stream });
    await saving;
    expect(names(loaded)).toEqual([
      [image.imageId, ["renamed:v2"]],
      [second.imageId, []],
    ]);
    expect(loaded.map(({ descriptor }) => descriptor)).toEqual([image.descriptor, second.descriptor]);
    expect(await verifyStore(other)).toEqual([]);
    for (const { diffId } of image.layers) expect(await other.layers.tree(diffId)).toEqual(await store.layers.tree(diffId));
  });

  it.each<[string, (bytes: Buffer) => Buffer]>([
    ["plain", (bytes) => bytes],
    ["gzip", (bytes) => gzipSync(bytes)],
    ["zstd", (bytes) => output(["zstd", "-qc"], bytes)],
    ["xz", (bytes) => output(["xz", "-c"], bytes)],
  ])("is loaded when it is %s", needs("zstd", "xz"), async (_, compress) => {
    const file = join(directory, "image.tar");
    await saveImages(store, [{ image }], { file });
    writeFileSync(file, compress(readFileSync(file)));
    expect(names(await loadImages(other, { file }))).toEqual([[image.imageId, ["app", "team/app:v1"]]]);
    expect(await verifyStore(other)).toEqual([]);
    expect(readdirSync(join(other.root, "v1/tmp")).flatMap((lease) => readdirSync(join(other.root, "v1/tmp", lease)))).toEqual([]);
  });

  it("is loaded when tar(1) packed it, in any order", async () => {
    await saveImages(store, [{ image }], { directory: join(directory, "layout") });
    await mustRun(["tar", "-cf", "image.tar", "-C", "layout", "./blobs", "./index.json", "./oci-layout"], { cwd: directory });
    expect(names(await loadImages(other, { file: join(directory, "image.tar") }))).toEqual([[image.imageId, ["app", "team/app:v1"]]]);
  });

  it("can be loaded twice, and over what is there", async () => {
    const file = join(directory, "image.tar");
    await saveImages(store, [{ image }], { file });
    for (const _ of [1, 2]) expect(names(await loadImages(other, { file }))).toEqual([[image.imageId, ["app", "team/app:v1"]]]);
    expect(await other.images.list()).toHaveLength(1);
  });

  it("is loaded over a layer that was damaged, and is whole again", async () => {
    const file = join(directory, "image.tar");
    await saveImages(store, [{ image }], { file });
    await loadImages(other, { file });
    const layer = other.blobs.path(image.layers[0]?.blob.digest ?? image.imageId);
    writeFileSync(layer, Buffer.alloc(readFileSync(layer).length));
    expect((await verifyStore(other)).length).toBeGreaterThan(0);
    await loadImages(other, { file });
    expect(await verifyStore(other)).toEqual([]);
  });

  it("replaces a file only when it is whole", async () => {
    const file = join(directory, "image.tar");
    writeFileSync(file, "precious");
    const layer = store.blobs.path(image.layers[0]?.blob.digest ?? image.imageId);
    writeFileSync(layer, Buffer.alloc(readFileSync(layer).length));
    await expect(saveImages(store, [{ image }], { file })).rejects.toMatchObject({ code: "INTEGRITY" });
    expect(readFileSync(file, "utf8")).toBe("precious");
    expect(readdirSync(directory).sort()).toEqual(["image.tar", "other", "store"]);
  });

  it("stops when aborted, and leaves nothing", async () => {
    const reason = new Error("no more");
    const signal = AbortSignal.abort(reason);
    await expect(saveImages(store, [{ image }], { file: join(directory, "image.tar") }, { signal })).rejects.toBe(reason);
    await expect(saveImages(store, [{ image }], { directory: join(directory, "layout") }, { signal })).rejects.toBe(reason);
    expect(readdirSync(directory).sort()).toEqual(["other", "store"]);
    await saveImages(store, [{ image }], { file: join(directory, "image.tar") });
    await expect(loadImages(other, { file: join(directory, "image.tar") }, { signal })).rejects.toBe(reason);
    expect(await other.images.list()).toEqual([]);
  });

  it("tells a reader who went away", async () => {
    const stream = new PassThrough();
    const saving = saveImages(store, [{ image }], { stream });
    stream.once("data", () => stream.destroy());
    await expect(saving).rejects.toMatchObject({ code: "ERR_STREAM_PREMATURE_CLOSE" });
  });
});

describe("an archive in a form of its own", () => {
  it("is for docker load of any age: with its lists, and without zstd", needs("zstd"), async () => {
    const zstd = { compression: "zstd", compressionLevel: 1 } as const;
    await saveImages(store, [{ image }], { file: join(directory, "zstd.tar") }, { layers: zstd });
    const [compressed = expect.fail("no image")] = await loadImages(other, { file: join(directory, "zstd.tar") });
    expect(compressed.layers.map(({ blob }) => blob.mediaType)).toEqual([mediaTypes.layerZstd, mediaTypes.layerZstd]);
    const file = join(directory, "docker.tar");
    const saved = await saveImages(other, [{ image: compressed }], { file }, { format: "docker" });
    const [top = expect.fail("no layer")] = image.config.rootfs.diff_ids.slice(-1);
    const lists = JSON.parse(output(["tar", "-xOf", file, "repositories"]).toString());
    expect(lists).toEqual({ app: { latest: hexOf(top) }, "team/app": { v1: hexOf(top) } });
    const third = await openStore(join(directory, "third"));
    const [again = expect.fail("no image")] = await loadImages(third, { file });
    expect([again.imageId, again.names]).toEqual([image.imageId, ["app", "team/app:v1"]]);
    expect(saved.map(({ digest }) => digest)).toEqual([again.descriptor.digest]);
    expect(again.layers.map(({ blob }) => blob.digest)).toEqual(image.config.rootfs.diff_ids);
    expect(await verifyStore(third)).toEqual([]);
    await third.close();
  });

  it.each([1, 9])("has the same bytes every time, compressed now or known: gzip level %i", async (compressionLevel) => {
    const options = { layers: { compression: "gzip", compressionLevel } } as const;
    const files = ["first.tar", "second.tar"].map((name) => join(directory, name));
    for (const file of files) await saveImages(store, [{ image }], { file }, options);
    const [first, second] = files.map((file) => readFileSync(file));
    expect(first?.equals(second as Buffer)).toBe(true);
    const [loaded] = await loadImages(other, { file: files[0] as string });
    expect(loaded?.imageId).toBe(image.imageId);
    expect(loaded?.layers.map(({ blob }) => blob.mediaType)).toEqual([mediaTypes.layerGzip, mediaTypes.layerGzip]);
    expect(readdirSync(join(store.root, "v1/tmp"), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())).toEqual([]);
  });

  it("is answered with the names that it has, and not with those of the store besides", async () => {
    const file = join(directory, "one-name.tar");
    await saveImages(store, [{ image, names: ["app"] }], { file });
    expect(names(await loadImages(store, { file }))).toEqual([[image.imageId, ["app"]]]);
    expect((await store.images.open("app")).names).toEqual(["app", "team/app:v1"]);
  });

  it("leaves layers alone that are compressed, but where another form is forced", async () => {
    const gzip = join(directory, "gzip.tar");
    await saveImages(store, [{ image }], { file: gzip }, { layers: { compression: "gzip" } });
    const [loaded = expect.fail("no image")] = await loadImages(other, { file: gzip });
    const kept = join(directory, "kept.tar");
    const [descriptor] = await saveImages(other, [{ image: loaded }], { file: kept }, { layers: { compression: "none" } });
    expect(descriptor?.digest).toBe(loaded.descriptor.digest);
    const forced = { compression: "none", forceCompression: true } as const;
    const [plain] = await saveImages(other, [{ image: loaded }], { file: join(directory, "plain.tar") }, { layers: forced });
    expect(plain?.digest).toBe(image.descriptor.digest);
  });

  it("has Docker's media types where they are asked for", async () => {
    const layout = join(directory, "layout");
    const [saved] = await saveImages(store, [{ image }], { directory: layout }, { documents: "docker" });
    expect(saved?.mediaType).toBe(mediaTypes.dockerManifest);
    expect(JSON.parse(readFileSync(join(layout, "index.json"), "utf8")).manifests[0]).toMatchObject(saved ?? {});
  });
});

describe("an OCI directory", () => {
  it("is written whole, without Docker's list, into a new or an empty directory", async () => {
    const layout = join(directory, "layout");
    await saveImages(store, [{ image }], { directory: layout });
    expect(readdirSync(layout).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
    mkdirSync(join(directory, "empty"));
    await saveImages(store, [{ image }], { directory: join(directory, "empty") });
    expect(await mustRun(["diff", "-r", layout, join(directory, "empty")])).toBe("");
    await expect(saveImages(store, [{ image }], { directory: layout })).rejects.toMatchObject({
      code: "DESTINATION_EXISTS",
      message: `saving to ${layout}: the directory is not empty`,
    });
    expect(names(await loadImages(other, { directory: layout }))).toEqual([[image.imageId, ["app", "team/app:v1"]]]);
    expect(await verifyStore(other)).toEqual([]);
  });

  it("is read from another store as well", async () => {
    expect(names(await loadImages(other, { directory: store.root }))).toEqual([[image.imageId, ["app", "team/app:v1"]]]);
  });
});

describe("other tools", needs("skopeo", "umoci"), () => {
  it("read what we save, as OCI archive, as Docker archive, as OCI directory", async () => {
    const file = join(directory, "image.tar");
    const layout = join(directory, "layout");
    await saveImages(store, [{ image }], { file });
    await saveImages(store, [{ image }], { directory: layout });
    for (const source of [`oci-archive:${file}:app`, `oci-archive:${file}:team/app:v1`, `oci:${layout}:app`]) {
      expect(JSON.parse(await mustRun(["skopeo", "inspect", source]))).toMatchObject({ Digest: image.descriptor.digest, Env: ["A=1"] });
    }
    for (const source of [`docker-archive:${file}`, `docker-archive:${file}:team/app:v1`]) {
      const seen = JSON.parse(await mustRun(["skopeo", "inspect", "--config", source]));
      expect(seen).toMatchObject({ config: { Env: ["A=1"], Cmd: ["/b"] }, rootfs: { diff_ids: image.config.rootfs.diff_ids } });
    }
    const rootless = process.getuid?.() === 0 ? [] : ["--rootless"];
    await mustRun(["umoci", "unpack", ...rootless, "--image", `${layout}:app`, join(directory, "bundle")]);
    expect((await mustRun(["find", join(directory, "bundle/rootfs"), "-type", "f", "-printf", "%P\n"])).trim().split("\n").sort()).toEqual([
      "b",
      "big",
    ]);
  });

  it.each([
    [
      "OCI, gzip layers",
      (from: string, to: string) => ["--dest-compress-format", "gzip", "--dest-compress", from, `oci-archive:${to}:again:v3`],
    ],
    [
      "OCI, zstd layers",
      (from: string, to: string) => ["--dest-compress-format", "zstd", "--dest-compress", from, `oci-archive:${to}:again:v3`],
    ],
  ])("write what we load: %s", async (_, args) => {
    const file = join(directory, "skopeo.tar");
    await mustRun(["skopeo", "copy", ...args(`oci:${store.root}:app`, file)] as ["skopeo", ...string[]]);
    const [loaded] = await loadImages(other, { file });
    expect(loaded?.names).toEqual(["again:v3"]);
    expect(loaded?.layers.map(({ diffId }) => diffId)).toEqual(image.config.rootfs.diff_ids);
    expect(loaded?.layers.every(({ blob }) => /\+(gzip|zstd)$/.test(blob.mediaType))).toBe(true);
    for (const { diffId } of image.layers) {
      expect((await other.layers.tree(diffId)).entries).toEqual((await store.layers.tree(diffId)).entries);
      expect(readFileSync(await other.layers.plainTar(diffId)).equals(readFileSync(store.blobs.path(diffId)))).toBe(true);
    }
    expect(await verifyStore(other)).toEqual([]);
    expect(existsSync(join(other.root, "blobs/sha256", hexOf(image.layers[0]?.diffId ?? image.imageId)))).toBe(false);
  });

  it.each(["v2s2", "oci"])("write directories of their own, which we load: %s", async (format) => {
    await mustRun(["skopeo", "copy", "--format", format, `oci:${store.root}:app`, `dir:${directory}/dir`]);
    const [loaded, ...others] = await loadImages(other, { directory: join(directory, "dir") });
    expect([loaded?.imageId, loaded?.names, others]).toEqual([image.imageId, [], []]);
    expect(loaded?.rawManifest.equals(readFileSync(join(directory, "dir/manifest.json")))).toBe(true);
    expect(await verifyStore(other)).toEqual([]);
  });

  it("write Docker's types in an OCI layout, which we keep byte for byte", async () => {
    await mustRun(["skopeo", "copy", "--format", "v2s2", `oci:${store.root}:app`, `dir:${directory}/docker`]);
    const manifest = readFileSync(join(directory, "docker/manifest.json"));
    const digest = output(["sha256sum", join(directory, "docker/manifest.json")])
      .toString()
      .slice(0, 64);
    const layout = join(directory, "layout");
    mkdirSync(join(layout, "blobs/sha256"), { recursive: true });
    writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
    for (const name of readdirSync(join(directory, "docker"))) {
      if (/^[0-9a-f]{64}$/.test(name)) writeFileSync(join(layout, "blobs/sha256", name), readFileSync(join(directory, "docker", name)));
    }
    writeFileSync(join(layout, "blobs/sha256", digest), manifest);
    const mediaType = "application/vnd.docker.distribution.manifest.v2+json";
    const entry = {
      mediaType,
      digest: `sha256:${digest}`,
      size: manifest.length,
      annotations: { "io.containerd.image.name": "docker.io/library/dock:1", "org.opencontainers.image.ref.name": "1" },
    };
    writeFileSync(join(layout, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
    const [loaded] = await loadImages(other, { directory: layout });
    expect([loaded?.names, loaded?.rawManifest.equals(manifest), loaded?.descriptor.mediaType]).toEqual([["dock:1"], true, mediaType]);
    expect(await verifyStore(other)).toEqual([]);
  });
});

it("fileBytes gives the whole file, and closes it when left early", async () => {
  const file = join(directory, "data");
  writeFileSync(file, Buffer.alloc(700_001, "ab"));
  const chunks: Buffer[] = [];
  for await (const chunk of fileBytes(file)) chunks.push(chunk);
  expect(Buffer.concat(chunks).equals(readFileSync(file))).toBe(true);
  expect(chunks.map(({ length }) => length)).toEqual([262144, 262144, 175713]);
  await expect(store.blobs.ingest("x", chunked(new Error("cut")))).rejects.toThrow("cut");
});
