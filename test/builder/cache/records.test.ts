import { utimesSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type StepRecord, stepCache } from "../../../builder/cache/records.ts";
import { baseChain, childChain, type KeyContext, keyDigest, keyVersion, operationDigest, workdirKey } from "../../../builder/plan/key.ts";
import { hexOf } from "../../../store/digest.ts";
import { collectGarbage } from "../../../store/gc/collect.ts";
import { writeLayer } from "../../../store/layer/tar-write.ts";
import type { LayerInfo } from "../../../store/layers.ts";
import { openStore, type Store } from "../../../store/store.ts";
import { verifyStore } from "../../../store/verify.ts";
import { fileEntry } from "../../store/layer/samples.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { amd64 } from "../plan/planned.ts";

const context: KeyContext = { parent: baseChain([]), platform: amd64, writer: 1 };
const created = "2024-01-01T00:00:00Z";
const keyOf = (path: string, change: Partial<KeyContext> = {}) => workdirKey({ op: "workdir", path, user: "" }, { ...context, ...change });

async function layer(store: Store, content: string): Promise<LayerInfo> {
  const tempTar = await store.tempFile("test");
  return store.layers.add(await writeLayer([fileEntry("f", content)], tempTar, { sync: false, ignoreMtime: () => true }), { tempTar });
}

async function withStore(body: (store: Store) => Promise<void>): Promise<void> {
  await using store = await openStore(`${temporaryDirectory("store")}/store`);
  await body(store);
}

const diffIdOf = (record: StepRecord | undefined) => record?.layer.diffId;

it("gives what was saved under a key, and nothing whose layer is gone", () =>
  withStore(async (store) => {
    const cache = stepCache(store);
    const one = await layer(store, "1");
    await cache.save({ key: keyOf("/a"), layer: one, created });
    expect(await cache.find(keyOf("/a"))).toEqual({
      version: keyVersion,
      key: keyOf("/a"),
      layer: one,
      operation: operationDigest(keyOf("/a")),
      created,
    });
    expect(await cache.find(keyOf("/b"))).toBeUndefined();
    await store.blobs.delete(one.blob.digest);
    expect(await cache.find(keyOf("/a"))).toBeUndefined();
  }));

it("finds a layer by its content only while its step's record still has that content", () =>
  withStore(async (store) => {
    const cache = stepCache(store);
    const [one, two] = [await layer(store, "1"), await layer(store, "2")];
    await cache.save({ key: keyOf("/a"), layer: one, created });
    expect(diffIdOf(await cache.findContent(context, one.contentId))).toBe(one.diffId);
    // The same step ran again and came to something else.
    await cache.save({ key: keyOf("/a"), layer: two, created });
    expect(await cache.findContent(context, one.contentId)).toBeUndefined();
    expect(diffIdOf(await cache.findContent(context, two.contentId))).toBe(two.diffId);
  }));

it("finds content only over the same parent and under the same epoch", () =>
  withStore(async (store) => {
    const cache = stepCache(store);
    const one = await layer(store, "1");
    await cache.save({ key: keyOf("/a", { epoch: 5 }), layer: one, created });
    expect(diffIdOf(await cache.findContent({ ...context, epoch: 5 }, one.contentId))).toBe(one.diffId);
    expect(await cache.findContent(context, one.contentId)).toBeUndefined();
    expect(await cache.findContent({ ...context, epoch: 6 }, one.contentId)).toBeUndefined();
    expect(await cache.findContent({ ...context, epoch: 5, parent: one.diffId }, one.contentId)).toBeUndefined();
  }));

it("knows an operation as long as any of its steps is there, whichever was recorded last", async () => {
  const root = `${temporaryDirectory("store")}/store`;
  const using = async <T>(body: (store: Store) => Promise<T>): Promise<T> => {
    await using store = await openStore(root);
    return await body(store);
  };
  const [first, last] = [keyOf("/a"), keyOf("/a", { parent: childChain(context.parent, baseChain([])) })];
  await using(async (store) => {
    for (const key of [first, last]) await stepCache(store).save({ key, layer: await layer(store, JSON.stringify(key)), created });
  });
  const hex = hexOf(keyDigest(last));
  utimesSync(join(root, "v1/steps", hex.slice(0, 2), hex), 1, 1);
  const collected = (policy: Parameters<typeof collectGarbage>[1]) =>
    using(async (store) => {
      await collectGarbage(store, policy);
      const cache = stepCache(store);
      const found = [await cache.find(first), await cache.find(last)].map((record) => record !== undefined);
      return { found, known: await cache.knowsOperation(last), problems: await verifyStore(store) };
    });
  expect(await collected({ maxAgeSeconds: 86_400 })).toEqual({ found: [true, false], known: true, problems: [] });
  // What is kept so is no garbage for the next collector either.
  expect(await collected({})).toEqual({ found: [true, false], known: true, problems: [] });
  expect(await collected({ all: true })).toEqual({ found: [false, false], known: false, problems: [] });
});
