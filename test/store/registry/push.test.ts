import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { importRootfs } from "../../../store/archive/import.ts";
import { canonicalJson } from "../../../store/canonical-json.ts";
import { digestOf } from "../../../store/digest.ts";
import { IntegrityError, NotFoundError, TsbuildError } from "../../../store/errors.ts";
import type { Image } from "../../../store/images.ts";
import { type Descriptor, type Manifest, mediaTypes } from "../../../store/oci.ts";
import { parseReference } from "../../../store/reference.ts";
import { blobPlaces } from "../../../store/registry/blob-places.ts";
import { openLayerFetcher } from "../../../store/registry/layer-fetcher.ts";
import { pullImage } from "../../../store/registry/pull.ts";
import { type PushableImage, type PushOptions, pushImage } from "../../../store/registry/push.ts";
import { openRegistry, type Registry } from "../../../store/registry/registry.ts";
import { RegistryError } from "../../../store/registry/registry-error.ts";
import { resolveRemote } from "../../../store/registry/remote-image.ts";
import { defaultRegistrySettings } from "../../../store/registry/settings.ts";
import type { TransferEvent } from "../../../store/registry/transfer-event.ts";
import { openStore, type Store } from "../../../store/store.ts";
import { needs } from "../../support/needs.ts";
import { type FakeImageOptions, fakeImage } from "../../support/registry/fake-image.ts";
import { type FakeRegistry, startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { addLayer, configOf, putImage } from "../sample-image.ts";
import { failureOf } from "./test-repository.ts";

const platform = { os: "linux", architecture: "amd64" };

let here: FakeRegistry;
let there: FakeRegistry;
let registry: Registry;
let store: Store;
let notes: string[];
beforeAll(async () => {
  [here, there] = await Promise.all([startFakeRegistry(), startFakeRegistry()]);
  registry = openRegistry({ settings: { ...defaultRegistrySettings, attempts: 1 } });
});
afterAll(async () => {
  await registry.close();
  await Promise.all([here.close(), there.close()]);
});
beforeEach(async () => {
  for (const fake of [here, there]) {
    fake.content.repositories.clear();
    fake.behaviour.mount = "allowed";
    fake.takeLog();
  }
  store = await openStore(join(temporaryDirectory("push"), "store"));
  notes = [];
  return () => store.close();
});

const pushableOf = ({ rawConfig, layers, descriptor, rawManifest }: Image): PushableImage => ({
  rawConfig,
  layers,
  manifest: { mediaType: descriptor.mediaType, bytes: rawManifest },
});
const push = (image: PushableImage, names: readonly string[], options: PushOptions = {}) =>
  pushImage(store, registry, image, names.map(parseReference), { onNote: (note) => notes.push(note), ...options });
const pushedManifest = (fake: FakeRegistry, repository: string, reference: string): Manifest =>
  JSON.parse(String(fake.content.repository(repository).manifests.get(fake.content.find(repository, reference) ?? "")?.bytes));
const blobOf = (fake: FakeRegistry, repository: string, { digest }: Descriptor) => fake.content.repository(repository).blobs.get(digest);
const temps = () => readdirSync(join(store.root, "v1/tmp"), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
const layerOf = ({ layers }: Pick<PushableImage, "layers">) => layers[0] ?? expect.fail("no such layer");

/** An image of a registry whose layers are there alone. */
async function lazyImage(fake: FakeRegistry, repository: string, options: FakeImageOptions = {}) {
  fake.putImage(repository, "latest", await fakeImage(options));
  const image = await resolveRemote(registry, parseReference(`${fake.host}/${repository}`), platform);
  if (image === undefined) throw new Error("no image");
  const fetcher = openLayerFetcher({ store });
  fetcher.offer(image.layers, image.repository);
  fake.takeLog();
  return { fetcher, image: { rawConfig: image.rawConfig, layers: image.layers } };
}

describe("a form that is asked for", () => {
  const types = (fake: FakeRegistry) => pushedManifest(fake, "app", "latest").layers.map(({ mediaType }) => mediaType);

  it("is zstd, with a level", needs("zstd"), async () => {
    const image = await putImage(store, ["app"], [{ a: "1" }]);
    await push(pushableOf(image), [`${here.host}/app`], { compression: "zstd", compressionLevel: 9 });
    expect(types(here)).toEqual([mediaTypes.layerZstd]);
    const [layer = expect.fail("no layer")] = pushedManifest(here, "app", "latest").layers;
    const bytes = blobOf(here, "app", layer) ?? expect.fail("no blob");
    expect(digestOf(execFileSync("zstd", ["-dcq"], { input: bytes }))).toBe(layerOf(image).diffId);
    expect(temps()).toEqual([]);
  });

  it("is refused before anything is sent where it has no such level", async () => {
    const image = await putImage(store, ["app"], [{ a: "1" }]);
    await expect(push(pushableOf(image), [`${here.host}/app`], { compressionLevel: 10 })).rejects.toMatchObject({
      message: "compressing with gzip: there is no level 10",
    });
    expect(here.takeLog().filter((line) => !line.startsWith("HEAD") && !line.startsWith("GET"))).toEqual([]);
  });

  it.each(["none", "gzip"] as const)("of layers of a base is left alone: %s", async (compression) => {
    const { image, fetcher } = await lazyImage(here, "base", { layers: [{ a: "1" }] });
    await push(image, [`${there.host}/app`], { compression, fetcher });
    expect(types(there)).toEqual(image.layers.map(({ blob }) => blob.mediaType));
  });

  it("changes layers of a base that are elsewhere when it is forced", async () => {
    const { image, fetcher } = await lazyImage(here, "base", { layers: [{ a: "1" }, { b: "2" }] });
    await push(image, [`${there.host}/app`], { compression: "none", forceCompression: true, fetcher });
    const { layers } = pushedManifest(there, "app", "latest");
    expect(layers.map(({ mediaType, digest }) => [mediaType, digest])).toEqual(
      image.layers.map(({ diffId }) => [mediaTypes.layer, diffId]),
    );
    expect(there.content.holes()).toEqual([]);
  });
});

describe("an image of ours", () => {
  it("goes layers first, then the config, then the manifest, then the tags", async () => {
    const image = await putImage(store, ["app"], [{ a: "1" }, { b: "2" }]);
    const pushed = await push(pushableOf(image), [`${here.host}/app:v1`, `${here.host}/app:v2`]);
    const writes = here.takeLog().filter((line) => line.startsWith("PUT"));
    expect(writes.map((line) => line.replace(/uploads\/.* /, "uploads/… "))).toEqual([
      "PUT /v2/app/blobs/uploads/… 201",
      "PUT /v2/app/blobs/uploads/… 201",
      "PUT /v2/app/blobs/uploads/… 201",
      "PUT /v2/app/manifests/v1 201",
      "PUT /v2/app/manifests/v2 201",
    ]);
    expect(here.content.holes()).toEqual([]);
    expect(here.content.find("app", "v2")).toBe(pushed.digest);
    expect(here.content.uploads.size).toBe(0);
    expect(temps()).toEqual([]);
  });

  it("is compressed on the way, and has the same image id", async () => {
    const image = await putImage(store, ["app"], [{ a: "1" }]);
    await push(pushableOf(image), [`${here.host}/app`]);
    const { mediaType, config, layers } = pushedManifest(here, "app", "latest");
    expect({ mediaType, config: config.digest, types: layers.map((layer) => layer.mediaType) }).toEqual({
      mediaType: mediaTypes.manifest,
      config: image.imageId,
      types: [mediaTypes.layerGzip],
    });
    const [layer = expect.fail("no layer")] = layers;
    expect(digestOf(gunzipSync(blobOf(here, "app", layer) ?? ""))).toBe(layerOf(image).diffId);
    expect(await blobPlaces(store).of(layer.digest)).toEqual([{ registry: here.host, repository: "app" }]);
  });

  it("stays as it is without compression", async () => {
    const image = await putImage(store, ["app"], [{ a: "1" }]);
    expect(await push(pushableOf(image), [`${here.host}/app`], { compression: "none" })).toEqual(image.descriptor);
    expect(pushedManifest(here, "app", "latest")).toEqual(image.manifest);
  });

  it("is not compressed or sent again, only named", async () => {
    const image = await putImage(store, ["app"], [{ a: "1" }]);
    const first = await push(pushableOf(image), [`${here.host}/app:v1`]);
    // What cannot be compressed any more shows that nobody tries.
    writeFileSync(store.blobs.path(layerOf(image).blob.digest), randomBytes(layerOf(image).blob.size));
    here.takeLog();
    expect(await push(pushableOf(image), [`${here.host}/app:v2`])).toEqual(first);
    expect(here.takeLog().filter((line) => !line.startsWith("HEAD"))).toEqual(["PUT /v2/app/manifests/v2 201"]);
  });

  it("is mounted into another repository of the registry without being compressed", async () => {
    const image = await putImage(store, ["app"], [{ a: "1" }]);
    const first = await push(pushableOf(image), [`${here.host}/app`]);
    writeFileSync(store.blobs.path(layerOf(image).blob.digest), randomBytes(layerOf(image).blob.size));
    expect(await push(pushableOf(image), [`${here.host}/other`])).toEqual(first);
    expect(here.content.holes()).toEqual([]);
  });

  it("is the same at every registry, though compressed anew", async () => {
    const image = await putImage(store, ["app"], [{ a: "1" }, { b: "2" }]);
    const first = await push(pushableOf(image), [`${here.host}/app`]);
    expect(await push(pushableOf(image), [`${there.host}/app`])).toEqual(first);
    expect(there.content.holes()).toEqual([]);
    expect(temps()).toEqual([]);
  });

  it("goes to several repositories at once", async () => {
    const image = await putImage(store, ["app"], [{ a: "1" }]);
    const before = here.requests.length;
    const { digest } = await push(pushableOf(image), [`${here.host}/a:1`, `${there.host}/b:2`, `${here.host}/c:3`]);
    expect([here.content.find("a", "1"), there.content.find("b", "2"), here.content.find("c", "3")]).toEqual([digest, digest, digest]);
    const mounts = here.requests
      .slice(before)
      .filter(({ query }) => query.mount !== undefined)
      .map(({ path, query }) => [path, query.from]);
    expect(mounts).toEqual([["/v2/c/blobs/uploads/", "a"]]);
    expect([...here.content.holes(), ...there.content.holes()]).toEqual([]);
  });

  it("has a manifest of its own when there was none, with annotations", async () => {
    const { rawConfig, layers } = await putImage(store, ["app"], [{ a: "1" }]);
    await push({ rawConfig, layers, annotations: { k: "v" } }, [`${here.host}/app`]);
    expect(pushedManifest(here, "app", "latest")).toMatchObject({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      annotations: { k: "v" },
    });
  });

  it("gets annotations beside those that it has", async () => {
    const image = await putImage(store, ["app"], [{ a: "1" }]);
    const bytes = canonicalJson({ ...image.manifest, annotations: { a: "1", b: "1" } });
    const manifest = { mediaType: mediaTypes.manifest, bytes };
    await push({ ...pushableOf(image), manifest, annotations: { b: "2" } }, [`${here.host}/app`]);
    expect(pushedManifest(here, "app", "latest").annotations).toEqual({ a: "1", b: "2" });
  });

  it("is pushed without layers", async () => {
    const rawConfig = canonicalJson(configOf([]));
    await push({ rawConfig, layers: [] }, [`${here.host}/app`]);
    expect(here.content.holes()).toEqual([]);
  });

  it("sends a layer that repeats once", async () => {
    const image = await putImage(store, ["app"], [{ a: "1" }]);
    const layer = layerOf(image);
    const infos = [layer, layer].map(({ diffId, blob }) => ({ diffId, contentId: diffId, blob }));
    await push({ rawConfig: canonicalJson(configOf(infos)), layers: [layer, layer] }, [`${here.host}/app`]);
    expect(pushedManifest(here, "app", "latest").layers.map(({ digest }) => digest)).toHaveLength(2);
    expect(here.content.repository("app").blobs.size).toBe(2);
  });

  it("tells of each blob", async () => {
    const image = await putImage(store, ["app"], [{ a: "1" }]);
    const events: TransferEvent[] = [];
    const onEvent = (event: TransferEvent) => events.push(event);
    await push(pushableOf(image), [`${here.host}/app`], { onEvent });
    await push(pushableOf(image), [`${here.host}/other`], { onEvent });
    const told = events.filter(({ state }) => state !== "progress");
    expect(told.map(({ what, state, repository }) => `${what} ${state} ${repository.slice(here.host.length)}`)).toEqual([
      "layer start /app",
      "layer done /app",
      "config start /app",
      "config done /app",
      "manifest start /app",
      "manifest done /app",
      "layer start /other",
      "layer mounted /other",
      "config start /other",
      "config done /other",
      "manifest start /other",
      "manifest done /other",
    ]);
    expect(told.every(({ direction }) => direction === "push")).toBe(true);
  });
});

describe("in Docker's format", () => {
  it("has Docker's media types, and no annotations", async () => {
    const { rawConfig, layers } = await putImage(store, ["app"], [{ a: "1" }]);
    const { digest } = await push({ rawConfig, layers, annotations: { k: "v" } }, [`${here.host}/app`], { format: "docker" });
    const manifest = pushedManifest(here, "app", "latest");
    expect({ ...manifest, config: manifest.config.mediaType, layers: manifest.layers.map((layer) => layer.mediaType) }).toEqual({
      schemaVersion: 2,
      mediaType: mediaTypes.dockerManifest,
      config: mediaTypes.dockerConfig,
      layers: [mediaTypes.dockerLayerGzip],
    });
    expect(here.content.find("app", "latest")).toBe(digest);
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatch(/^sha256:[0-9a-f]{64}: Docker's format has no annotations; left out: k$/);
  });

  it("is refused before anything moves where a layer has no type there", async () => {
    const { fetcher, image } = await lazyImage(here, "base");
    const layers = image.layers.map((layer) => ({ ...layer, blob: { ...layer.blob, mediaType: mediaTypes.layerZstd } }));
    const error = await failureOf(push({ ...image, layers }, [`${here.host}/app`], { format: "docker", fetcher }));
    expect(error).toMatchObject({
      code: "NOT_CONVERTIBLE",
      message: `converting to Docker's format: layer ${layerOf(image).blob.digest} is compressed with zstd, which the format cannot express`,
    });
    expect(here.takeLog()).toEqual([]);
  });
});

describe("an image that came from a registry", () => {
  it.each(["oci", "docker"] as const)("keeps its bytes and its digest elsewhere: %s", async (format) => {
    const made = await fakeImage({ format });
    here.putImage("base", "1", made);
    const pulled = await pullImage(store, registry, parseReference(`${here.host}/base:1`), { platform });
    const pushed = await push(pushableOf(pulled), [`${there.host}/copy:2`]);
    expect(pushed).toEqual(pulled.descriptor);
    expect(there.content.repository("copy").manifests.get(made.digest)).toEqual({ mediaType: made.mediaType, bytes: made.bytes });
    expect(there.content.holes()).toEqual([]);
  });

  it("is converted where that is asked for", async () => {
    here.putImage("base", "1", await fakeImage({ format: "docker" }));
    const pulled = await pullImage(store, registry, parseReference(`${here.host}/base:1`), { platform });
    const { mediaType } = await push(pushableOf(pulled), [`${there.host}/copy`], { format: "oci" });
    expect(mediaType).toBe(mediaTypes.manifest);
    expect(pushedManifest(there, "copy", "latest").layers.map((layer) => layer.mediaType)).toEqual([mediaTypes.layerGzip]);
  });
});

describe("layers of a base that was never fetched", () => {
  it("are mounted at the same registry and do not move", async () => {
    const { fetcher, image } = await lazyImage(here, "base", { layers: [{ a: "1" }, { b: "2" }] });
    await push(image, [`${here.host}/app`], { fetcher });
    const log = here.takeLog();
    expect(log.filter((line) => line.startsWith("GET"))).toEqual([]);
    expect(log.filter((line) => line.startsWith("POST")).map((line) => line.split(" ")[2])).toEqual(["201", "201", "202"]);
    expect(here.content.holes()).toEqual([]);
  });

  it("go from one registry to the other without coming into the store", async () => {
    const { fetcher, image } = await lazyImage(here, "base");
    await push(image, [`${there.host}/app`], { fetcher });
    expect(there.content.holes()).toEqual([]);
    expect(await store.blobs.has(layerOf(image).blob)).toBe(false);
    expect(temps()).toEqual([]);
  });

  it.each(["ignored", "denied"] as const)("are sent where mounts are %s", async (mount) => {
    const { fetcher, image } = await lazyImage(here, "base");
    here.behaviour.mount = mount;
    await push(image, [`${here.host}/app`], { fetcher });
    expect(here.content.holes()).toEqual([]);
  });

  it("come from the next place where the first one has lost them", async () => {
    const { fetcher, image } = await lazyImage(here, "base");
    const { blob } = layerOf(image);
    const second = await lazyImage(here, "copy");
    fetcher.offer(second.image.layers, registry.repository({ registry: here.host, repository: "copy" }));
    here.content.repository("base").blobs.delete(blob.digest);
    await push(image, [`${there.host}/app`], { fetcher });
    expect(there.content.holes()).toEqual([]);
  });

  it("stay plain if they are", async () => {
    const { fetcher, image } = await lazyImage(here, "base", { compression: "none" });
    await push(image, [`${there.host}/app`], { fetcher });
    expect(pushedManifest(there, "app", "latest").layers).toEqual(image.layers.map(({ blob }) => blob));
  });

  it("are not sent where they are foreign", async () => {
    const { fetcher, image } = await lazyImage(here, "base");
    const mediaType = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    const layers = image.layers.map((layer) => ({ ...layer, blob: { ...layer.blob, mediaType, urls: ["https://127.0.0.1:1/layer"] } }));
    await push({ ...image, layers }, [`${there.host}/app`], { fetcher });
    expect(pushedManifest(there, "app", "latest").layers).toEqual([
      { ...layers[0]?.blob, mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip" },
    ]);
    expect(there.content.repository("app").blobs.size).toBe(1);
  });

  it("cannot be pushed from nowhere", async () => {
    const { image } = await lazyImage(here, "base");
    const error = await failureOf(push(image, [`${there.host}/app`]));
    expect(error).toEqual(
      new NotFoundError(
        `pushing layer ${layerOf(image).blob.digest}: it is not in the store ${store.root}, and no registry is known to have it`,
      ),
    );
    expect(there.content.find("app", "latest")).toBeUndefined();
  });
});

describe("plain layers", () => {
  const typesOf = (fake: FakeRegistry, repository: string) =>
    pushedManifest(fake, repository, "latest").layers.map((layer) => layer.mediaType);

  it("of an image that was pulled stay as they came", async () => {
    const image = await putImage(store, ["app"], [{ a: "1" }]);
    const { digest } = await push(pushableOf(image), [`${here.host}/a`], { compression: "none" });
    await using other = await openStore(join(temporaryDirectory("push"), "other"));
    const pulled = await pullImage(other, registry, parseReference(`${here.host}/a`), { platform });
    expect(await pushImage(other, registry, pushableOf(pulled), [parseReference(`${there.host}/b`)])).toMatchObject({ digest });
    expect(typesOf(there, "b")).toEqual([mediaTypes.layer]);
  });

  it("of a base that was fetched stay as they came", async () => {
    const { fetcher, image } = await lazyImage(here, "base", { compression: "none" });
    await fetcher.fetch(image.layers, { exactBlobs: true });
    await push(image, [`${there.host}/app`], { fetcher });
    expect(typesOf(there, "app")).toEqual([mediaTypes.layer]);
  });

  it("of ours are compressed, also where they were sent plain before", async () => {
    const image = await putImage(store, ["app"], [{ a: "1" }]);
    await push(pushableOf(image), [`${here.host}/app`], { compression: "none" });
    await push(pushableOf(image), [`${here.host}/app`]);
    expect(typesOf(here, "app")).toEqual([mediaTypes.layerGzip]);
  });

  it("of an imported root file system are compressed", async () => {
    const file = join(temporaryDirectory("push"), "rootfs.tar");
    writeFileSync(file, (await fakeImage({ compression: "none" })).layers[0] ?? "");
    await push(pushableOf(await importRootfs(store, { file }, { names: ["app"] })), [`${here.host}/app`]);
    expect(typesOf(here, "app")).toEqual([mediaTypes.layerGzip]);
  });
});

describe("a push that fails", () => {
  it.each<[name: string, names: readonly string[], message: (host: string) => string]>([
    ["without a name", [], () => "pushing an image: it has no name to be pushed under"],
    [
      "to a digest",
      [`HOST/app@sha256:${"0".repeat(64)}`],
      (host) => `pushing to ${host}/app@sha256:${"0".repeat(64)}: a digest cannot be chosen`,
    ],
  ])("%s", async (_name, names, message) => {
    const image = await putImage(store, ["app"], [{ a: "1" }]);
    const error = await failureOf(
      push(
        pushableOf(image),
        names.map((name) => name.replace("HOST", here.host)),
      ),
    );
    expect(error).toMatchObject({ code: "INVALID_REFERENCE", message: message(here.host) });
    expect(error).toBeInstanceOf(TsbuildError);
    expect(here.takeLog()).toEqual([]);
  });

  it("leaves no manifest when a layer is damaged in the store", async () => {
    const image = await putImage(store, ["app"], [{ a: "1" }, { b: "2" }]);
    writeFileSync(store.blobs.path(layerOf(image).blob.digest), randomBytes(layerOf(image).blob.size));
    for (const compression of ["gzip", "none"] as const) {
      expect(await failureOf(push(pushableOf(image), [`${here.host}/app`], { compression }))).toBeInstanceOf(IntegrityError);
      expect(here.content.repository("app").manifests.size).toBe(0);
      expect(here.content.uploads.size).toBe(0);
      expect(temps()).toEqual([]);
    }
    expect(here.content.holes()).toEqual([]);
  });

  it("ends with the registry's own words, and nothing goes on behind it", async () => {
    const image = await putImage(store, ["app"], [{ a: "1" }, { b: "2" }, { c: "3" }]);
    await using denying = await startFakeRegistry({
      intercept: (seen, _request, response) => {
        if (seen.method !== "POST") return false;
        response.writeHead(403, { "content-type": "application/json" });
        response.end('{"errors":[{"code":"DENIED","message":"quota is used up"}]}');
        return true;
      },
    });
    const events: TransferEvent[] = [];
    const onEvent = (event: TransferEvent) => events.push(event);
    const error = await failureOf(push(pushableOf(image), [`${denying.host}/app`], { onEvent }));
    expect(error).toBeInstanceOf(RegistryError);
    expect(String(error)).toContain("quota is used up");
    const { length } = events;
    expect(events.filter(({ state }) => state === "start")).toHaveLength(events.filter(({ state }) => state === "failed").length);
    await store.close();
    expect(events).toHaveLength(length);
    expect(denying.content.repository("app").manifests.size).toBe(0);
  });

  it("does not fail for what cannot be remembered", async () => {
    const image = await putImage(store, ["app"], [{ a: "1" }]);
    for (const folder of ["places", "compressed"]) {
      rmSync(join(store.root, "v1", folder), { recursive: true, force: true });
      symlinkSync(join(store.root, "none", "at", "all"), join(store.root, "v1", folder));
    }
    await push(pushableOf(image), [`${here.host}/app`]);
    expect(here.content.holes()).toEqual([]);
    expect(temps()).toEqual([]);
  });

  it("ends when it is cancelled, without uploads or files that stay", async () => {
    const image = await putImage(store, ["app"], [{ a: randomBytes(100_000).toString("hex") }, { b: "2" }]);
    const cancel = new AbortController();
    const reason = new Error("enough");
    const onEvent = ({ what, state }: TransferEvent) => what === "layer" && state === "start" && cancel.abort(reason);
    expect(await failureOf(push(pushableOf(image), [`${here.host}/app`], { signal: cancel.signal, onEvent }))).toBe(reason);
    expect(here.content.uploads.size).toBe(0);
    expect(here.content.repository("app").manifests.size).toBe(0);
    expect(temps()).toEqual([]);
  });
});

it("sends compressed layers as they are, whatever they are", async () => {
  const { diffId } = await addLayer(store, { a: "1" });
  const blob = await store.blobs.putBytes(mediaTypes.layerZstd, Buffer.from("no zstd at all"));
  await push({ rawConfig: canonicalJson(configOf([{ diffId, contentId: diffId, blob }])), layers: [{ diffId, blob }] }, [
    `${here.host}/app`,
  ]);
  expect(pushedManifest(here, "app", "latest").layers).toEqual([blob]);
});
