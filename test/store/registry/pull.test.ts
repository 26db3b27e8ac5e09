import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { checkStore } from "../../../store/check/check-store.ts";
import { repairStore } from "../../../store/check/repair-store.ts";
import { digestOf } from "../../../store/digest.ts";
import { type Descriptor, mediaTypes, type Platform } from "../../../store/oci.ts";
import { openPinned } from "../../../store/pinned-image.ts";
import { machinePlatform } from "../../../store/platform.ts";
import { parseReference } from "../../../store/reference.ts";
import { blobPlaces } from "../../../store/registry/blob-places.ts";
import { type PulledImage, type PullOptions, pullImage } from "../../../store/registry/pull.ts";
import { RegistryError } from "../../../store/registry/registry-error.ts";
import { openStore, type Store } from "../../../store/store.ts";
import { verifyStore } from "../../../store/verify.ts";
import { mustRun } from "../../support/command.ts";
import { needs } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { putImage } from "../sample-image.ts";
import { type MemoryRepository, memoryRegistry, memoryRepository, putRemote } from "./memory-repository.ts";

const machine = machinePlatform();
const foreign: Platform = { os: "linux", architecture: machine.architecture === "s390x" ? "amd64" : "s390x" };

let store: Store;
let repository: MemoryRepository;
beforeEach(async () => {
  store = await openStore(join(temporaryDirectory("pull"), "store"));
  repository = memoryRepository();
  return () => store.close();
});

const pull = (text = "app", options: PullOptions = {}) => pullImage(store, memoryRegistry(repository), parseReference(text), options);
const index = (): Descriptor[] => JSON.parse(readFileSync(join(store.root, "index.json"), "utf8")).manifests;
const listed = () => index().map(({ digest, annotations }) => [digest, annotations?.["io.containerd.image.name"]]);

async function putIndex(...tags: string[]) {
  const own = await putRemote(repository, [{ f: "own" }, { g: "own" }], { platform: machine });
  const other = await putRemote(repository, [{ f: "other" }], { platform: foreign });
  const list = repository.putDocument(mediaTypes.index, { manifests: [own.descriptor, other.descriptor] }, ...tags);
  return { list, own, other };
}

describe("pull", () => {
  it("stores an image under its name, bytes and digests as they are", async () => {
    const { descriptor, layers } = await putRemote(repository, [{ a: "1" }, { b: "2" }], { tags: ["v1"], platform: machine });
    const image = await pull("app:v1");
    expect(image).toMatchObject({ names: ["app:v1"], upToDate: false, descriptor: { digest: descriptor.digest }, layers });
    expect(listed()).toEqual([[descriptor.digest, "docker.io/library/app:v1"]]);
    expect(readFileSync(store.blobs.path(descriptor.digest))).toEqual(repository.manifests.get(descriptor.digest)?.bytes);
    expect(await verifyStore(store)).toEqual([]);
  });

  it.each([
    ["an OCI index", mediaTypes.index],
    ["a Docker manifest list", mediaTypes.dockerManifestList],
  ])("lists %s as it is, and fetches one platform of it", async (_, mediaType) => {
    const { own, other } = await putIndex();
    const list = repository.putDocument(mediaType, { manifests: [own.descriptor, other.descriptor] }, "latest");
    const image = await pull();
    expect(image).toMatchObject({ names: ["app"], listed: list, descriptor: { digest: own.descriptor.digest } });
    expect(listed()).toEqual([[list.digest, "docker.io/library/app:latest"]]);
    expect(repository.asked).not.toContain(`download ${other.layers[0]?.blob.digest}`);
    expect(await verifyStore(store)).toEqual([]);
    expect(await store.images.open("app")).toEqual(expect.objectContaining({ imageId: image.imageId, names: ["app"] }));
  });

  it.each([
    ["a layer", (image: PulledImage) => image.layers[1]?.blob.digest],
    ["its config", (image: PulledImage) => image.imageId],
    ["its manifest", (image: PulledImage) => image.descriptor.digest],
  ])("heals an image of which %s was damaged, once that was found and taken away", async (name, digestIn) => {
    await putRemote(repository, [{ a: "1" }, { b: "2" }], { tags: ["latest"], platform: machine });
    const image = await pull();
    const digest = digestIn(image) ?? image.imageId;
    const whole = readFileSync(store.blobs.path(digest));
    writeFileSync(store.blobs.path(digest), Buffer.alloc(whole.length));
    const use = async () => {
      const { layers } = await store.images.open("app");
      for (const { blob } of layers) for await (const _ of store.blobs.open(blob));
    };
    await expect(use()).rejects.toMatchObject({
      code: "INTEGRITY",
      hint: "it was damaged where it lies: tsbuild verify --repair takes it away, then pull or build the image again",
    });
    expect(await repairStore(store, await checkStore(store))).toMatchObject([{ names: ["app"] }]);
    repository.asked.length = 0;
    await pull();
    await use();
    expect(readFileSync(store.blobs.path(digest))).toEqual(whole);
    expect(await checkStore(store)).toEqual([]);
    // What is whole stays.
    const layers = image.layers.filter(({ blob }) => repository.asked.includes(`download ${blob.digest}`));
    expect(layers.map(({ blob }) => blob.digest)).toEqual(name === "a layer" ? [digest] : []);
  });

  it("adds another platform of the same index beside the first", async () => {
    const { list, own, other } = await putIndex("latest");
    await pull("app", { platform: foreign });
    expect((await store.images.open("app")).descriptor.digest).toBe(other.descriptor.digest);
    expect(await store.images.resolve("app", machine)).toBeUndefined();
    await pull("app");
    expect(listed()).toEqual([[list.digest, "docker.io/library/app:latest"]]);
    expect((await openPinned(store, "app", machine)).descriptor.digest).toBe(own.descriptor.digest);
    expect((await openPinned(store, "app", foreign)).descriptor.digest).toBe(other.descriptor.digest);
    expect(await verifyStore(store)).toEqual([]);
  });

  it("keeps an index inside an index", async () => {
    const inner = await putIndex();
    const outer = repository.putDocument(mediaTypes.index, { manifests: [inner.list] }, "latest");
    await pull();
    expect(listed()).toEqual([[outer.digest, "docker.io/library/app:latest"]]);
    expect((await store.images.open("app")).descriptor.digest).toBe(inner.own.descriptor.digest);
    expect(await verifyStore(store)).toEqual([]);
  });

  it("takes plain layers, none and one twice", async () => {
    await putRemote(repository, [{ a: "1" }, { a: "1" }, { b: "2" }], {
      tags: ["plain"],
      platform: machine,
      compress: (tar) => tar,
      layerType: mediaTypes.layer,
    });
    await putRemote(repository, [], { tags: ["empty"], platform: machine });
    expect((await pull("app:plain")).layers).toHaveLength(3);
    expect((await pull("app:empty")).layers).toEqual([]);
    expect(await verifyStore(store)).toEqual([]);
  });

  it("moves the name, and remembers where blobs are", async () => {
    await putImage(store, ["app"], [{ old: "" }]);
    const { descriptor, layers } = await putRemote(repository, [{ f: "new" }], { tags: ["latest"], platform: machine });
    await pull();
    expect(listed()).toEqual([[descriptor.digest, "docker.io/library/app:latest"]]);
    const place = { registry: "docker.io", repository: "library/app" };
    expect(await blobPlaces(store).of(layers[0]?.blob.digest ?? digestOf(""))).toEqual([place]);
  });

  it("fetches the blobs themselves, where the store has the layers in another form", async () => {
    await putImage(store, ["own"], [{ f: "1" }]);
    const { layers } = await putRemote(repository, [{ f: "1" }], { tags: ["latest"], platform: machine });
    await pull();
    expect(await store.blobs.has(layers[0]?.blob as Descriptor)).toBe(true);
    expect(await verifyStore(store)).toEqual([]);
  });
});

describe("pull by digest", () => {
  it("gives no tag, but the name with digest finds the image from then on", async () => {
    const { list, own } = await putIndex();
    const image = await pull(`app:v1@${list.digest}`);
    expect(image.names).toEqual([]);
    expect(listed()).toEqual([[list.digest, `docker.io/library/app@${list.digest}`]]);
    for (const text of [`app@${list.digest}`, `app:other@${list.digest}`, `docker.io/library/app@${list.digest}`]) {
      expect((await store.images.open(text)).descriptor.digest).toBe(own.descriptor.digest);
    }
    expect(await store.images.resolve("app")).toBeUndefined();
    expect(await store.images.resolve(`other@${list.digest}`)).toBeUndefined();
    const [summary] = await store.images.list();
    expect(summary).toMatchObject({ names: [], digestNames: [`app@${list.digest}`] });
  });

  it("stays beside a tag, and goes with the repository's last one", async () => {
    const { list } = await putIndex("latest");
    await pull(`app@${list.digest}`);
    await pull("app");
    expect((await store.images.open("app")).names).toEqual(["app"]);
    await store.images.untag("app");
    expect(index()).toEqual([]);
  });

  it("asks nobody for what is there", async () => {
    const { list } = await putIndex();
    await pull(`app@${list.digest}`);
    repository.asked.length = 0;
    expect((await pull(`app@${list.digest}`)).upToDate).toBe(true);
    expect(repository.asked).toEqual([]);
  });
});

describe("pull again", () => {
  it("costs one small request when nothing has changed", async () => {
    const { list } = await putIndex("latest");
    await pull();
    const before = readFileSync(join(store.root, "index.json"));
    repository.asked.length = 0;
    const image = await pull();
    expect([image.upToDate, image.listed.digest, repository.asked]).toEqual([true, list.digest, ["resolve latest"]]);
    expect(readFileSync(join(store.root, "index.json"))).toEqual(before);
  });

  it("fetches what is missing, whatever the list says", async () => {
    const { own } = await putIndex("latest");
    await pull();
    rmSync(store.blobs.path(own.layers[1]?.blob.digest ?? digestOf("")));
    expect((await pull()).upToDate).toBe(false);
    expect(await verifyStore(store)).toEqual([]);
  });

  it("mends an image that cannot be read", async () => {
    const { own } = await putIndex("latest");
    const { imageId } = await pull();
    rmSync(store.blobs.path(imageId));
    rmSync(store.blobs.path(own.descriptor.digest));
    await pull();
    expect(await verifyStore(store)).toEqual([]);
    expect((await store.images.open("app")).imageId).toBe(imageId);
  });

  it("needs no layer that a failed pull brought", async () => {
    const { layers } = await putRemote(repository, [{ a: "1" }, { b: "a little longer" }], { tags: ["latest"], platform: machine });
    const [first, second] = layers.map(({ blob }) => blob.digest);
    repository.intercept = ({ digest }) =>
      digest !== second
        ? undefined
        : {
            [Symbol.asyncIterator]: () => ({
              next: async () => {
                // The other one shall be done before this one fails.
                while (!(await store.layers.has(layers[0]?.diffId ?? digestOf("")))) await new Promise(setImmediate);
                throw new RegistryError("REGISTRY_FAILED", "fetching: 500");
              },
            }),
          };
    await expect(pull()).rejects.toMatchObject({ code: "REGISTRY_FAILED" });
    expect(index()).toEqual([]);
    repository.intercept = () => undefined;
    repository.asked.length = 0;
    await pull();
    expect(repository.asked).not.toContain(`download ${first}`);
    expect(await verifyStore(store)).toEqual([]);
  });
});

describe("pull refuses", () => {
  it("a name that the registry does not have", async () => {
    await expect(pull("app:gone")).rejects.toMatchObject({
      code: "REGISTRY_NOT_FOUND",
      message: "pulling docker.io/library/app:gone: the registry has no such image",
    });
  });

  it("a platform that the index does not list, and leaves what is there", async () => {
    const { list } = await putIndex("latest");
    await pull();
    await expect(pull("app", { platform: { os: "plan9", architecture: "mips" } })).rejects.toMatchObject({ code: "PLATFORM_NOT_FOUND" });
    expect(listed()).toEqual([[list.digest, "docker.io/library/app:latest"]]);
  });

  it("a layer whose tar is another than the config says, and lists nothing", async () => {
    await putRemote(repository, [{ a: "1" }], {
      tags: ["latest"],
      platform: machine,
      config: { rootfs: { type: "layers", diff_ids: [digestOf("other")] } },
    });
    await expect(pull()).rejects.toMatchObject({ code: "INTEGRITY" });
    expect(index()).toEqual([]);
  });

  it("to go on when it is cancelled", async () => {
    await putIndex("latest");
    const cancel = new AbortController();
    const reason = new Error("enough");
    await expect(
      pull("app", {
        signal: cancel.signal,
        onEvent: ({ what, state }) => {
          if (what === "layer" && state === "start") cancel.abort(reason);
        },
      }),
    ).rejects.toBe(reason);
    expect(index()).toEqual([]);
  });
});

describe("skopeo", needs("skopeo"), () => {
  it("reads an image that was pulled as an index", async () => {
    const { own } = await putIndex("latest");
    const image = await pull();
    const inspected = JSON.parse(await mustRun(["skopeo", "inspect", `oci:${store.root}:app`]));
    expect(inspected.Layers).toEqual(own.layers.map(({ blob }) => blob.digest));
    const target = join(temporaryDirectory("copied"), "layout");
    await mustRun(["skopeo", "copy", "--insecure-policy", `oci:${store.root}:app`, `oci:${target}:app`]);
    const copied = JSON.parse(readFileSync(join(target, "index.json"), "utf8")).manifests[0];
    expect(copied.digest).toBe(image.descriptor.digest);
  });
});

describe("zstd", needs("zstd"), () => {
  it("layers are read on every Node", async () => {
    const compress = (tar: Buffer) => execFileSync("zstd", ["-q", "-c"], { input: tar });
    await putRemote(repository, [{ a: "1" }], { tags: ["latest"], platform: machine, compress, layerType: mediaTypes.layerZstd });
    await pull();
    expect(await verifyStore(store)).toEqual([]);
  });
});
