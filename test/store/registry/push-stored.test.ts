import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { digestOf } from "../../../store/digest.ts";
import { collectGarbage } from "../../../store/gc/collect.ts";
import { type Index, type Manifest, mediaTypes } from "../../../store/oci.ts";
import { machinePlatform } from "../../../store/platform.ts";
import { parseReference } from "../../../store/reference.ts";
import { copyImage } from "../../../store/registry/copy.ts";
import { type PushStoredOptions, pushStored } from "../../../store/registry/push-stored.ts";
import { openRegistry, type Registry } from "../../../store/registry/registry.ts";
import { defaultRegistrySettings } from "../../../store/registry/settings.ts";
import { openStore, type Store } from "../../../store/store.ts";
import { storePaths } from "../../../store/store-paths.ts";
import { descriptorOf, fakeImage } from "../../support/registry/fake-image.ts";
import { type FakeRegistry, startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const machine = machinePlatform();
const foreign = { os: "linux", architecture: machine.architecture === "s390x" ? "amd64" : "s390x" };

let fake: FakeRegistry;
let registry: Registry;
let store: Store;
let notes: string[];
beforeAll(async () => {
  fake = await startFakeRegistry();
  registry = openRegistry({ settings: { ...defaultRegistrySettings, attempts: 1 } });
});
afterAll(async () => {
  await registry.close();
  await fake.close();
});
beforeEach(async () => {
  fake.content.repositories.clear();
  store = await openStore(join(temporaryDirectory("push-stored"), "store"));
  notes = [];
  return () => store.close();
});

const push = (options: PushStoredOptions = {}) =>
  pushStored(store, registry, "app", [parseReference(`${fake.host}/pushed`)], { onNote: (note) => notes.push(note), ...options });
const pushed = (digest: string) => JSON.parse(String(fake.content.repository("pushed").manifests.get(digest)?.bytes));

/** An index of two platforms, with an attestation of the first in OCI's format, whole in the store; or one of plain layers, whose first entry says more than is known here. */
async function storeIndex(format: "oci" | "docker" | "plain" = "oci"): Promise<string> {
  const isPlain = format === "plain";
  const form = isPlain ? ({ format: "oci", compression: "none" } as const) : { format };
  const images = await Promise.all(
    [machine, foreign].map((platform) => fakeImage({ platform, ...form, layers: [{ a: platform.architecture }] })),
  );
  const [own] = images;
  for (const image of images) fake.putImage("app", "unused", image);
  const statement = Buffer.from("{}");
  fake.putBlob("app", statement);
  const attestation = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: descriptorOf(mediaTypes.config, statement),
      layers: [descriptorOf("application/vnd.in-toto+json", statement)],
    }),
  );
  const attested = {
    ...descriptorOf(mediaTypes.manifest, attestation),
    platform: { os: "unknown", architecture: "unknown" },
    annotations: { "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": own?.digest },
  };
  const listed = images.map(({ mediaType, bytes, platform }, i) => {
    const more = isPlain && i === 0 ? { artifactType: "application/vnd.example", data: "e30=" } : {};
    return { ...descriptorOf(mediaType, bytes), platform, ...more };
  });
  const mediaType = format === "docker" ? mediaTypes.dockerManifestList : mediaTypes.index;
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests: format === "oci" ? [...listed, attested] : listed }));
  const { manifests, tags } = fake.content.repository("app");
  manifests.set(digestOf(attestation), { mediaType: mediaTypes.manifest, bytes: attestation });
  manifests.set(digestOf(bytes), { mediaType, bytes });
  tags.set("1", digestOf(bytes));
  const from = { kind: "registry", reference: parseReference(`${fake.host}/app:1`) } as const;
  await copyImage({ from, to: { kind: "store", name: "app" }, allPlatforms: true, registry, store: async () => store });
  return digestOf(bytes);
}

describe("annotations of an image for several platforms", () => {
  it("are on each platform's manifest, and the index lists what they have become", async () => {
    const before = await storeIndex();
    const { digest, mediaType } = await push({ annotations: { k: "v" } });
    expect([mediaType, fake.content.find("pushed", "latest")]).toEqual([mediaTypes.index, digest]);
    const { manifests } = pushed(digest) as Index;
    expect(manifests.map(({ platform }) => platform?.architecture)).toEqual([machine.architecture, foreign.architecture, "unknown"]);
    const annotations = manifests.map((entry) => (pushed(entry.digest) as Manifest).annotations);
    expect(annotations).toEqual([{ k: "v" }, { k: "v" }, undefined]);
    expect(manifests[2]?.annotations?.["vnd.docker.reference.digest"]).toBe(manifests[0]?.digest);
    expect(fake.content.holes()).toEqual([]);
    expect(notes).toEqual([`${before}: its attestations are of the manifests without the new annotations`]);
  });

  it("are left out in Docker's format, which is said", async () => {
    const before = await storeIndex("docker");
    expect((await push({ annotations: { k: "v" } })).digest).toBe(before);
    expect(notes).toEqual(
      (pushed(before) as Index).manifests.map(({ digest }) => `${digest}: Docker's format has no annotations; left out: k`),
    );
  });

  it("are on the one platform that is asked for", async () => {
    await storeIndex();
    const { digest, mediaType } = await push({ annotations: { k: "v" }, platform: foreign });
    expect([mediaType, (pushed(digest) as Manifest).annotations]).toEqual([mediaTypes.manifest, { k: "v" }]);
  });

  it("are on the index and on what it says of one platform's manifest, while the manifests stay", async () => {
    const before = await storeIndex();
    const old = JSON.parse(String(fake.content.repository("app").manifests.get(before)?.bytes)) as Index;
    const { digest } = await push({
      placedAnnotations: [
        { level: "index", key: "i", value: "1" },
        { level: "manifest-descriptor", key: "d", value: "all" },
        { level: "manifest-descriptor", platform: foreign, key: "d", value: "one" },
      ],
    });
    const { annotations, manifests } = pushed(digest) as Index;
    expect(annotations).toEqual({ i: "1" });
    expect(manifests.map((entry) => entry.digest)).toEqual(old.manifests.map((entry) => entry.digest));
    expect(manifests.map((entry) => entry.annotations)).toEqual([{ d: "all" }, { d: "one" }, old.manifests[2]?.annotations]);
    expect([notes, fake.content.holes()]).toEqual([[], []]);
  });

  it("are on one platform's manifest", async () => {
    await storeIndex();
    const { digest } = await push({ placedAnnotations: [{ level: "manifest", platform: machine, key: "k", value: "v" }] });
    const { manifests } = pushed(digest) as Index;
    expect(manifests.map((entry) => (pushed(entry.digest) as Manifest).annotations)).toEqual([{ k: "v" }, undefined, undefined]);
  });

  it("of an index are left out in Docker's format, which is said", async () => {
    const before = await storeIndex("docker");
    expect((await push({ placedAnnotations: [{ level: "index", key: "k", value: "v" }] })).digest).toBe(before);
    expect(notes).toEqual([`${before}: Docker's format has no annotations; left out: k`]);
  });

  it.each<[name: string, options: PushStoredOptions, code: string, message: string]>([
    [
      "a platform that is not there",
      { placedAnnotations: [{ level: "manifest", platform: { os: "linux", architecture: "386" }, key: "k", value: "v" }] },
      "PLATFORM_NOT_FOUND",
      `annotating app: it is for linux/${machine.architecture}, linux/${foreign.architecture}, not linux/386`,
    ],
    [
      "an index, where one platform goes alone",
      { platform: foreign, placedAnnotations: [{ level: "index", key: "k", value: "v" }] },
      "NOT_FOUND",
      "annotating app: it goes without an index, which the level index is for",
    ],
    [
      "another platform than the one that goes alone",
      { platform: foreign, placedAnnotations: [{ level: "manifest", platform: machine, key: "k", value: "v" }] },
      "PLATFORM_NOT_FOUND",
      `annotating app: it is for linux/${foreign.architecture}, not linux/${machine.architecture}`,
    ],
  ])("of %s are refused, and nothing is sent", async (_name, options, code, message) => {
    await storeIndex();
    await expect(push(options)).rejects.toMatchObject({ code, message });
    expect(fake.content.find("pushed", "latest")).toBeUndefined();
  });

  it("that are none change nothing", async () => {
    const before = await storeIndex();
    expect((await push()).digest).toBe(before);
    expect(notes).toEqual([]);
  });
});

describe("an index from elsewhere with plain layers goes as it is", () => {
  it.each<[where: string, before: () => Promise<unknown>]>([
    ["as it came", async () => {}],
    ["also after the cache was pruned", () => collectGarbage(store, { all: true })],
    ["also where it is forgotten that a registry gave it", async () => rmSync(storePaths.places(store.root), { recursive: true })],
  ])("%s", async (_where, before) => {
    const digest = await storeIndex("plain");
    await before();
    expect((await push()).digest).toBe(digest);
    expect([notes, fake.content.holes()]).toEqual([[], []]);
  });

  it("and so does an image of it, also after the cache was pruned", async () => {
    const digest = await storeIndex("plain");
    const { manifests } = JSON.parse(String(fake.content.repository("app").manifests.get(digest)?.bytes)) as Index;
    await collectGarbage(store, { all: true });
    expect((await push({ platform: foreign })).digest).toBe(manifests[1]?.digest);
  });
});
