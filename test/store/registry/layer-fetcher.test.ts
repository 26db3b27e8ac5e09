import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { constants, gzipSync } from "node:zlib";
import { beforeEach, describe, expect, it } from "vitest";
import type { Bytes } from "../../../store/blobs.ts";
import { compressedLayer } from "../../../store/compressed-layer.ts";
import { digestOf, hexOf } from "../../../store/digest.ts";
import { IntegrityError, TsbuildError } from "../../../store/errors.ts";
import type { LayerInfo } from "../../../store/layers.ts";
import { type Descriptor, mediaTypes } from "../../../store/oci.ts";
import { type LayerRef, openRootfs } from "../../../store/open-rootfs.ts";
import { type LayerFetcherOptions, openLayerFetcher } from "../../../store/registry/layer-fetcher.ts";
import { RegistryError } from "../../../store/registry/registry-error.ts";
import type { TransferEvent } from "../../../store/registry/transfer-event.ts";
import { openStore, type Store } from "../../../store/store.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { addLayer } from "../sample-image.ts";
import { type Files, type MemoryRepository, makeLayer, memoryRepository } from "./memory-repository.ts";
import { failureOf } from "./test-repository.ts";

let store: Store;
let repository: MemoryRepository;
let events: TransferEvent[];
beforeEach(async () => {
  store = await openStore(join(temporaryDirectory("fetcher"), "store"));
  repository = memoryRepository();
  events = [];
  return () => store.close();
});

const open = (options: Partial<LayerFetcherOptions> = {}) =>
  openLayerFetcher({ store, onEvent: (event) => events.push(event), ...options });
const big = () => ({ f: randomBytes(40_000).toString("hex") });

async function offered(files: Files, change: { compress?: (tar: Buffer) => Buffer; in?: MemoryRepository } = {}): Promise<LayerRef> {
  const { compress = gzipSync, in: place = repository } = change;
  const { diffId, tar } = await makeLayer(files);
  return { diffId, blob: place.putBlob(mediaTypes.layerGzip, compress(tar)) };
}
const storyOf = ({ blob }: LayerRef) =>
  events.filter(({ digest, state }) => digest === blob.digest && state !== "progress").map(({ state }) => state);
/** A download that fails before its first byte. */
const failing = (error: () => Promise<Error>): Bytes => ({
  [Symbol.asyncIterator]: () => ({ next: async () => Promise.reject(await error()) }),
});
const downloads = (place = repository) => place.asked.filter((line) => line.startsWith("download"));
/** Temp files of this process that are left. */
const temps = () => readdirSync(join(store.root, "v1/tmp"), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
const isWhole = async (layer: LayerRef) => (await store.blobs.has(layer.blob)) && (await store.layers.has(layer.diffId));

describe("layers", () => {
  it("come once each, indexed, and are not unpacked", async () => {
    const layers = [await offered({ "d/": "", "d/f": "text" }), await offered({ g: "2" })];
    const fetcher = open();
    fetcher.offer(layers, repository);
    await fetcher.fetch([...layers, ...layers]);
    for (const { diffId, blob } of layers) {
      expect(readFileSync(store.blobs.path(blob.digest))).toEqual(repository.blobs.get(blob.digest));
      expect(await store.layers.info(diffId)).toMatchObject({ blob });
      expect(readdirSync(join(store.root, "v1/layers", hexOf(diffId))).sort()).toEqual(["info", "tree"]);
    }
    expect((await store.layers.tree(layers[0]?.diffId ?? digestOf(""))).entries.map(({ path }) => String(path))).toEqual(["d", "d/f"]);
    expect(downloads()).toHaveLength(2);
    expect(temps()).toEqual([]);
  });

  it("tell how far they are", async () => {
    const layer = await offered(big());
    const fetcher = open();
    fetcher.offer([layer], repository);
    await fetcher.fetch([layer]);
    const { digest, size } = layer.blob;
    const about = { type: "transfer", direction: "pull", what: "layer", digest, repository: "docker.io/library/app", sizeBytes: size };
    expect(events[0]).toEqual({ ...about, state: "start", doneBytes: 0 });
    expect(events[1]).toEqual({ ...about, state: "progress", doneBytes: 1024 });
    expect(events.at(-1)).toEqual({ ...about, state: "done", doneBytes: size });
  });

  it("come once for all who want them at the same time", async () => {
    const layer = await offered(big());
    const fetcher = open();
    fetcher.offer([layer], repository);
    await Promise.all([fetcher.fetch([layer]), fetcher.fetch([layer], { exactBlobs: true }), fetcher.fetch([layer])]);
    expect(downloads()).toHaveLength(1);
  });

  it("come many at once, but no more than allowed", async () => {
    let running = 0;
    let most = 0;
    repository.intercept = async function* ({ digest }) {
      running += 1;
      most = Math.max(most, running);
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
      yield repository.blobs.get(digest) ?? Buffer.of();
      running -= 1;
    };
    const layers = await Promise.all(Array.from({ length: 30 }, (_, i) => offered({ f: String(i) })));
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on("warning", onWarning);
    const fetcher = open({ parallel: 3 });
    fetcher.offer(layers, repository);
    await fetcher.fetch(layers, { signal: new AbortController().signal });
    process.off("warning", onWarning);
    expect([most, running]).toEqual([3, 0]);
    for (const layer of layers) expect(await isWhole(layer)).toBe(true);
    expect(warnings).toEqual([]);
  });

  it("begin with the largest", async () => {
    const [small, large, middle] = [
      await offered({ a: "1" }),
      await offered(big()),
      await offered({ f: randomBytes(999).toString("hex") }),
    ];
    const fetcher = open({ parallel: 1 });
    fetcher.offer([small, large, middle], repository);
    await fetcher.fetch([small, large, middle]);
    expect(downloads()).toEqual([large, middle, small].map(({ blob }) => `download ${blob.digest}`));
  });

  it.each<[string, (tar: Buffer) => Buffer]>([
    ["plain", (tar) => tar],
    ["with bytes behind the gzip data", (tar) => Buffer.concat([gzipSync(tar), Buffer.alloc(300_000)])],
    ["of several gzip members", (tar) => Buffer.concat([gzipSync(tar.subarray(0, 100)), gzipSync(tar.subarray(100))])],
    ["flushed in the middle", (tar) => gzipSync(tar, { finishFlush: constants.Z_FULL_FLUSH, level: 0 })],
  ])("are taken %s", async (name, compress) => {
    const layer = await offered(big(), { compress });
    const fetcher = open();
    fetcher.offer([layer], repository);
    const fetched = fetcher.fetch([layer]);
    // Without its end the gzip data is cut off, whatever it holds.
    if (name === "flushed in the middle") await expect(fetched).rejects.toMatchObject({ code: "INVALID_COMPRESSION" });
    else await fetched;
    expect(await isWhole(layer)).toBe(name !== "flushed in the middle");
    expect(temps()).toEqual([]);
  });
});

describe("nothing is fetched", () => {
  it.each<[string, (own: LayerInfo, files: Files) => Promise<LayerRef>]>([
    ["as it is", async (own) => own],
    [
      "as what it was compressed to",
      async (own) => {
        const compressed = await compressedLayer(store, own, { kind: "gzip" });
        await compressed.close();
        return { diffId: own.diffId, blob: compressed.descriptor };
      },
    ],
    [
      "as a blob that was read here and then deleted",
      async (_, files) => {
        const layer = await offered(files);
        await store.blobs.putBytes(layer.blob.mediaType, repository.blobs.get(layer.blob.digest) ?? Buffer.of());
        await store.layers.ensure(layer.diffId, layer.blob);
        await store.blobs.delete(layer.blob.digest);
        return layer;
      },
    ],
  ])("of a layer that is there, known %s, which is pinned then", async (_, known) => {
    const files = { f: "here" };
    const own = await addLayer(store, files);
    const { blob } = own;
    const layer = await known(own, files);
    await open().fetch([layer]);
    await openRootfs(store.layers, [layer]);
    expect(events).toEqual([]);
    const [lease = ""] = readdirSync(join(store.root, "v1/leases"));
    const pinned = readFileSync(join(store.root, "v1/leases", lease), "utf8").split("\n");
    expect(pinned).toEqual(expect.arrayContaining([layer.diffId, blob.digest]));
  });

  it("of a blob that is there, also where the layer was not known", async () => {
    const layer = await offered({ f: "1" });
    await store.blobs.putBytes(layer.blob.mediaType, repository.blobs.get(layer.blob.digest) ?? Buffer.of());
    const fetcher = open();
    fetcher.offer([layer], repository);
    await fetcher.fetch([layer], { exactBlobs: true });
    expect([downloads(), storyOf(layer), await isWhole(layer)]).toEqual([[], ["start", "present"], true]);
  });

  it("when it was cancelled before", async () => {
    const layer = await offered({ f: "1" });
    const reason = new Error("enough");
    await expect(open().fetch([layer], { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(open({ signal: AbortSignal.abort(reason) }).fetch([layer])).rejects.toBe(reason);
  });
});

it("fetches the blob itself where that is asked for", async () => {
  const files = { f: "here" };
  await addLayer(store, files);
  const layer = await offered(files);
  const fetcher = open();
  fetcher.offer([layer], repository);
  await fetcher.fetch([layer], { exactBlobs: true });
  expect([downloads().length, await isWhole(layer)]).toEqual([1, true]);
});

it("attack: a declared size beyond the disk asks the registry for nothing", async () => {
  const layer = await offered(big());
  const huge = { ...layer, blob: { ...layer.blob, size: 2 ** 52 } };
  const fetcher = open();
  fetcher.offer([huge], repository);
  await expect(fetcher.fetch([huge])).rejects.toMatchObject({
    code: "STORE_FULL",
    message: expect.stringMatching(
      `^fetching layer ${layer.blob.digest}: ${2 ** 52} bytes, and the file system of the store .* has room for \\d+$`,
    ),
  });
  expect(downloads()).toEqual([]);
  expect(temps()).toEqual([]);
});

it("refuses a layer that nobody offers", async () => {
  const { diffId, tar } = await makeLayer({ f: "1" });
  const blob: Descriptor = { mediaType: mediaTypes.layer, digest: digestOf(tar), size: tar.length };
  await expect(open().fetch([{ diffId, blob }])).rejects.toMatchObject({
    code: "NOT_FOUND",
    message: `fetching layer ${blob.digest}: it is not in the store ${store.root}, and no registry is known to have it`,
  });
});

describe("places", () => {
  it("are known in the order of the offers, once each", async () => {
    const layer = await offered({ f: "1" });
    const other = memoryRepository("other", "host:5000");
    const fetcher = open();
    for (const place of [repository, other, memoryRepository()]) fetcher.offer([layer], place);
    expect(fetcher.placesOf(layer)).toEqual([repository, other]);
    expect(fetcher.placesOf({ ...layer, blob: { ...layer.blob, digest: digestOf("x") } })).toEqual([]);
  });

  const refuse = () => failing(async () => new RegistryError("REGISTRY_UNREACHABLE", "fetching: no connection"));
  const wrong = (times: number) => {
    let left = times;
    return ({ digest }: Descriptor) => {
      if (left-- <= 0) return undefined;
      const bytes = Buffer.from(repository.blobs.get(digest) ?? "");
      bytes.writeUInt8(bytes.readUInt8(20) ^ 1, 20);
      return (async function* () {
        for (let at = 0; at < bytes.length; at += 100) yield bytes.subarray(at, at + 100);
      })();
    };
  };

  it.each<[string, MemoryRepository["intercept"], string]>([
    ["cannot be reached", refuse, "fetching: no connection"],
    ["has other bytes", wrong(1), "expected sha256:"],
  ])("are tried in turn: the first %s", async (_, intercept, message) => {
    const layer = await offered(big());
    const other = memoryRepository("other", "host:5000");
    other.blobs.set(layer.blob.digest, repository.blobs.get(layer.blob.digest) ?? Buffer.of());
    repository.intercept = intercept;
    const fetcher = open();
    for (const place of [repository, other]) fetcher.offer([layer], place);
    await fetcher.fetch([layer]);
    expect([storyOf(layer), downloads(other).length, await isWhole(layer)]).toEqual([["start", "retry", "done"], 1, true]);
    expect(events.find(({ state }) => state === "retry")?.message).toContain(message);
    expect(temps()).toEqual([]);
  });

  it("get a second chance for wrong bytes where there is only one", async () => {
    const layer = await offered(big());
    repository.intercept = wrong(1);
    const fetcher = open();
    fetcher.offer([layer], repository);
    await fetcher.fetch([layer]);
    expect([storyOf(layer), downloads().length]).toEqual([["start", "retry", "done"], 2]);
  });

  it("get no third one", async () => {
    const layer = await offered(big());
    repository.intercept = wrong(5);
    const fetcher = open();
    fetcher.offer([layer], repository);
    await expect(fetcher.fetch([layer])).rejects.toBeInstanceOf(IntegrityError);
    expect([storyOf(layer), downloads().length, await isWhole(layer)]).toEqual([["start", "retry", "failed"], 2, false]);
    expect([temps(), existsSync(store.blobs.path(layer.blob.digest))]).toEqual([[], false]);
  });

  it("have their own words when all fail", async () => {
    const layer = await offered(big());
    const other = memoryRepository("other", "host:5000");
    repository.intercept = refuse;
    other.intercept = () => failing(async () => new RegistryError("REGISTRY_DENIED", "fetching: no"));
    const fetcher = open();
    for (const place of [repository, other]) fetcher.offer([layer], place);
    await expect(fetcher.fetch([layer])).rejects.toMatchObject({ code: "REGISTRY_UNREACHABLE", message: "fetching: no connection" });
  });
});

describe("attacks: a layer of the store that somebody else's image names as its own", () => {
  const files = { "etc/key": "private" };
  const absent = digestOf("nowhere");
  it.each<[name: string, blob: (own: LayerInfo) => Descriptor | Promise<Descriptor>, code: string]>([
    ["with a blob that is nowhere", () => ({ mediaType: mediaTypes.layerGzip, digest: absent, size: 7 }), "REGISTRY_NOT_FOUND"],
    ["with a blob of other files", async () => (await offered({ "etc/key": "public" })).blob, "INTEGRITY"],
    ["with its own digest and a guessed size", (own) => ({ ...own.blob, size: own.blob.size + 512 }), "REGISTRY_NOT_FOUND"],
  ])("is not given away %s", async (_, blobOf, code) => {
    const own = await addLayer(store, files);
    const layer = { diffId: own.diffId, blob: await blobOf(own) };
    repository.intercept = ({ digest }) =>
      repository.blobs.has(digest) ? undefined : failing(async () => new RegistryError("REGISTRY_NOT_FOUND", "fetching: not there"));
    const fetcher = open();
    fetcher.offer([layer], repository);
    expect(await failureOf(fetcher.fetch([layer]))).toMatchObject({ code });
    expect(await failureOf(openRootfs(store.layers, [layer]))).toMatchObject({ code: expect.stringMatching(/^(NOT_FOUND|INTEGRITY)$/) });
    expect(await store.layers.info(own.diffId)).toEqual(own);
  });
});

it("a registry that falls silent is not waited for when the reading has failed: an attack", async () => {
  const layer = await offered(big());
  repository.intercept = async function* ({ digest }, { signal }) {
    yield (repository.blobs.get(digest) ?? Buffer.of()).subarray(0, 100);
    await new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true }));
  };
  const tooLarge = new TsbuildError("TOO_LARGE", "reading a tar: too large");
  const stage: Store["layers"]["stage"] = async (_, __, tar) => {
    const bytes = tar[Symbol.asyncIterator]();
    await bytes.next();
    bytes.next().catch(() => undefined);
    throw tooLarge;
  };
  const fetcher = open({ store: { ...store, layers: { ...store.layers, stage } } });
  fetcher.offer([layer], repository);
  await expect(fetcher.fetch([layer])).rejects.toMatchObject({ code: "TOO_LARGE", cause: tooLarge });
  expect(temps()).toEqual([]);
});

describe("attacks: nothing is visible of", () => {
  const bomb = gzipSync(Buffer.alloc(3_000_000));
  it.each<[string, (layer: LayerRef) => LayerRef | Promise<LayerRef>, string, (layer: LayerRef) => string]>([
    [
      "another tar than the config says",
      (layer) => ({ ...layer, diffId: digestOf("other") }),
      "INTEGRITY",
      (layer) => `reading layer ${layer.blob.digest}: its plain tar: expected ${digestOf("other")}, got `,
    ],
    [
      "what is no tar",
      (layer) => ({ ...layer, blob: repository.putBlob(mediaTypes.layerGzip, gzipSync("x".repeat(3000))) }),
      "INVALID_TAR",
      (layer) => `fetching layer ${layer.blob.digest} from docker.io/library/app: `,
    ],
    [
      "gzip data that is broken",
      (layer) => ({ ...layer, blob: repository.putBlob(mediaTypes.layerGzip, Buffer.concat([bomb.subarray(0, 1000), randomBytes(2000)])) }),
      "INVALID_COMPRESSION",
      (layer) => `fetching layer ${layer.blob.digest} from docker.io/library/app: decompressing: the gzip data is broken: `,
    ],
    [
      "a type that is no tar",
      (layer) => ({ ...layer, blob: { ...layer.blob, mediaType: "application/vnd.in-toto+json" } }),
      "UNSUPPORTED_LAYER",
      (layer) => `fetching an image: layer ${layer.blob.digest} is of type application/vnd.in-toto+json, which is no tar of files`,
    ],
    [
      "a foreign layer that is elsewhere",
      (layer) => {
        repository.intercept = () => failing(async () => new RegistryError("REGISTRY_NOT_FOUND", "fetching: not there"));
        return { ...layer, blob: { ...layer.blob, urls: ["https://user:secret@cdn.example/l?token=secret"] } };
      },
      "UNSUPPORTED_LAYER",
      (layer) => `fetching layer ${layer.blob.digest}: its registry does not have it, only cdn.example, which is no registry`,
    ],
  ])("%s", async (_, change, code, message) => {
    const layer = await change(await offered(big()));
    const fetcher = open();
    fetcher.offer([layer], repository);
    const error = await fetcher.fetch([layer]).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(TsbuildError);
    expect(error).toMatchObject({ code, message: expect.stringContaining(message(layer)) });
    expect(String((error as Error).message)).not.toContain("secret");
    expect([await store.layers.has(layer.diffId), existsSync(store.blobs.path(layer.blob.digest)), temps()]).toEqual([false, false, []]);
    expect(storyOf(layer)).toEqual(["start", "failed"]);
    expect(downloads().length).toBeLessThan(2);
  });
});

describe("a failure or a cancel", () => {
  /** A download that gives half of its bytes, says so, and then waits for ever. */
  function stalling(started: () => void): MemoryRepository["intercept"] {
    return async function* ({ digest }, { signal }) {
      const bytes = repository.blobs.get(digest) ?? Buffer.of();
      yield bytes.subarray(0, bytes.length / 2);
      started();
      await new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true }));
    };
  }

  it("keeps what was finished and removes what was not", async () => {
    const [done, half] = [await offered({ f: "1" }), await offered(big())];
    const cancel = new AbortController();
    const reason = new Error("enough");
    const fetcher = open();
    fetcher.offer([done, half], repository);
    await fetcher.fetch([done]);
    repository.intercept = stalling(() => cancel.abort(reason));
    await expect(fetcher.fetch([done, half], { signal: cancel.signal })).rejects.toBe(reason);
    expect([await isWhole(done), await isWhole(half), temps()]).toEqual([true, false, []]);
    expect(events.at(-1)).toMatchObject({ state: "failed", message: "cancelled" });
  });

  it("ends the other layers", async () => {
    const [bad, half] = [await offered({ f: "1" }), await offered(big())];
    let fail: () => void = () => undefined;
    const started = new Promise<void>((resolve) => {
      fail = resolve;
    });
    const stall = stalling(() => fail());
    repository.intercept = (target, options) =>
      target.digest === half.blob.digest
        ? stall(target, options)
        : failing(async () => {
            await started;
            return new RegistryError("REGISTRY_FAILED", "fetching: 500");
          });
    const fetcher = open();
    fetcher.offer([bad, half], repository);
    await expect(fetcher.fetch([bad, half])).rejects.toMatchObject({ message: "fetching: 500" });
    expect([storyOf(half), temps()]).toEqual([["start", "failed"], []]);
  });

  it("of one caller takes nothing from another", async () => {
    const layer = await offered(big());
    const cancel = new AbortController();
    let go: () => void = () => undefined;
    const gone = new Promise<void>((resolve) => {
      go = resolve;
    });
    repository.intercept = async function* ({ digest }) {
      cancel.abort(new Error("one"));
      await gone;
      yield repository.blobs.get(digest) ?? Buffer.of();
    };
    const fetcher = open();
    fetcher.offer([layer], repository);
    const patient = fetcher.fetch([layer]);
    await expect(fetcher.fetch([layer], { signal: cancel.signal })).rejects.toThrow("one");
    go();
    await patient;
    expect([await isWhole(layer), downloads().length]).toEqual([true, 1]);
  });

  it("of the fetcher's own signal ends all", async () => {
    const layer = await offered(big());
    const cancel = new AbortController();
    repository.intercept = stalling(() => cancel.abort(new Error("all")));
    const fetcher = open({ signal: cancel.signal });
    fetcher.offer([layer], repository);
    await expect(fetcher.fetch([layer])).rejects.toThrow("all");
    expect(temps()).toEqual([]);
  });

  it("can be followed by another try", async () => {
    const layer = await offered(big());
    const cancel = new AbortController();
    repository.intercept = stalling(() => cancel.abort());
    const fetcher = open();
    fetcher.offer([layer], repository);
    await expect(fetcher.fetch([layer], { signal: cancel.signal })).rejects.toMatchObject({ name: "AbortError" });
    repository.intercept = () => undefined;
    await fetcher.fetch([layer]);
    expect(await isWhole(layer)).toBe(true);
  });
});
