import { existsSync, readFileSync, statSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeEach, describe, expect, it } from "vitest";
import { bytesOf } from "../../runtime-addon/index.ts";
import { exportRootfs } from "../../store/archive/export-rootfs.ts";
import { checkStore } from "../../store/check/check-store.ts";
import { repairStore } from "../../store/check/repair-store.ts";
import { digestOf, hexOf } from "../../store/digest.ts";
import { collectGarbage } from "../../store/gc/collect.ts";
import { storeUsage } from "../../store/gc/usage.ts";
import { mergeLayers } from "../../store/layer/merge.ts";
import { writeLayer } from "../../store/layer/tar-write.ts";
import { encodeLayerInfo, readLayerInfo } from "../../store/layer-info.ts";
import type { LayerInfo } from "../../store/layers.ts";
import { mediaTypes } from "../../store/oci.ts";
import { openLayers, openRootfs } from "../../store/open-rootfs.ts";
import { openStore, type Store } from "../../store/store.ts";
import { sparseTar } from "../support/sparse-tar.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { addLayer, configOf } from "./sample-image.ts";

const { tar, files } = sparseTar();
const diffId = digestOf(tar);
let root: string;
let layers: readonly LayerInfo[];

async function using<T>(use: (store: Store) => Promise<T>): Promise<T> {
  await using store = await openStore(root);
  return await use(store);
}
const inLayer = (name: string) => join(root, "v1/layers", hexOf(diffId), name);
const found = () => using(async (store) => (await checkStore(store)).map(({ kind, subject, problem }) => `${kind} ${subject}: ${problem}`));

/** Of an image's layers; makes what is needed to read them. */
const contents = () =>
  using(async (store) => {
    await store.pin(diffId);
    const rootfs = await openRootfs(store.layers, layers);
    const read = (name: string) => rootfs.read(bytesOf(name), { limit: 2 ** 22 });
    return Promise.all(Object.keys(files).map(async (name) => (await read(name)).equals(files[name] ?? Buffer.of())));
  });
const whole = Object.keys(files).map(() => true);

beforeEach(async () => {
  root = join(temporaryDirectory("sparse-layer"), "store");
  layers = await using(async (store) => {
    const blob = await store.blobs.putBytes(mediaTypes.layerGzip, gzipSync(tar));
    const all = [await store.layers.ensure(diffId, blob), await addLayer(store, { over: "it" })];
    await store.images.put({ config: configOf(all), layers: all.map((layer) => layer.blob), names: ["app"] });
    return all;
  });
});

describe("a layer with sparse files", () => {
  it("is exported whole", async () => {
    const directory = join(root, "../files");
    await using((store) => exportRootfs(store, [{ layers }], { directory }));
    for (const [name, bytes] of Object.entries(files)) expect(readFileSync(join(directory, name)).equals(bytes)).toBe(true);
  });

  it("is merged with others into one that says of each file what it is", async () => {
    const tree = await using(async (store) => {
      const merged = await mergeLayers([], await openLayers(store.layers, layers));
      return writeLayer(merged, await store.tempFile("merged"), { sync: false, ignoreMtime: () => false });
    });
    const digests = tree.entries.flatMap((entry) => (entry.kind === "file" ? [[entry.path, entry.digest]] : []));
    const expected = [...Object.entries(files), ["over", Buffer.from("it")] as const];
    expect(digests).toEqual(expected.map(([path, bytes]) => [path, digestOf(bytes)]).sort());
  });

  it("loses to prune only what can be made of it again, when it was not used for long", async () => {
    expect(await contents()).toEqual(whole);
    for (const name of ["plain", "contents"]) utimesSync(inLayer(name), 1_000_000_000, 1_000_000_000);
    const bytes = statSync(inLayer("contents")).blocks * 512 + statSync(inLayer("plain")).blocks * 512;
    const usage = await using(storeUsage);
    expect(usage.find(({ kind }) => kind === "directories")).toMatchObject({ count: 2, bytes, reclaimableBytes: bytes });
    const freed = await using((store) => collectGarbage(store, { maxAgeSeconds: 86_400 }));
    expect([freed.count.directories, existsSync(inLayer("contents")), existsSync(inLayer("plain"))]).toEqual([2, false, false]);
    expect(await contents()).toEqual(whole);
    expect(await found()).toEqual([]);
  });

  it("has used what it is read from", async () => {
    expect(await contents()).toEqual(whole);
    for (const name of ["plain", "contents"]) utimesSync(inLayer(name), 1_000_000_000, 1_000_000_000);
    expect(await contents()).toEqual(whole);
    for (const name of ["plain", "contents"]) expect(statSync(inLayer(name)).mtimeMs).toBeGreaterThan(1_000_000_000_000);
  });

  it("keeps what is pinned while garbage is collected", async () => {
    await using(async (store) => {
      await store.pin(diffId);
      const path = await store.layers.contents(diffId);
      await using((other) => collectGarbage(other, { all: true, nowMs: Date.now() + 10 ** 10 }));
      expect(existsSync(path)).toBe(true);
    });
  });
});

const change = (path: string, at: number) => {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  return bytes;
};

describe("damage of a layer with sparse files", () => {
  const contentsName = `directory v1/layers/${hexOf(diffId)}/contents`;
  it.each<[name: string, damage: () => string | readonly string[]]>([
    [
      "a bit of the tar",
      () => `${contentsName}: the bytes of its tar hash to ${digestOf(change(inLayer("contents"), 600).subarray(0, tar.length))}`,
    ],
    [
      "a bit in a hole",
      () => {
        const bytes = change(inLayer("contents"), tar.length + 1);
        return `${contentsName}: the bytes of a sparse file hash to ${digestOf(bytes.subarray(tar.length, tar.length + (files.one?.length ?? 0)))}`;
      },
    ],
    [
      "the end",
      () => {
        const { size } = statSync(inLayer("contents"));
        truncateSync(inLayer("contents"), size - 1);
        return `${contentsName}: it has ${size - 1} bytes instead of ${size}`;
      },
    ],
    [
      "what is written down",
      () => {
        change(inLayer("info"), 20);
        const unknown = "what it was made of is not known any more";
        return [
          `tree ${diffId}: what is written down about it is damaged`,
          ...["contents", "plain"].map((name) => `directory v1/layers/${hexOf(diffId)}/${name}: ${unknown}`),
        ];
      },
    ],
    [
      "what is written down, by somebody who forgot the sparse files",
      () => {
        const written = readLayerInfo(inLayer("info"), diffId);
        if (written === undefined) throw new Error("nothing is written down");
        const { contentsBytes: _, ...info } = written;
        writeFileSync(inLayer("info"), encodeLayerInfo(info));
        return `tree ${diffId}: what is written down about its sparse files is not what its blob has`;
      },
    ],
  ])("is named and repaired: %s", async (_name, damage) => {
    expect(await contents()).toEqual(whole);
    const problems = damage();
    expect(await found()).toEqual([problems].flat());
    expect(await using(async (store) => repairStore(store, await checkStore(store)))).toEqual([]);
    expect(await found()).toEqual([]);
    expect(await contents()).toEqual(whole);
  });
});
