import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { digestOf, hexOf } from "../../../store/digest.ts";
import { openMeasure } from "../../../store/gc/allocated.ts";
import { collectGarbage } from "../../../store/gc/collect.ts";
import { storeUsage } from "../../../store/gc/usage.ts";
import type { LayerInfo } from "../../../store/layers.ts";
import { openLease } from "../../../store/lease.ts";
import { withLock } from "../../../store/lock.ts";
import { mediaTypes } from "../../../store/oci.ts";
import { readRecord, writeRecord } from "../../../store/records.ts";
import { blobPlaces } from "../../../store/registry/blob-places.ts";
import { openStore, type Store } from "../../../store/store.ts";
import { verifyStore } from "../../../store/verify.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { addLayer, putImage } from "../sample-image.ts";

let root: string;
beforeEach(async () => {
  root = join(temporaryDirectory("gc"), "store");
  await (await openStore(root)).close();
});

const day = 86_400;

/** Everything of `use` is done by a process that has ended when it is over. */
async function finished<T>(use: (store: Store) => Promise<T>): Promise<T> {
  await using store = await openStore(root);
  return await use(store);
}

const keyOf = (name: string) => createHash("sha256").update(name).digest("hex");
const recordFile = (name: string) => join(root, "v1/steps", keyOf(name).slice(0, 2), keyOf(name));

/** The record of a step, as builds keep it, last used so many days ago. */
async function step(
  store: Store,
  name: string,
  files: Readonly<Record<string, string>>,
  daysAgo = 0,
  operation = `op ${name}`,
): Promise<LayerInfo> {
  const layer = await addLayer(store, files);
  await writeRecord(store, "steps", keyOf(name), Buffer.from(JSON.stringify({ layer, operation: `sha256:${keyOf(operation)}` })));
  await writeRecord(store, "by-op", keyOf(operation), Buffer.from(`sha256:${keyOf(name)}`));
  age(recordFile(name), daysAgo);
  return layer;
}

function age(path: string, daysAgo: number): void {
  const seconds = Date.now() / 1000 - daysAgo * day;
  utimesSync(path, seconds, seconds);
}

const collect = (policy = {}) => finished((store) => collectGarbage(store, policy));
const has = (layer: LayerInfo) =>
  [existsSync(join(root, "blobs/sha256", hexOf(layer.blob.digest))), existsSync(join(root, "v1/layers", hexOf(layer.diffId)))].every(
    Boolean,
  );
const isGone = (layer: LayerInfo) =>
  !existsSync(join(root, "blobs/sha256", hexOf(layer.blob.digest))) && !existsSync(join(root, "v1/layers", hexOf(layer.diffId)));

describe("without a policy", () => {
  it("what nothing names goes, and only that", async () => {
    const { loose, kept, image } = await finished(async (store) => ({
      image: await putImage(store, ["app"], [{ a: "in an image" }]),
      kept: await step(store, "kept", { b: "of a step" }, 300),
      loose: await addLayer(store, { c: "loose" }),
    }));
    const freed = await collect();
    expect([isGone(loose), has(kept)]).toEqual([true, true]);
    expect(freed.count).toEqual({
      layers: 1,
      steps: 0,
      directories: 0,
      remote: 0,
      downloads: 0,
      git: 0,
      "cache-mounts": 0,
      failed: 0,
      temp: 0,
    });
    expect(freed.totalBytes).toBeGreaterThan(0);
    expect(freed.storeBytes).toBeGreaterThanOrEqual(freed.heldBytes);
    await finished(async (store) => {
      expect(await verifyStore(store)).toEqual([]);
      expect((await store.images.open("app")).imageId).toBe(image.imageId);
      expect(await readRecord(store, "steps", keyOf("kept"))).toBeDefined();
    });
    expect((await collect()).totalBytes).toBe(0);
  });

  it("an image's documents and layers go after its last name, but for what another image has too", async () => {
    const [shared, own] = [{ s: "shared" }, { o: "own" }];
    const image = await finished(async (store) => {
      await putImage(store, ["stays"], [shared]);
      return putImage(store, ["goes"], [shared, own]);
    });
    await finished((store) => store.images.untag("goes"));
    await collect();
    expect(readdirSync(join(root, "blobs/sha256"))).toHaveLength(3);
    expect(existsSync(join(root, "blobs/sha256", hexOf(image.imageId)))).toBe(false);
    expect(await finished(verifyStore)).toEqual([]);
  });

  it("all that an index leads to stays: inner indexes, attestations, artifacts", async () => {
    const blobs = await finished(async (store) => {
      const image = await putImage(store, ["app"], [{ a: "1" }]);
      const statement = await store.blobs.putBytes("application/vnd.in-toto+json", Buffer.from("{}"));
      const config = await store.blobs.putBytes(mediaTypes.config, image.rawConfig);
      const attestation = await store.blobs.putBytes(
        mediaTypes.manifest,
        Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers: [statement] })),
      );
      const absent = { mediaType: mediaTypes.manifest, digest: digestOf("never fetched"), size: 13 };
      const inner = JSON.stringify({ schemaVersion: 2, manifests: [image.descriptor, attestation, absent] });
      const innerIndex = await store.blobs.putBytes(mediaTypes.index, Buffer.from(inner));
      const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests: [innerIndex] }));
      await store.images.remove(image);
      await store.images.putRaw({
        manifestType: mediaTypes.manifest,
        rawManifest: image.rawManifest,
        rawConfig: image.rawConfig,
        names: ["multi"],
        indexes: [{ mediaType: mediaTypes.index, bytes }],
      });
      return readdirSync(join(root, "blobs/sha256")).sort();
    });
    await collect({ all: true });
    expect(readdirSync(join(root, "blobs/sha256")).sort()).toEqual(blobs);
    expect(blobs).toHaveLength(7);
  });

  it("records of steps whose layer is lost go, and those that lead to them", async () => {
    const { layer } = await finished(async (store) => {
      const layer = await step(store, "lost", { a: "lost" });
      await store.blobs.delete(layer.blob.digest);
      await writeRecord(store, "steps", keyOf("torn"), Buffer.from("{"));
      return { layer };
    });
    const freed = await collect();
    expect(freed.count.steps).toBe(3);
    expect(existsSync(join(root, "v1/layers", hexOf(layer.diffId)))).toBe(false);
  });

  it("a document of a listed image that cannot be read stops it: nobody knows what the image needs", async () => {
    const image = await finished((store) => putImage(store, ["app"], [{ a: "1" }]));
    const path = join(root, "blobs/sha256", hexOf(image.descriptor.digest));
    writeFileSync(path, "x".repeat(image.descriptor.size));
    await expect(collect({ all: true })).rejects.toMatchObject({
      code: "INTEGRITY",
      hint: "tsbuild verify names what is damaged, tsbuild verify --repair takes it away",
    });
    expect(readdirSync(join(root, "blobs/sha256"))).toHaveLength(3);
  });
});

describe("where it is not known what something needs, and somebody is told", () => {
  const errors: string[] = [];
  const onUnreadable = ({ code }: { code: string }) => errors.push(code);
  beforeEach(() => {
    errors.length = 0;
  });
  const limits = { maxStoreBytes: 1, onUnreadable };
  const blobs = () => readdirSync(join(root, "blobs/sha256")).sort();
  const layers = () => readdirSync(join(root, "v1/layers")).sort();

  it("all blobs and layers stay: those of a damaged image that no step's record names, too", async () => {
    const image = await finished((store) => putImage(store, ["pulled"], [{ a: "a".repeat(9000) }, { b: "b".repeat(9000) }]));
    writeFileSync(join(root, "blobs/sha256", hexOf(image.descriptor.digest)), "x".repeat(image.descriptor.size));
    const before = [blobs(), layers()];
    expect((await collect(limits)).totalBytes).toBe(0);
    expect([errors, [blobs(), layers()]]).toEqual([["INTEGRITY"], before]);
  });

  it("all blobs and layers stay: those of a kept container whose record is damaged, which counts with its files", async () => {
    const layer = await finished((store) => addLayer(store, { base: "of no image" }));
    const directory = join(root, "v1/containers/kept");
    mkdirSync(join(directory, "upper"), { recursive: true });
    writeFileSync(join(directory, "upper/file"), Buffer.alloc(500_000));
    writeFileSync(join(directory, "container.json"), "{");
    const { totalBytes, storeBytes } = await collect(limits);
    expect([errors, totalBytes, has(layer)]).toEqual([["INVALID_DOCUMENT"], 0, true]);
    expect(storeBytes).toBeGreaterThan(500_000);
    const rows = await finished(storeUsage);
    expect(rows.find(({ kind }) => kind === "containers")).toMatchObject({ count: 1, bytes: await openMeasure()(directory) });
  });

  it("images without a name leave the list where all is to go, and their blobs stay", async () => {
    const [damaged, nameless] = await finished(async (store) => [
      await putImage(store, ["app"], [{ a: "1" }]),
      await putImage(store, [], [{ b: "2" }]),
    ]);
    writeFileSync(join(root, "blobs/sha256", hexOf(damaged?.descriptor.digest ?? digestOf(""))), "x");
    const before = blobs();
    expect((await collect({ all: true, onUnreadable })).images).toEqual([nameless?.listed.digest]);
    expect(blobs()).toEqual(before);
  });
});

describe("a policy", () => {
  const three = () =>
    finished(async (store) => ({
      old: await step(store, "old", { a: "o".repeat(100_000) }, 3),
      middle: await step(store, "middle", { b: "m".repeat(100_000) }, 2),
      fresh: await step(store, "fresh", { c: "f".repeat(100_000) }, 0),
    }));

  it("of an age takes what was not used for so long", async () => {
    const { old, middle, fresh } = await three();
    await collect({ maxAgeSeconds: 2.5 * day });
    expect([isGone(old), has(middle), has(fresh)]).toEqual([true, true, true]);
  });

  it("of a size takes the longest unused first, and no more than it must", async () => {
    const { old, middle, fresh } = await three();
    await collect({ keepBytes: 280_000 });
    expect([isGone(old), has(middle), has(fresh)]).toEqual([true, true, true]);
    await collect({ keepBytes: 130_000 });
    expect([isGone(middle), has(fresh)]).toEqual([true, true]);
    expect((await collect({ keepBytes: 0 })).storeBytes).toBe(0);
  });

  it("leaves what is known of an operation while any of its steps stays", async () => {
    await finished(async (store) => {
      await step(store, "stays", { a: "1" }, 0, "op");
      await step(store, "goes", { b: "2" }, 3, "op");
    });
    const isKnown = () => finished(async (store) => (await readRecord(store, "by-op", keyOf("op"))) !== undefined);
    const freed = await collect({ maxAgeSeconds: day });
    expect([freed.count.steps, await isKnown(), await finished(verifyStore)]).toEqual([1, true, []]);
    expect([(await collect({ all: true })).count.steps, await isKnown()]).toEqual([2, false]);
  });

  it("for the whole store counts images, and leaves them", async () => {
    const { old, fresh } = await three();
    await finished((store) => putImage(store, ["app"], [{ i: "i".repeat(100_000) }]));
    await collect({ maxStoreBytes: 350_000 });
    expect([isGone(old), has(fresh)]).toEqual([true, true]);
    const { storeBytes, heldBytes } = await collect({ maxStoreBytes: 1 });
    expect(storeBytes).toBe(heldBytes);
    expect(storeBytes).toBeGreaterThan(100_000);
    expect(await finished(verifyStore)).toEqual([]);
  });

  it("reading a record counts as using it", async () => {
    await three();
    await finished((store) => readRecord(store, "steps", keyOf("old")));
    const { old, middle } = { old: recordFile("old"), middle: recordFile("middle") };
    await collect({ maxAgeSeconds: day });
    expect([existsSync(old), existsSync(middle)]).toEqual([true, false]);
  });

  it("all leaves the images with a name, and nothing else", async () => {
    const { old, middle, fresh } = await three();
    const nameless = await finished(async (store) => {
      await putImage(store, ["app"], [{ a: "1" }]);
      return putImage(store, [], [{ n: "nameless" }]);
    });
    const freed = await collect({ all: true });
    expect([old, middle, fresh].map(isGone)).toEqual([true, true, true]);
    expect(freed.images).toEqual([nameless.descriptor.digest]);
    expect(freed.storeBytes).toBe(freed.heldBytes);
    expect(readdirSync(join(root, "blobs/sha256"))).toHaveLength(3);
    const left = readdirSync(join(root, "v1/steps"), { recursive: true, encoding: "utf8" }).filter((name) => name.length > 60);
    expect(left).toEqual([]);
  });

  it("leaves where a blob came from for as long as the blob is there", async () => {
    const [kept, cached] = await finished(async (store) => {
      const image = await putImage(store, ["app"], [{ a: "1" }]);
      const blobs = [image.layers[0]?.blob.digest, (await step(store, "a", { b: "2" })).blob.digest, digestOf("never here")];
      const known = blobs.filter((digest) => digest !== undefined);
      await blobPlaces(store).add(known, { registry: "r.example", repository: "app" }, "received");
      return known;
    });
    const places = () => readdirSync(join(root, "v1/places")).sort();
    await collect({ kinds: ["remote"] });
    const both = [kept, cached].map((digest) => hexOf(digest ?? digestOf("")));
    expect(places()).toEqual([...both].sort());
    await collect({ all: true });
    expect(places()).toEqual(both.slice(0, 1));
  });

  it("of kinds takes these alone", async () => {
    const layer = await finished(async (store) => {
      const info = await step(store, "a", { a: "1" });
      const made = await store.temp("dir");
      writeFileSync(join(made, "a"), "1");
      await store.layers.adoptDirectory(info.diffId, made, "exact");
      return info;
    });
    const freed = await collect({ kinds: ["directories"] });
    expect(freed.count.directories).toBe(1);
    expect(existsSync(join(root, "v1/layers", hexOf(layer.diffId), "dir"))).toBe(false);
    expect([has(layer), existsSync(recordFile("a"))]).toEqual([true, true]);
  });

  it("of a dry run changes nothing, and says what would go", async () => {
    const { old } = await three();
    const would = await collect({ all: true, dryRun: true });
    expect(has(old)).toBe(true);
    const freed = await collect({ all: true });
    expect(would).toEqual(freed);
  });
});

describe("what a running process pins", () => {
  it("stays: layers in all their forms, their directories, images without a name", async () => {
    await using lease = await openLease(root);
    const { layer, image } = await finished(async (store) => {
      const layer = await step(store, "used", { a: "1" }, 30);
      const made = await store.temp("dir");
      await store.layers.adoptDirectory(layer.diffId, made, "exact");
      return { layer, image: await putImage(store, [], [{ b: "2" }]) };
    });
    await lease.pin(layer.diffId, image.listed.digest);
    await collect({ all: true });
    expect(has(layer)).toBe(true);
    expect(existsSync(join(root, "v1/layers", hexOf(layer.diffId), "dir"))).toBe(true);
    expect(await finished((store) => store.images.list())).toHaveLength(1);
    await lease.close();
    await collect({ all: true });
    expect(isGone(layer)).toBe(true);
  });

  it("does not make the collector wait", async () => {
    await using lease = await openLease(root);
    await lease.pin(digestOf("a"));
    expect((await collect({ all: true })).totalBytes).toBe(0);
  });

  it("is looked at under the lock: what is pinned or named while the collector waits stays", async () => {
    const layer = await finished((store) => step(store, "a", { a: "1" }, 30));
    await using lease = await openLease(root);
    let collecting: Promise<unknown> | undefined;
    await withLock(join(root, "v1/lock"), "shared", async () => {
      collecting = collect({ all: true });
      // Pinning takes the same lock, shared.
      await lease.pin(layer.diffId);
      await finished((store) => step(store, "new", { n: "new" }));
    });
    await collecting;
    expect(has(layer)).toBe(true);
    expect(await finished((store) => store.layers.has(layer.diffId))).toBe(true);
  });
});

describe("what ended processes left", () => {
  it("goes: temp directories, and trash that was not emptied", async () => {
    mkdirSync(join(root, "v1/tmp/0123456789abcdef/run-1"), { recursive: true });
    mkdirSync(join(root, "v1/trash/feed/dir"), { recursive: true });
    writeFileSync(join(root, "v1/trash/feed/dir/file"), "x".repeat(10_000));
    const freed = await collect();
    expect(freed.count.temp).toBe(2);
    expect(freed.bytes.temp).toBeGreaterThanOrEqual(10_000);
    expect([readdirSync(join(root, "v1/tmp")), readdirSync(join(root, "v1/trash"))]).toEqual([[], []]);
  });
});

describe("naming an image that was removed and collected meanwhile", () => {
  it("fails, and lists nothing that is not there", async () => {
    const image = await finished((store) => putImage(store, ["app"], [{ a: "1" }]));
    await finished((store) => store.images.untag("app"));
    await collect();
    await expect(finished((store) => store.images.tag(image, "other"))).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(await finished((store) => store.images.list())).toEqual([]);
  });
});
