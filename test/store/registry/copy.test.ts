import { execFileSync } from "node:child_process";
import { cpSync, createReadStream, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { loadImages } from "../../../store/archive/load.ts";
import { type Digest, digestOf, hexOf, parseDigest } from "../../../store/digest.ts";
import { IntegrityError, NotFoundError } from "../../../store/errors.ts";
import { type Index, type Manifest, mediaTypes } from "../../../store/oci.ts";
import { machinePlatform, platformText } from "../../../store/platform.ts";
import { parseReference } from "../../../store/reference.ts";
import { blobPlaces } from "../../../store/registry/blob-places.ts";
import { type CopyOptions, type CopyPlace, copyImage } from "../../../store/registry/copy.ts";
import { pushStored } from "../../../store/registry/push-stored.ts";
import { openRegistry, type Registry } from "../../../store/registry/registry.ts";
import { RegistryError } from "../../../store/registry/registry-error.ts";
import { defaultRegistrySettings } from "../../../store/registry/settings.ts";
import type { TransferEvent } from "../../../store/registry/transfer-event.ts";
import { openStore, type Store } from "../../../store/store.ts";
import { verifyStore } from "../../../store/verify.ts";
import { needs } from "../../support/needs.ts";
import { startDockerDaemon } from "../../support/registry/docker-daemon.ts";
import { descriptorOf, type FakeImage, fakeImage } from "../../support/registry/fake-image.ts";
import { type FakeRegistry, startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { putImage } from "../sample-image.ts";
import { failureOf } from "./test-repository.ts";

const machine = machinePlatform();
const foreign = { os: "linux", architecture: machine.architecture === "s390x" ? "amd64" : "s390x" };

let here: FakeRegistry;
let there: FakeRegistry;
let registry: Registry;
let own: FakeImage;
let other: FakeImage;
let store: Store;
let directory: string;
let notes: string[];
beforeAll(async () => {
  [here, there] = await Promise.all([startFakeRegistry(), startFakeRegistry()]);
  registry = openRegistry({ settings: { ...defaultRegistrySettings, attempts: 1 } });
  own = await fakeImage({ platform: machine, layers: [{ a: "own" }, { b: "own" }] });
  other = await fakeImage({ platform: foreign, layers: [{ a: "other" }] });
});
afterAll(async () => {
  await registry.close();
  await Promise.all([here.close(), there.close()]);
});
beforeEach(async () => {
  for (const fake of [here, there]) {
    fake.content.repositories.clear();
    fake.behaviour.referrers = true;
    fake.takeLog();
  }
  directory = temporaryDirectory("copy");
  store = await openStore(join(directory, "store"));
  notes = [];
  return () => store.close();
});

const at = (fake: FakeRegistry, name: string): CopyPlace => ({ kind: "registry", reference: parseReference(`${fake.host}/${name}`) });
const ownAlone = "mine has this machine's platform alone, not all that its index lists: --all-platforms takes all";
const inStore = (name: string): CopyPlace => ({ kind: "store", name });
const inLayout = (name?: string): CopyPlace => ({ kind: "oci", directory: join(directory, "layout"), name });
const inArchive = (name?: string): CopyPlace => ({ kind: "oci-archive", file: join(directory, "image.tar"), name });
const copy = (from: CopyPlace, to: CopyPlace, options: Partial<CopyOptions> = {}) =>
  copyImage({ from, to, registry, store: async () => store, onNote: (note) => notes.push(note), ...options });
const documents = (fake: FakeRegistry, repository: string) => [...fake.content.repository(repository).manifests.keys()].sort();
const layoutIndex = (): Index => JSON.parse(readFileSync(join(directory, "layout/index.json"), "utf8"));
const layoutBlob = (digest: string) => join(directory, "layout/blobs/sha256", hexOf(parseDigest(digest)));

/** An index of two platforms with an attestation, as BuildKit makes it. */
async function putIndex(fake: FakeRegistry, repository: string, tag: string): Promise<Digest> {
  const statement = Buffer.from('{"_type":"https://in-toto.io/Statement/v0.1"}');
  const config = Buffer.from('{"architecture":"unknown","os":"unknown","config":{},"rootfs":{"type":"layers","diff_ids":[]}}');
  const attestation = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: descriptorOf(mediaTypes.config, config),
      layers: [descriptorOf("application/vnd.in-toto+json", statement)],
    }),
  );
  for (const blob of [statement, config]) fake.putBlob(repository, blob);
  for (const image of [own, other]) fake.putImage(repository, "unused", image);
  const manifests = [
    ...[own, other].map(({ mediaType, bytes, platform }) => ({ ...descriptorOf(mediaType, bytes), platform })),
    {
      ...descriptorOf(mediaTypes.manifest, attestation),
      platform: { os: "unknown", architecture: "unknown" },
      annotations: { "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": own.digest },
    },
  ];
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }, null, 2));
  return put(fake, repository, tag, bytes, attestation);
}

/** Documents as they are; the first one gets the tag. */
function put(fake: FakeRegistry, repository: string, tag: string, ...all: readonly Buffer[]): Digest {
  const { manifests, tags } = fake.content.repository(repository);
  for (const bytes of all) manifests.set(digestOf(bytes), { mediaType: JSON.parse(bytes.toString()).mediaType, bytes });
  const digest = digestOf(all[0] ?? "");
  tags.set(tag, digest);
  tags.delete("unused");
  return digest;
}

describe("from registry to registry", () => {
  it("an image comes with all platforms and attestations, byte for byte", async () => {
    const digest = await putIndex(here, "app", "1");
    expect(await copy(at(here, "app:1"), at(there, "mirror/app:2"))).toMatchObject({ mediaType: mediaTypes.index, digest });
    expect(there.content.repository("mirror/app").manifests).toEqual(here.content.repository("app").manifests);
    expect([...there.content.repository("mirror/app").tags]).toEqual([["2", digest]]);
    expect(there.content.holes()).toEqual([]);
  });

  it("blobs come first, then manifests, then the index under its tag", async () => {
    await putIndex(here, "app", "1");
    await copy(at(here, "app:1"), at(there, "app:1"));
    const puts = there.takeLog().filter((line) => line.startsWith("PUT"));
    expect(puts.map((line) => (line.includes("/blobs/") ? "blob" : line.includes("sha256:") ? "manifest" : "tag"))).toEqual([
      ...Array(7).fill("blob"),
      ...Array(3).fill("manifest"),
      "tag",
    ]);
  });

  it("within one registry no blob moves", async () => {
    const digest = await putIndex(here, "app", "1");
    const before = here.bytes().received;
    expect((await copy(at(here, "app:1"), at(here, "other:1"))).digest).toBe(digest);
    const log = here.takeLog();
    expect(log.filter((line) => /^(GET|PATCH|PUT) .*\/blobs\//.test(line))).toEqual([]);
    expect(here.bytes().received - before).toBeLessThan(10_000);
    expect(here.content.holes()).toEqual([]);
  });

  it("one platform is an image of its own", async () => {
    await putIndex(here, "app", "1");
    expect((await copy(at(here, "app:1"), at(there, "app:1"), { platform: foreign })).digest).toBe(other.digest);
    expect(documents(there, "app")).toEqual([other.digest]);
    expect(await failureOf(copy(at(here, "app:1"), at(there, "app:1"), { platform: { os: "plan9", architecture: "386" } }))).toMatchObject({
      code: "PLATFORM_NOT_FOUND",
    });
  });

  it.each([
    ["a registry", () => at(here, "app:1")],
    ["the store", () => inStore("app")],
    ["a layout", () => inLayout()],
    ["an archive", () => inArchive()],
  ])("one platform of an image in %s that is for another is refused", async (name, from) => {
    here.putImage("app", "1", other);
    if (name !== "a registry") await copy(at(here, "app:1"), from());
    there.takeLog();
    for (const to of [at(there, "app:1"), inStore("mine")]) {
      expect(await failureOf(copy(from(), to, { platform: machine }))).toMatchObject({
        code: "PLATFORM_NOT_FOUND",
        message: expect.stringContaining(`: it is for ${platformText(foreign)} only, not ${platformText(machine)}`),
      });
    }
    expect(there.takeLog()).toEqual([]);
    expect((await copy(from(), at(there, "app:1"), { platform: foreign, format: "oci" })).mediaType).toBe(mediaTypes.manifest);
    if (name !== "the store") await copy(from(), inStore("mine"));
  });

  it("by a digest", async () => {
    here.putImage("app", "1", own);
    await copy(at(here, `app@${own.digest}`), at(there, "app"));
    expect(there.content.find("app", "latest")).toBe(own.digest);
  });

  it("an artifact that is no image", async () => {
    const config = Buffer.from('{"name":"chart"}');
    const chart = Buffer.from("a chart");
    const bytes = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.manifest,
        config: descriptorOf("application/vnd.cncf.helm.config.v1+json", config),
        layers: [descriptorOf("application/vnd.cncf.helm.chart.content.v1.tar+gzip", chart)],
      }),
    );
    for (const blob of [config, chart]) here.putBlob("chart", blob);
    const digest = put(here, "chart", "1", bytes);
    expect((await copy(at(here, "chart:1"), at(there, "chart:1"))).digest).toBe(digest);
    expect(there.content.holes()).toEqual([]);
    expect(await failureOf(copy(at(here, "chart:1"), inStore("chart")))).toMatchObject({ code: "NOT_AN_IMAGE" });
  });

  it("into Docker's format, with all platforms", async () => {
    here.putIndex("app", "1", [own, other]);
    const copied = await copy(at(here, "app:1"), at(there, "app:1"), { format: "docker" });
    expect(copied.mediaType).toBe(mediaTypes.dockerManifestList);
    expect(there.content.find("app", "1")).toBe(copied.digest);
    expect([...there.content.repository("app").manifests.values()].map(({ mediaType }) => mediaType)).toEqual([
      mediaTypes.dockerManifest,
      mediaTypes.dockerManifest,
      mediaTypes.dockerManifestList,
    ]);
    expect(there.content.holes()).toEqual([]);
  });

  it("attestations have no place in Docker's format; one platform does", async () => {
    await putIndex(here, "app", "1");
    expect(await failureOf(copy(at(here, "app:1"), at(there, "app:1"), { format: "docker" }))).toMatchObject({
      code: "NOT_CONVERTIBLE",
      hint: "take one platform of it, which can be converted: --platform OS/ARCH",
    });
    expect(there.takeLog()).toEqual([]);
    const copied = await copy(at(here, "app:1"), at(there, "app:1"), { format: "docker", platform: foreign });
    expect(copied.mediaType).toBe(mediaTypes.dockerManifest);
  });

  it("tells of each blob once", async () => {
    here.putImage("app", "1", own);
    const events: TransferEvent[] = [];
    await copy(at(here, "app:1"), at(there, "app:1"), { onEvent: (event) => events.push(event) });
    const ends = events.filter(({ state }) => state === "done");
    expect(ends.map(({ direction, what }) => `${direction} ${what}`).sort()).toEqual([
      "push config",
      "push layer",
      "push layer",
      "push manifest",
    ]);
    expect(events.filter(({ state }) => state === "start")).toHaveLength(ends.length);
  });

  it("is refused where the index lists what is not there, and names nothing", async () => {
    const digest = await putIndex(here, "app", "1");
    here.content.repository("app").manifests.delete(other.digest);
    expect(await failureOf(copy(at(here, "app:1"), at(there, "app:1")))).toEqual(
      new NotFoundError(`reading image ${here.host}/app: its index lists ${other.digest}, which is not there`),
    );
    expect(there.content.find("app", digest)).toBeUndefined();
    expect(there.content.find("app", "1")).toBeUndefined();
  });

  it("is refused where a blob is gone or is another one, and names nothing", async () => {
    for (const harm of ["gone", "other bytes"]) {
      here.putImage("app", "1", own);
      const { blobs } = here.content.repository("app");
      const [layer = Buffer.alloc(0)] = own.layers;
      if (harm === "gone") blobs.delete(digestOf(layer));
      else blobs.set(digestOf(layer), Buffer.alloc(layer.length));
      const error = await failureOf(copy(at(here, "app:1"), at(there, "app:1")));
      expect(error).toBeInstanceOf(harm === "gone" ? RegistryError : IntegrityError);
      expect(documents(there, "app")).toEqual([]);
      expect(there.content.uploads.size).toBe(0);
      expect(there.content.holes()).toEqual([]);
    }
  });

  it("says when there is no such image", async () => {
    expect(await failureOf(copy(at(here, "none:1"), at(there, "app:1")))).toMatchObject({
      code: "REGISTRY_NOT_FOUND",
      message: `copying ${here.host}/none:1: the registry has no such image`,
    });
  });

  it("ends when it is cancelled", async () => {
    here.putImage("app", "1", own);
    const cancel = new AbortController();
    const reason = new Error("enough");
    const onEvent = ({ what, state }: TransferEvent) => what === "layer" && state === "start" && cancel.abort(reason);
    expect(await failureOf(copy(at(here, "app:1"), at(there, "app:1"), { signal: cancel.signal, onEvent }))).toBe(reason);
    expect(documents(there, "app")).toEqual([]);
  });
});

describe("what refers to an image", () => {
  const referrer = (subject: { readonly mediaType: string; readonly digest: string; readonly size: number }, type: string) =>
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.manifest,
        artifactType: type,
        config: descriptorOf("application/vnd.oci.empty.v1+json", Buffer.from("{}")),
        layers: [descriptorOf("application/vnd.oci.empty.v1+json", Buffer.from("{}"))],
        subject,
      }),
    );

  /** A signature of one platform, and a signature of that. */
  async function putSigned() {
    const digest = await putIndex(here, "app", "1");
    here.putBlob("app", Buffer.from("{}"));
    const signature = referrer(descriptorOf(own.mediaType, own.bytes), "test/signature");
    const second = referrer(descriptorOf(mediaTypes.manifest, signature), "test/countersignature");
    for (const bytes of [signature, second]) put(here, "app", "unused", bytes);
    return { digest, signature: digestOf(signature), second: digestOf(second) };
  }

  it("stays where it is unless it is asked for", async () => {
    const { signature } = await putSigned();
    await copy(at(here, "app:1"), at(there, "app:1"));
    expect(documents(there, "app")).not.toContain(signature);
  });

  it("comes with it, and what refers to that", async () => {
    const { signature, second } = await putSigned();
    await copy(at(here, "app:1"), at(there, "app:1"), { referrers: true });
    expect(documents(there, "app")).toEqual(documents(here, "app"));
    expect([...there.content.repository("app").tags.keys()]).toEqual(["1"]);
    const repository = registry.repository({ registry: there.host, repository: "app" });
    expect((await repository.referrers(parseDigest(own.digest))).map(({ digest }) => digest)).toEqual([signature]);
    expect((await repository.referrers(signature)).map(({ digest }) => digest)).toEqual([second]);
  });

  it("is found by the tag schema where the registry has no API for it", async () => {
    const { signature, second } = await putSigned();
    there.behaviour.referrers = false;
    await copy(at(here, "app:1"), at(there, "app:1"), { referrers: true });
    const repository = registry.repository({ registry: there.host, repository: "app" });
    expect(await repository.referrers(parseDigest(own.digest))).toEqual([
      expect.objectContaining({ digest: signature, artifactType: "test/signature" }),
    ]);
    expect((await repository.referrers(signature)).map(({ digest }) => digest)).toEqual([second]);
  });

  it("is left out where it is of an unknown type, and that is said", async () => {
    const { digest, signature } = await putSigned();
    const subject = { mediaType: mediaTypes.index, digest, size: here.content.repository("app").manifests.get(digest)?.bytes.length };
    const types = ["application/vnd.oci.artifact.manifest.v1+json", mediaTypes.manifest];
    const unknown = types.map((_, n) => Buffer.from(JSON.stringify({ mediaType: types[0], artifactType: `a/${n}`, blobs: [], subject })));
    for (const [i, bytes] of unknown.entries()) {
      here.content.repository("app").manifests.set(digestOf(bytes), { mediaType: types[i] ?? "", bytes });
    }
    await copy(at(here, "app:1"), at(there, "app:1"), { referrers: true });
    expect(documents(there, "app")).toContain(signature);
    for (const bytes of unknown) expect(documents(there, "app")).not.toContain(digestOf(bytes));
    expect(notes).toEqual(
      unknown.map(
        (bytes, i) => `${digest}: the referrer ${digestOf(bytes)} is left out: it is no manifest of a type that is known (${types[i]})`,
      ),
    );
  });

  it.each<[name: string, options: Partial<CopyOptions>, to: () => CopyPlace, message: string]>([
    ["into a layout", {}, () => inLayout(), "copying referrers: they can go from registry to registry only"],
    [
      "in another format",
      { format: "docker" },
      () => at(there, "app"),
      "copying referrers: they know the image by its digest, which another format changes",
    ],
  ])("cannot come %s", async (_name, options, to, message) => {
    expect(await failureOf(copy(at(here, "app:1"), to(), { referrers: true, ...options }))).toMatchObject({
      code: "UNSUPPORTED_COPY",
      message,
    });
  });
});

describe("into the store", () => {
  it("comes this machine's platform, with the index that lists it", async () => {
    const digest = await putIndex(here, "app", "1");
    await copy(at(here, "app:1"), inStore("mine:2"));
    const image = await store.images.open("mine:2");
    expect(image).toMatchObject({ names: ["mine:2"], listed: { digest }, descriptor: { digest: own.digest } });
    expect((await store.images.list()).flatMap(({ names }) => names)).toEqual(["mine:2"]);
    expect(await failureOf(store.images.open("mine:2", foreign))).toBeInstanceOf(NotFoundError);
    expect(await verifyStore(store)).toEqual([]);
  });

  it("come all platforms where that is asked for, and can go on from there as they came", async () => {
    const digest = await putIndex(here, "app", "1");
    await copy(at(here, "app:1"), inStore("mine"), { allPlatforms: true });
    expect((await store.images.open("mine", foreign)).descriptor.digest).toBe(other.digest);
    expect(await verifyStore(store)).toEqual([]);
    expect((await copy(inStore("mine"), at(there, "app:1"))).digest).toBe(digest);
    expect(there.content.repository("app").manifests).toEqual(here.content.repository("app").manifests);
    expect(there.content.holes()).toEqual([]);
    expect(notes).toEqual([]);
  });

  it("come layers that are indexed, of all platforms", async () => {
    here.putIndex("app", "1", [own, other]);
    await copy(at(here, "app:1"), inStore("mine"), { allPlatforms: true });
    expect(await verifyStore(store)).toEqual([]);
    const { layers } = await store.images.open("mine", foreign);
    for (const { diffId } of layers) expect(await store.layers.has(diffId)).toBe(true);
  });

  it("one platform of an index goes on alone, and that is said", async () => {
    await putIndex(here, "app", "1");
    await copy(at(here, "app:1"), inStore("mine"));
    expect((await copy(inStore("mine"), at(there, "app:1"))).digest).toBe(own.digest);
    expect(notes).toEqual([
      ownAlone,
      `mine: linux/${foreign.architecture} is not in the store: left out`,
      `mine: linux/${machine.architecture} alone is taken, under its own digest: its index lists what the store does not have`,
    ]);
  });

  it("an image of ours is compressed on its way out, as in a push", async () => {
    const image = await putImage(store, ["built"], [{ a: "1" }]);
    await copy(inStore("built"), at(there, "app:1"));
    const manifest: Manifest = JSON.parse(String([...there.content.repository("app").manifests.values()][0]?.bytes));
    expect(manifest).toMatchObject({ config: { digest: image.imageId }, layers: [{ mediaType: mediaTypes.layerGzip }] });
  });

  it("comes what a layout has, checked", async () => {
    await putIndex(here, "app", "1");
    await copy(at(here, "app:1"), inLayout("v1"));
    await copy(inLayout("v1"), inStore("mine"));
    expect((await store.images.open("mine")).descriptor.digest).toBe(own.digest);
    expect(await verifyStore(store)).toEqual([]);
  });
});

describe("into the store in another format", () => {
  it("comes the one platform that is taken, as an image of its own", async () => {
    const digest = await putIndex(here, "app", "1");
    const copied = await copy(at(here, "app:1"), inStore("mine"), { format: "docker" });
    expect(copied.mediaType).toBe(mediaTypes.dockerManifest);
    expect(await store.images.open("mine")).toMatchObject({ listed: { digest: copied.digest }, imageId: digestOf(own.config) });
    expect(notes).toEqual([`${digest}: one of its platforms was taken, and is an image of its own in another format`]);
    expect(await verifyStore(store)).toEqual([]);
  });

  it("comes the index where it is in that format already", async () => {
    const digest = await putIndex(here, "app", "1");
    expect((await copy(at(here, "app:1"), inStore("mine"), { format: "oci" })).digest).toBe(digest);
    expect(notes).toEqual([ownAlone]);
  });

  it("come all platforms where that is asked for", async () => {
    here.putIndex("app", "1", [own, other]);
    expect(await copy(at(here, "app:1"), inStore("mine"), { format: "docker", allPlatforms: true })).toMatchObject({
      mediaType: mediaTypes.dockerManifestList,
    });
    expect((await store.images.open("mine", foreign)).imageId).toBe(digestOf(other.config));
  });
});

describe("where blobs are", () => {
  const digest = () => digestOf(own.layers[0] ?? "");

  it("is remembered of what comes into the store", async () => {
    await putIndex(here, "app", "1");
    await copy(at(here, "app:1"), inStore("mine"));
    expect(await blobPlaces(store).of(digest())).toEqual([{ registry: here.host, repository: "app" }]);
    expect(await blobPlaces(store).cameFromRegistry(digest())).toBe(true);
  });

  it("is used and remembered where the store is open anyway: from an archive", async () => {
    here.putImage("app", "1", own);
    await copy(at(here, "app:1"), inArchive());
    for (const layer of own.layers) await blobPlaces(store).add([digestOf(layer)], { registry: here.host, repository: "app" }, "sent");
    const before = here.requests.length;
    await copy(inArchive(), at(here, "other:1"));
    const mounts = here.requests.slice(before).flatMap(({ query }) => query.mount ?? []);
    expect(mounts.sort()).toEqual(own.layers.map(digestOf).sort());
    expect(await blobPlaces(store).of(digest())).toEqual(["other", "app"].map((repository) => ({ registry: here.host, repository })));
    expect(here.content.holes()).toEqual([]);
  });

  it("does not open the store between registries", async () => {
    here.putImage("app", "1", own);
    const never = () => expect.fail("the store was opened");
    await copy(at(here, "app:1"), at(there, "app:1"), { store: never });
    expect(there.content.holes()).toEqual([]);
  });
});

describe("a destination that cannot be named", () => {
  it.each<[name: string, to: () => CopyPlace, code: string]>([
    ["a name of the store", () => inStore("UPPER"), "INVALID_REFERENCE"],
    ["a digest at a registry", () => at(there, `app@${own.digest}`), "INVALID_REFERENCE"],
  ])("%s is refused before anything is asked for", async (_name, to, code) => {
    await putIndex(here, "app", "1");
    expect(await failureOf(copy(at(here, "app:1"), to()))).toMatchObject({ code });
    expect([here.takeLog(), there.takeLog()]).toEqual([[], []]);
  });

  it("another digest in the store is refused before any blob is asked for", async () => {
    here.putImage("app", "1", own);
    expect(await failureOf(copy(at(here, "app:1"), inStore(`mine@${other.digest}`)))).toMatchObject({ code: "INVALID_REFERENCE" });
    expect(here.takeLog().filter((line) => line.includes("/blobs/"))).toEqual([]);
  });
});

describe("an image layout", () => {
  it("gives back what it was given", async () => {
    const digest = await putIndex(here, "app", "1");
    await copy(at(here, "app:1"), inLayout("v1"));
    expect(layoutIndex().manifests).toEqual([
      expect.objectContaining({ digest, annotations: { "org.opencontainers.image.ref.name": "v1" } }),
    ]);
    await copy(inLayout("v1"), at(there, "app:1"));
    expect(there.content.repository("app").manifests).toEqual(here.content.repository("app").manifests);
    expect(there.content.holes()).toEqual([]);
  });

  it("gets one image beside the other, and a name moves", async () => {
    here.putImage("app", "1", own);
    here.putImage("app", "2", other);
    const list = () => layoutIndex().manifests.map(({ digest, annotations = {} }) => [digest, Object.values(annotations)[0]]);
    await copy(at(here, "app:1"), inLayout("a"));
    await copy(at(here, "app:2"), inLayout("b"));
    expect(list()).toEqual([
      [own.digest, "a"],
      [other.digest, "b"],
    ]);
    await copy(at(here, "app:2"), inLayout("a"));
    await copy(at(here, "app:2"), inLayout());
    expect(list()).toEqual([
      [other.digest, "b"],
      [other.digest, "a"],
    ]);
    expect(readdirSync(join(directory, "layout")).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
  });

  it("has one image that needs no name, or several that do", async () => {
    here.putImage("app", "1", own);
    here.putImage("app", "2", other);
    await copy(at(here, "app:1"), inLayout("example.com/app:1"));
    expect((await copy(inLayout(), at(there, "app:1"))).digest).toBe(own.digest);
    await copy(at(here, "app:2"), inLayout("b"));
    expect(await failureOf(copy(inLayout(), at(there, "app:1")))).toMatchObject({
      code: "AMBIGUOUS_IMAGE",
      message: `reading ${join(directory, "layout")}: it has several images, and none was named`,
      hint: "it has example.com/app:1, b",
    });
    expect(await failureOf(copy(inLayout("c"), at(there, "app:1")))).toMatchObject({
      code: "NOT_FOUND",
      message: `reading ${join(directory, "layout")}: it has no image "c"`,
    });
  });

  it.each<[name: string, layout: string, before: (root: string) => void, left: readonly string[]]>([
    ["none of a directory that it made", "new/of/it", () => undefined, []],
    ["a link that leads nowhere as it was", "link", (root) => symlinkSync(join(root, "none"), join(root, "link")), ["link"]],
    ["an empty directory as it was", "layout", (root) => mkdirSync(join(root, "layout")), ["layout"]],
    [
      "another image's layout as it was",
      "layout",
      (root) => cpSync(join(root, "other"), join(root, "layout"), { recursive: true }),
      ["layout", "layout/blobs", "layout/index.json", "layout/oci-layout"],
    ],
  ])("that could not be written leaves %s", async (_name, layout, before, left) => {
    here.putImage("other", "1", other);
    await copy(at(here, "other:1"), { kind: "oci", directory: join(directory, "other") });
    before(directory);
    here.putImage("app", "1", own);
    here.content.repository("app").blobs.delete(digestOf(own.layers[1] ?? ""));
    const code = layout === "link" ? "WRITE_FAILED" : "REGISTRY_NOT_FOUND";
    expect(await failureOf(copy(at(here, "app:1"), { kind: "oci", directory: join(directory, layout) }))).toMatchObject({ code });
    const files = readdirSync(directory, { recursive: true }).map(String);
    expect(files.filter((file) => !/^(other|store)|layout\/blobs\//.test(file)).sort()).toEqual(left);
  });

  it("is not made where something else is", async () => {
    here.putImage("app", "1", own);
    expect(await failureOf(copy(at(here, "app:1"), { kind: "oci", directory: join(directory, "store/v1") }))).toMatchObject({
      code: "DESTINATION_EXISTS",
      message: `copying to ${join(directory, "store/v1")}: the directory is neither empty nor an OCI image layout`,
    });
  });

  it.each<[name: string, harm: (layer: string) => void, message: (layer: string, digest: string) => string]>([
    [
      "a blob with other bytes",
      (layer) => writeFileSync(layer, Buffer.alloc(readFileSync(layer).length)),
      (layer) => `reading ${layer}: expected sha256:`,
    ],
    ["a shorter blob", (layer) => writeFileSync(layer, "short"), (layer) => `reading ${layer}: expected `],
    ["no blob", (layer) => rmSync(layer), (_layer, digest) => `blob ${digest} is not in it`],
    [
      "a link out of the layout",
      (layer) => {
        rmSync(layer);
        symlinkSync("/etc/passwd", layer);
      },
      (layer) => `reading ${layer}: it is no regular file`,
    ],
    [
      "a FIFO that nobody writes to",
      (layer) => {
        rmSync(layer);
        execFileSync("mkfifo", [layer]);
      },
      (layer) => `reading ${layer}: it is no regular file`,
    ],
  ])("with %s is refused, and nothing is named", async (_name, harm, message) => {
    here.putImage("app", "1", own);
    await copy(at(here, "app:1"), inLayout());
    const digest = digestOf(own.layers[0] ?? "");
    harm(layoutBlob(digest));
    for (const to of [at(there, "app:1"), inStore("mine"), inArchive()]) {
      expect(String(await failureOf(copy(inLayout(), to)))).toContain(message(layoutBlob(digest), digest));
    }
    expect(documents(there, "app")).toEqual([]);
    expect(await store.images.list()).toEqual([]);
    expect(existsSync(join(directory, "image.tar"))).toBe(false);
    expect(readdirSync(directory).sort()).toEqual(["layout", "store"]);
  });

  it("whose manifest is an index too is refused (CVE-2021-41190)", async () => {
    here.putImage("app", "1", own);
    await copy(at(here, "app:1"), inLayout());
    const both = Buffer.from(JSON.stringify({ ...JSON.parse(own.bytes.toString()), manifests: [] }));
    writeFileSync(layoutBlob(digestOf(both)), both);
    const [entry] = layoutIndex().manifests;
    const manifests = [{ ...entry, digest: digestOf(both), size: both.length }];
    writeFileSync(join(directory, "layout/index.json"), JSON.stringify({ ...layoutIndex(), manifests }));
    expect(await failureOf(copy(inLayout(), at(there, "app:1")))).toMatchObject({ code: "INVALID_DOCUMENT" });
  });
});

describe("an archive", () => {
  it("gives back what it was given", async () => {
    const digest = await putIndex(here, "app", "1");
    expect((await copy(at(here, "app:1"), inArchive("app:1"))).digest).toBe(digest);
    expect((await copy(inArchive("app:1"), at(there, "app:1"))).digest).toBe(digest);
    expect(there.content.repository("app").manifests).toEqual(here.content.repository("app").manifests);
    expect(there.content.holes()).toEqual([]);
    await loadImages(store, { file: join(directory, "image.tar") });
    expect((await store.images.open("app:1")).descriptor.digest).toBe(own.digest);
    expect(readdirSync(join(store.root, "v1/tmp"), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())).toEqual([]);
  });

  it.each<[name: string, image: () => FakeImage | undefined, place: string, tags: readonly string[]]>([
    ["an image of one platform", () => own, "host:5000/app", ["host:5000/app:latest"]],
    ["an image with another tool's name", () => other, "NO NAME", []],
    ["an image of two platforms: nothing", () => undefined, "app", []],
  ])("has what docker load reads of %s", async (_name, imageOf, place, tags) => {
    const image = imageOf();
    if (image === undefined) await putIndex(here, "app", "1");
    else here.putImage("app", "1", image);
    await copy(at(here, "app:1"), inArchive(place));
    const file = join(directory, "image.tar");
    const untar = (...args: string[]) => execFileSync("tar", ["-f", file, ...args], { encoding: "utf8" });
    expect(untar("-t").split("\n").includes("manifest.json")).toBe(image !== undefined);
    if (image === undefined) return;
    const blobPath = (bytes: Buffer) => `blobs/sha256/${hexOf(digestOf(bytes))}`;
    expect(JSON.parse(untar("-xO", "manifest.json"))).toEqual([
      { Config: blobPath(image.config), RepoTags: tags, Layers: image.layers.map(blobPath) },
    ]);
  });

  it("has the same bytes each time, and replaces the file when it is whole", async () => {
    here.putImage("app", "1", own);
    const file = join(directory, "image.tar");
    await copy(at(here, "app:1"), inArchive("a"));
    const first = readFileSync(file);
    await copy(at(here, "app:1"), inArchive("a"));
    expect(readFileSync(file).equals(first)).toBe(true);
    here.content.repository("app").blobs.delete(digestOf(own.layers[1] ?? ""));
    expect(await failureOf(copy(at(here, "app:1"), inArchive("a")))).toBeInstanceOf(RegistryError);
    expect(readFileSync(file).equals(first)).toBe(true);
    expect(readdirSync(directory).sort()).toEqual(["image.tar", "store"]);
  });

  it("says where it cannot be written", async () => {
    here.putImage("app", "1", own);
    for (const [place, why] of [
      [{ kind: "oci", directory: "/proc/none/at/all" }, "E"],
      [{ kind: "oci-archive", file: join(directory, "none/image.tar") }, `there is no directory ${join(directory, "none")}`],
      [{ kind: "oci", directory: join(directory, "file") }, "E"],
    ] as const) {
      writeFileSync(join(directory, "file"), "");
      const path = "file" in place ? place.file : place.directory;
      const error = await failureOf(copy(at(here, "app:1"), place));
      expect(error).toMatchObject({ code: "WRITE_FAILED", message: expect.stringContaining(`copying to ${path}: ${why}`) });
    }
  });

  it("goes into a FIFO, and a directory is refused", async () => {
    here.putImage("app", "1", own);
    const file = join(directory, "image.fifo");
    execFileSync("mkfifo", [file]);
    const [bytes] = await Promise.all([buffer(createReadStream(file)), copy(at(here, "app:1"), { kind: "oci-archive", file })]);
    writeFileSync(join(directory, "image.tar"), bytes);
    expect((await copy(inArchive(), at(there, "app:1"))).digest).toBe(own.digest);
    expect(await failureOf(copy(at(here, "app:1"), { kind: "oci-archive", file: directory }))).toMatchObject({
      code: "NOT_A_FILE",
      message: `copying to ${directory}: it is a directory`,
    });
  });

  it("that is none is refused", async () => {
    writeFileSync(join(directory, "image.tar"), "no tar");
    expect(String(await failureOf(copy(inArchive(), at(there, "app:1"))))).toContain(`copying ${join(directory, "image.tar")}: `);
    expect(await failureOf(copy({ kind: "oci-archive", file: join(directory, "none.tar") }, at(there, "app:1")))).toMatchObject({
      code: "NOT_FOUND",
      message: `copying ${join(directory, "none.tar")}: there is no such file or directory`,
    });
  });
});

describe("an archive of Docker's", () => {
  const file = () => join(directory, "docker.tar");
  const inDocker = (name?: string): CopyPlace => ({ kind: "docker-archive", file: file(), name });
  const untar = (...args: string[]) => execFileSync("tar", ["-f", file(), ...args], { encoding: "utf8" });
  const leftBehind = () =>
    readdirSync(join(store.root, "v1/tmp"), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());

  it("has this machine's platform, and both of Docker's lists; it goes on from there as it was", async () => {
    await putIndex(here, "app", "1");
    expect((await copy(at(here, "app:1"), inDocker("app:v1"))).digest).toBe(own.digest);
    const blobPath = (bytes: Buffer) => `blobs/sha256/${hexOf(digestOf(bytes))}`;
    expect(JSON.parse(untar("-xO", "manifest.json"))).toEqual([
      { Config: blobPath(own.config), RepoTags: ["app:v1"], Layers: own.layers.map(blobPath) },
    ]);
    expect(JSON.parse(untar("-xO", "repositories"))).toEqual({ app: { v1: hexOf(digestOf(own.layers[1] ?? "")) } });
    for (const name of ["app:v1", undefined]) expect((await copy(inDocker(name), at(there, "app:1"))).digest).toBe(own.digest);
    expect(await store.images.list()).toEqual([]);
  });

  it("has another platform where that is asked for, or where there is no other", async () => {
    await putIndex(here, "app", "1");
    expect((await copy(at(here, "app:1"), inDocker(), { platform: foreign })).digest).toBe(other.digest);
    here.putImage("alone", "1", other);
    expect((await copy(at(here, "alone:1"), inDocker())).digest).toBe(other.digest);
    expect(await failureOf(copy(at(here, "alone:1"), inDocker(), { platform: machine }))).toMatchObject({ code: "PLATFORM_NOT_FOUND" });
  });

  it("has plain layers instead of those that not every docker load can read", needs("zstd"), async () => {
    const image = await putImage(store, ["mine"], [{ a: "1" }, { b: "2" }]);
    await pushStored(store, registry, "mine", [parseReference(`${here.host}/mine:1`)], { compression: "zstd" });
    const copied = await copy(at(here, "mine:1"), inDocker("mine:v2"));
    const [{ Layers: layers }] = JSON.parse(untar("-xO", "manifest.json"));
    expect(layers).toEqual(image.config.rootfs.diff_ids.map((diffId) => `blobs/sha256/${hexOf(diffId)}`));
    expect(leftBehind()).toEqual([]);
    await using loaded = await openStore(join(directory, "loaded"));
    const [found] = await loadImages(loaded, { file: file() });
    expect([found?.imageId, found?.names, found?.descriptor.digest]).toEqual([image.imageId, ["mine:v2"], copied.digest]);
    expect(await verifyStore(loaded)).toEqual([]);
  });

  it("without index.json, as Docker wrote it, is read by the names in its list", async () => {
    here.putImage("app", "1", own);
    here.putImage("app", "2", own);
    await copy(at(here, "app:1"), inDocker("team/app:v1"));
    const unpacked = join(directory, "unpacked");
    mkdirSync(unpacked);
    untar("-x", "-C", unpacked);
    execFileSync("tar", ["-C", unpacked, "-cf", file(), "blobs", "manifest.json"]);
    await copy(inDocker("team/app:v1"), inStore("mine"));
    expect((await store.images.open("mine")).imageId).toBe(digestOf(own.config));
    expect(await failureOf(copy(inDocker("none"), inStore("other")))).toMatchObject({
      code: "NOT_FOUND",
      message: `reading ${file()}: it has no image "none"`,
      hint: "it has team/app:v1",
    });
    expect(leftBehind()).toEqual([]);
  });

  it.each<[name: string, image: () => string, to: () => CopyPlace, options: Partial<CopyOptions>, code: string, message: string]>([
    [
      "several platforms",
      () => "app:1",
      () => inDocker(),
      { allPlatforms: true },
      "UNSUPPORTED_COPY",
      "docker load reads images of one platform only",
    ],
    ["a name with a digest", () => "app:1", () => inDocker(`app@${digestOf("x")}`), {}, "INVALID_REFERENCE", digestOf("x")],
    ["a name that is none", () => "app:1", () => inDocker("NO NAME"), {}, "INVALID_REFERENCE", "NO NAME"],
    [
      "a foreign layer",
      () => "foreign:1",
      () => inDocker(),
      {},
      "UNSUPPORTED_COPY",
      "may not be given on, and docker load needs all layers",
    ],
    ["an artifact", () => "artifact:1", () => inDocker(), {}, "NOT_AN_IMAGE", "it is an artifact of type a/b, no image"],
  ])("is not written of %s", async (_name, image, to, options, code, message) => {
    await putIndex(here, "app", "1");
    const layer = {
      mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
      digest: digestOf("elsewhere"),
      size: 9,
      urls: ["https://elsewhere.example/layer"],
    };
    here.putImage("foreign", "1", await fakeImage({ platform: machine, manifest: { layers: [layer] } }));
    here.putImage("artifact", "1", await fakeImage({ manifest: { config: { mediaType: "a/b", digest: digestOf("{}"), size: 2 } } }));
    const error = await failureOf(copy(at(here, image()), to(), options));
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) });
    expect(existsSync(file())).toBe(false);
  });

  it("is read by skopeo and docker load, and so is what they write by us", needs("skopeo", "dockerDaemon"), async () => {
    here.putImage("app", "1", own);
    await copy(at(here, "app:1"), inDocker("app:v1"));
    await using daemon = await startDockerDaemon(temporaryDirectory("dockerd"));
    await daemon.docker("load", "-i", file());
    expect((await daemon.docker("inspect", "--format", "{{.Id}}", "app:v1")).trim()).toBe(digestOf(own.config));
    await daemon.docker("save", "-o", file(), "app:v1");
    await copy(inDocker("app:v1"), inStore("saved"));
    execFileSync("skopeo", ["--insecure-policy", "copy", "-q", inDockerText("app:v1"), `docker-archive:${directory}/theirs.tar:app:v2`]);
    await copy({ kind: "docker-archive", file: join(directory, "theirs.tar"), name: "app:v2" }, inStore("theirs"));
    for (const name of ["saved", "theirs"]) {
      expect((await store.images.open(name)).config.rootfs.diff_ids).toEqual(JSON.parse(own.config.toString()).rootfs.diff_ids);
    }
  });

  const inDockerText = (name: string) => `docker-archive:${file()}:${name}`;
});

describe("skopeo", needs("skopeo"), () => {
  it("reads the layouts and archives that are written, and we read its own", async () => {
    here.putImage("app", "1", own);
    await copy(at(here, "app:1"), inLayout("v1"));
    await copy(at(here, "app:1"), inArchive("v1"));
    for (const place of [`oci:${directory}/layout:v1`, `oci-archive:${directory}/image.tar:v1`]) {
      expect(digestOf(execFileSync("skopeo", ["inspect", "--raw", place]))).toBe(own.digest);
    }
    execFileSync("skopeo", ["copy", "--all", "--preserve-digests", `oci:${directory}/layout:v1`, `oci:${directory}/theirs:x`], {
      stdio: "pipe",
    });
    expect((await copy({ kind: "oci", directory: join(directory, "theirs"), name: "x" }, at(there, "app:1"))).digest).toBe(own.digest);
  });
});
