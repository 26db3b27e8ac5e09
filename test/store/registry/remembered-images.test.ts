import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { digestOf } from "../../../store/digest.ts";
import { mediaTypes, type Platform } from "../../../store/oci.ts";
import { parseReference } from "../../../store/reference.ts";
import { blobPlaces } from "../../../store/registry/blob-places.ts";
import { recallImage, rememberImage } from "../../../store/registry/remembered-images.ts";
import { type RemoteImage, resolveRemote } from "../../../store/registry/remote-image.ts";
import { openStore, type Store } from "../../../store/store.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { putImage } from "../sample-image.ts";
import { type MemoryRepository, memoryRegistry, memoryRepository, putRemote } from "./memory-repository.ts";

const amd64: Platform = { os: "linux", architecture: "amd64" };
const arm64: Platform = { os: "linux", architecture: "arm64" };

let store: Store;
let repository: MemoryRepository;
beforeEach(async () => {
  store = await openStore(join(temporaryDirectory("remembered"), "store"));
  repository = memoryRepository();
  const manifests = [];
  for (const platform of [amd64, arm64])
    manifests.push((await putRemote(repository, [{ f: platform.architecture }], { platform })).descriptor);
  const inner = repository.putDocument(mediaTypes.index, { manifests });
  repository.putDocument(mediaTypes.index, { manifests: [inner] }, "latest", "v1");
  return () => store.close();
});

const registry = () => memoryRegistry(repository);
async function resolved(text = "app", platform = amd64): Promise<RemoteImage> {
  const image = await resolveRemote(registry(), parseReference(text), platform);
  if (image === undefined) throw new Error(`no ${text}`);
  return image;
}
const recall = (text = "app", platform = amd64) => recallImage(store, async () => registry(), parseReference(text), platform);
const files = () => {
  const folder = join(store.root, "v1/remote");
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
};

describe("a remembered image", () => {
  it("is recalled as it was, and nobody is asked", async () => {
    const { repository: _, ...image } = await resolved();
    await rememberImage(store, { ...image, repository });
    repository.asked.length = 0;
    const { repository: place, ...recalled } = (await recall()) as RemoteImage;
    expect(recalled).toEqual(image);
    expect(repository.asked).toEqual([]);
    expect([place.registry, place.name]).toEqual(["docker.io", "library/app"]);
  });

  it("opens its registry when its repository is used", async () => {
    await rememberImage(store, await resolved());
    let opened = 0;
    const open = async () => {
      opened += 1;
      return registry();
    };
    const image = await recallImage(store, open, parseReference("app"), amd64);
    expect(opened).toBe(0);
    const chunks: Uint8Array[] = [];
    for await (const chunk of image?.repository.download(image.manifest.config) ?? []) chunks.push(chunk);
    expect([opened, Buffer.concat(chunks).equals(image?.rawConfig ?? Buffer.of())]).toEqual([1, true]);
  });

  it("is in no list of images, and needs no blob", async () => {
    await rememberImage(store, await resolved());
    expect(await store.images.list()).toEqual([]);
    for await (const blob of store.blobs.list()) expect(blob).toBeUndefined();
  });

  it("has its layers in its repository, for pushes to mount them from there", async () => {
    const image = await resolved();
    await rememberImage(store, image);
    const places = await blobPlaces(store).of(image.layers[0]?.blob.digest ?? digestOf(""));
    expect(places).toEqual([{ registry: "docker.io", repository: "library/app" }]);
  });

  it("is one for each name and platform", async () => {
    await rememberImage(store, await resolved("app", amd64));
    expect([await recall("app", arm64), await recall("app:v1"), await recall("app:other")]).toEqual([undefined, undefined, undefined]);
    await rememberImage(store, await resolved("app", arm64));
    expect([(await recall("app", amd64))?.config.architecture, (await recall("app", arm64))?.config.architecture]).toEqual([
      "amd64",
      "arm64",
    ]);
  });

  it("is found by its digest whatever tag stands before it", async () => {
    const digest = repository.tagged.get("latest");
    await rememberImage(store, await resolved(`app@${digest}`));
    expect((await recall(`app:v7@${digest}`))?.listed.descriptor.digest).toBe(digest);
  });

  it("gives way to a newer one", async () => {
    await rememberImage(store, await resolved());
    const { descriptor } = await putRemote(repository, [{ f: "newer" }], { tags: ["latest"] });
    await rememberImage(store, await resolved());
    expect((await recall())?.descriptor.digest).toBe(descriptor.digest);
    expect(files()).toHaveLength(1);
  });

  it("is none that is a flood, and what was remembered of its name before is gone", async () => {
    await rememberImage(store, await resolved());
    const { indexes, ...image } = await resolved();
    const flood = Array.from({ length: 5 }, (_, i) => ({ ...image.listed, bytes: Buffer.alloc(4 * 2 ** 20, i) }));
    await rememberImage(store, { ...image, indexes: [...indexes, ...flood] });
    expect([await recall(), files()]).toEqual([undefined, []]);
  });

  it.each<[string, () => Promise<unknown>]>([
    ["gets the name", () => putImage(store, ["app"], [{}])],
    ["is tagged so", async () => store.images.tag(await putImage(store, ["other"], [{}]), "app:latest")],
    ["loses the name", () => store.images.untag("app")],
  ])("is forgotten when an image of the store %s", async (_, name) => {
    await rememberImage(store, await resolved("app", amd64));
    await rememberImage(store, await resolved("app:v1", amd64));
    await name();
    expect(await recall("app")).toBeUndefined();
    expect(await recall("app:v1")).toBeDefined();
  });
});

describe("nothing is recalled of", () => {
  const change = (replace: (json: { [key: string]: unknown; documents: string[] }) => unknown) => (text: string) =>
    JSON.stringify(replace(JSON.parse(text)));
  it.each<[string, (text: string) => string]>([
    ["an empty file", () => ""],
    ["zeros", (text) => "\0".repeat(text.length)],
    ["half a file", (text) => text.slice(0, text.length / 2)],
    ["another kind of JSON", () => "[null]"],
    ["null", () => "null"],
    ["a digest that is none", change((json) => ({ ...json, listed: { mediaType: mediaTypes.index, digest: "sha256:../../x" } }))],
    ["documents of another type", change((json) => ({ ...json, documents: [1, null] }))],
    ["another name", change((json) => ({ ...json, name: "docker.io/library/evil:latest" }))],
    ["another digest", change((json) => ({ ...json, listed: { mediaType: mediaTypes.index, digest: digestOf("evil") } }))],
    ...[0, 1, 2, 3].flatMap((i): [string, (text: string) => string][] => [
      [`document ${i} missing`, change((json) => ({ ...json, documents: json.documents.filter((_, at) => at !== i) }))],
      [
        `document ${i} changed`,
        change((json) => ({
          ...json,
          documents: json.documents.map((one, at) => (at === i ? Buffer.from(`${Buffer.from(one, "base64")} `).toString("base64") : one)),
        })),
      ],
    ]),
  ])("%s", async (_, damage) => {
    await rememberImage(store, await resolved());
    const [file = ""] = files();
    writeFileSync(file, damage(readFileSync(file, "utf8")));
    expect(await recall()).toBeUndefined();
  });
});
