import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { beforeEach, describe, expect, it } from "vitest";
import type { Bytes } from "../../store/blobs.ts";
import { compressedLayer, knownCompression } from "../../store/compressed-layer.ts";
import { rememberCompression } from "../../store/compression-records.ts";
import { type Digest, digestOf, hexOf } from "../../store/digest.ts";
import { gzipCompressor } from "../../store/gzip-blocks.ts";
import { mediaTypes } from "../../store/oci.ts";
import { openStore, type Store } from "../../store/store.ts";
import { chunked } from "../conformance/blob-store.suite.ts";
import { needs } from "../support/needs.ts";
import { sampleBytes } from "../support/sample-bytes.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { addLayer, putImage } from "./sample-image.ts";

let store: Store;
beforeEach(async () => {
  store = await openStore(join(temporaryDirectory("compressed"), "store"));
  return () => store.close();
});

const content = sampleBytes(3 * 2 ** 20).toString("latin1");
const files = { "etc/": "", "etc/data": content };
const record = (diffId: Digest) => join(store.root, "v1/compressed", hexOf(diffId));

/** What temp directories of this process hold in the store. */
function tempFiles(): string[] {
  return readdirSync(join(store.root, "v1/tmp"), { recursive: true, encoding: "utf8" }).filter((name) => name.includes("/"));
}

async function collected(bytes: Bytes): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe("a compressed layer", () => {
  it("is the layer's tar as gzip, by any offset, until it is closed", async () => {
    const { diffId } = await addLayer(store, files);
    const layer = await compressedLayer(store, { diffId }, { kind: "gzip" });
    const bytes = await collected(layer.open(0));
    expect(layer.descriptor).toEqual({ mediaType: mediaTypes.layerGzip, digest: digestOf(bytes), size: bytes.length });
    expect(gunzipSync(bytes).equals(readFileSync(store.blobs.path(diffId)))).toBe(true);
    const { size } = layer.descriptor;
    for (const offset of [1, 300_000, size - 1, size]) {
      expect((await collected(layer.open(offset))).equals(bytes.subarray(offset)), `from ${offset}`).toBe(true);
    }
    expect(tempFiles()).toHaveLength(1);
    await layer.close();
    await layer.close();
    expect(tempFiles()).toEqual([]);
    await expect(collected(layer.open(0))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("adds no blob to the store", async () => {
    const { diffId } = await addLayer(store, files);
    const before = readdirSync(join(store.root, "blobs/sha256"));
    const layer = await compressedLayer(store, { diffId }, { kind: "gzip" });
    await layer.close();
    expect(readdirSync(join(store.root, "blobs/sha256"))).toEqual(before);
  });

  it("can be left early, and is left when its reader's signal says so", async () => {
    const { diffId } = await addLayer(store, files);
    const layer = await compressedLayer(store, { diffId }, { kind: "gzip" });
    for await (const chunk of layer.open(0)) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    const controller = new AbortController();
    const reason = new Error("no longer wanted");
    const reading = async () => {
      for await (const _ of layer.open(0, { signal: controller.signal })) controller.abort(reason);
    };
    await expect(reading()).rejects.toBe(reason);
    await layer.close();
  });

  it("is made of the inflated tar where the store has it compressed otherwise", async () => {
    const made = await addLayer(store, files);
    const tar = readFileSync(store.blobs.path(made.diffId));
    await store.blobs.delete(made.blob.digest);
    rmSync(join(store.root, "v1/layers", hexOf(made.diffId)), { recursive: true });
    const bytes = gzipSync(tar, { level: 1 });
    const blob = { mediaType: mediaTypes.layerGzip, digest: digestOf(bytes), size: bytes.length };
    await store.blobs.put(blob, chunked(bytes));
    await store.layers.ensure(made.diffId, blob);
    const layer = await compressedLayer(store, made, { kind: "gzip" });
    expect(gunzipSync(await collected(layer.open(0))).equals(tar)).toBe(true);
    expect(layer.descriptor.digest).not.toBe(blob.digest);
    await layer.close();
  });

  it("is made of many layers at once", async () => {
    const infos = await Promise.all(["a", "b", "c", "d"].map((name) => addLayer(store, { [name]: content })));
    const check = async ({ diffId }: { readonly diffId: Digest }) => {
      const layer = await compressedLayer(store, { diffId }, { kind: "gzip" });
      expect(digestOf(gunzipSync(await collected(layer.open(0))))).toBe(diffId);
      await layer.close();
    };
    await Promise.all(infos.map(check));
  });

  it("of a layer that is not there is an error", async () => {
    const diffId = digestOf("nothing");
    await expect(compressedLayer(store, { diffId }, { kind: "gzip" })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("is refused where the store's tar is damaged, and nothing is left or remembered", async () => {
    const { diffId, blob } = await addLayer(store, files);
    const damaged = Buffer.alloc(blob.size, 1);
    chmodSync(store.blobs.path(diffId), 0o644);
    writeFileSync(store.blobs.path(diffId), damaged);
    await expect(compressedLayer(store, { diffId }, { kind: "gzip" })).rejects.toMatchObject({
      code: "INTEGRITY",
      message: `compressing layer ${diffId}: expected ${diffId}, got ${digestOf(damaged)}`,
    });
    expect([tempFiles(), existsSync(record(diffId))]).toEqual([[], false]);
  });

  it("that is cancelled leaves nothing, and lets the next one have its turn", async () => {
    const { diffId } = await addLayer(store, files);
    const controller = new AbortController();
    const reason = new Error("no longer wanted");
    const cancelled = [1, 2, 3].map(() => compressedLayer(store, { diffId }, { kind: "gzip" }, { signal: controller.signal }));
    const other = compressedLayer(store, { diffId }, { kind: "gzip" });
    controller.abort(reason);
    for (const one of cancelled) await expect(one).rejects.toBe(reason);
    const layer = await other;
    expect(tempFiles()).toHaveLength(1);
    await layer.close();
  });
});

describe("a layer compressed with zstd", needs("zstd"), () => {
  it.each([undefined, 0, 1, 19, 22])("of level %s is the layer's tar", async (level) => {
    const { diffId } = await addLayer(store, files);
    const layer = await compressedLayer(store, { diffId }, { kind: "zstd", level });
    const bytes = await collected(layer.open(0));
    expect(layer.descriptor).toEqual({ mediaType: mediaTypes.layerZstd, digest: digestOf(bytes), size: bytes.length });
    const plain = execFileSync("zstd", ["-dcq"], { input: bytes, maxBuffer: 1 << 28 });
    expect(plain.equals(readFileSync(store.blobs.path(diffId)))).toBe(true);
    expect(await knownCompression(store, diffId, { kind: "zstd", level })).toEqual(layer.descriptor);
    await layer.close();
  });

  it("leaves no program and no file when it is cancelled", async () => {
    const { diffId } = await addLayer(store, files);
    const reason = new Error("no longer wanted");
    await expect(compressedLayer(store, { diffId }, { kind: "zstd" }, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(tempFiles()).toEqual([]);
  });

  it("has levels that end somewhere", async () => {
    const { diffId } = await addLayer(store, files);
    await expect(compressedLayer(store, { diffId }, { kind: "zstd", level: 23 })).rejects.toMatchObject({
      code: "INVALID_VALUE",
      message: "compressing with zstd: there is no level 23",
      hint: "zstd has the levels 0 to 22",
    });
    await expect(compressedLayer(store, { diffId }, { kind: "gzip", level: 1.5 })).rejects.toMatchObject({ code: "INVALID_VALUE" });
  });
});

describe("what a layer came to", () => {
  it("is remembered for the compressor in use", async () => {
    const { diffId } = await addLayer(store, files);
    expect(await knownCompression(store, diffId, { kind: "gzip" })).toBeUndefined();
    const layer = await compressedLayer(store, { diffId }, { kind: "gzip" });
    await layer.close();
    expect(await knownCompression(store, diffId, { kind: "gzip" })).toEqual(layer.descriptor);
    expect(JSON.parse(readFileSync(record(diffId), "utf8"))).toEqual([
      { compressor: gzipCompressor(), digest: layer.descriptor.digest, size: layer.descriptor.size },
    ]);
    const again = await openStore(store.root);
    expect(await knownCompression(again, diffId, { kind: "gzip" })).toEqual(layer.descriptor);
    await again.close();
  });

  it("is remembered by level, and all of it is known as the layer", async () => {
    const made = await addLayer(store, files);
    const forms = [{ kind: "gzip", level: 1 }, { kind: "gzip", level: 9 }, { kind: "gzip" }] as const;
    for (const form of forms) await (await compressedLayer(store, made, form)).close();
    const known = await Promise.all(forms.map((form) => knownCompression(store, made.diffId, form)));
    expect(new Set(known.map((blob) => blob?.digest)).size).toBe(3);
    for (const blob of known) expect(blob !== undefined && (await store.layers.hasAs(made.diffId, blob))).toBe(true);
    rmSync(record(made.diffId));
    expect(await Promise.all(forms.map((form) => knownCompression(store, made.diffId, form)))).toEqual([undefined, undefined, undefined]);
  });

  it("is not believed of another compressor, and replaced by what comes out now", async () => {
    const { diffId } = await addLayer(store, files);
    const older = { digest: digestOf("older"), size: 5 };
    await rememberCompression(store, diffId, { compressor: "libdeflate-0.1-6-1MiB", ...older });
    expect(await knownCompression(store, diffId, { kind: "gzip" })).toBeUndefined();
    await rememberCompression(store, diffId, { compressor: gzipCompressor(), ...older });
    expect(await knownCompression(store, diffId, { kind: "gzip" })).toEqual({ mediaType: mediaTypes.layerGzip, ...older });
    const layer = await compressedLayer(store, { diffId }, { kind: "gzip" });
    await layer.close();
    expect(await knownCompression(store, diffId, { kind: "gzip" })).toEqual(layer.descriptor);
  });

  const good = { compressor: gzipCompressor(), digest: digestOf("x"), size: 1 };
  it.each<[name: string, text: string]>([
    ["empty", ""],
    ["cut", JSON.stringify([good]).slice(0, -1)],
    ["no list", JSON.stringify(good)],
    ["zeros", "\0".repeat(100)],
    ["null", "null"],
    ["a list of nothing", "[null]"],
    ["without a digest", JSON.stringify([{ ...good, digest: undefined }])],
    ["with a digest that is a path", JSON.stringify([{ ...good, digest: "sha256:../../../../etc/passwd" }])],
    ["with a size that is none", JSON.stringify([{ ...good, size: -1 }])],
    ["with a size in words", JSON.stringify([{ ...good, size: "1" }])],
  ])("is unknown when its file is %s", async (_name, text) => {
    const diffId = digestOf("layer");
    mkdirSync(dirname(record(diffId)), { recursive: true });
    writeFileSync(record(diffId), text);
    expect(await knownCompression(store, diffId, { kind: "gzip" })).toBeUndefined();
  });
});

describe("other readers", () => {
  /** An OCI layout of an image whose only layer is compressed by us. */
  async function compressedImage(): Promise<{ layout: string; diffId: Digest }> {
    const image = await putImage(store, ["app:v1"], [files]);
    const [plain] = image.layers;
    if (plain === undefined) throw new Error("no layer");
    const layer = await compressedLayer(store, plain, { kind: "gzip" });
    await store.blobs.put(layer.descriptor, layer.open(0));
    await layer.close();
    await store.images.put({ config: image.config, layers: [layer.descriptor], names: ["app:gzip"] });
    return { layout: `oci:${store.root}:app:gzip`, diffId: plain.diffId };
  }

  it("inflate all members: skopeo", needs("skopeo"), async () => {
    const { layout, diffId } = await compressedImage();
    const archive = join(temporaryDirectory("archive"), "docker.tar");
    execFileSync("skopeo", ["--insecure-policy", "copy", "-q", layout, `docker-archive:${archive}:app:gzip`], { stdio: "pipe" });
    const manifest = JSON.parse(execFileSync("tar", ["-xOf", archive, "manifest.json"], { encoding: "utf8" }));
    const tar = execFileSync("tar", ["-xOf", archive, manifest[0].Layers[0]], { maxBuffer: 2 ** 26 });
    expect(digestOf(tar)).toBe(diffId);
  });

  it("inflate all members: umoci", needs("root", "umoci"), async () => {
    await compressedImage();
    const bundle = join(temporaryDirectory("bundle"), "bundle");
    execFileSync("umoci", ["unpack", "--image", `${store.root}:app:gzip`, bundle], { stdio: "pipe" });
    expect(digestOf(readFileSync(join(bundle, "rootfs/etc/data")))).toBe(digestOf(Buffer.from(content)));
  });
});
