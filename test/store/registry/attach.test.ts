import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { digestOf, parseDigest } from "../../../store/digest.ts";
import { IntegrityError } from "../../../store/errors.ts";
import { mediaTypes } from "../../../store/oci.ts";
import { parseReference } from "../../../store/reference.ts";
import { type Artifact, attachArtifact, isMediaType } from "../../../store/registry/attach.ts";
import { referrersTag } from "../../../store/registry/referrers.ts";
import { openRegistry, type Registry } from "../../../store/registry/registry.ts";
import { defaultRegistrySettings } from "../../../store/registry/settings.ts";
import type { TransferEvent } from "../../../store/registry/transfer-event.ts";
import { type FakeImage, fakeImage } from "../../support/registry/fake-image.ts";
import { type FakeRegistry, startFakeRegistry } from "../../support/registry/fake-registry.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { failureOf } from "./test-repository.ts";

const artifactType = "application/spdx+json";

let fake: FakeRegistry;
let registry: Registry;
let image: FakeImage;
let directory: string;
beforeAll(async () => {
  fake = await startFakeRegistry();
  registry = openRegistry({ settings: { ...defaultRegistrySettings, attempts: 1 } });
  image = await fakeImage();
});
afterAll(async () => {
  await registry.close();
  await fake.close();
});
beforeEach(() => {
  fake.content.repositories.clear();
  fake.behaviour.referrers = true;
  fake.putImage("app", "1", image);
  fake.takeLog();
  directory = temporaryDirectory("attach");
  writeFileSync(join(directory, "app.spdx.json"), "{}\n");
});

const file = (name = "app.spdx.json") => ({ path: join(directory, name), mediaType: artifactType });
const attach = (artifact: Partial<Artifact> = {}, name = "app:1", onEvent?: (event: TransferEvent) => void) =>
  attachArtifact(registry, parseReference(`${fake.host}/${name}`), { artifactType, files: [file()], ...artifact }, { onEvent });
const referrers = () => registry.repository({ registry: fake.host, repository: "app" }).referrers(parseDigest(image.digest));
const manifest = (digest: string) => JSON.parse(String(fake.content.repository("app").manifests.get(digest)?.bytes));

describe("an artifact", () => {
  it("refers to the image, with its files by their names", async () => {
    const { digest } = await attach({ annotations: { k: "v" }, created: "2024-01-02T03:04:05Z" });
    const empty = { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf("{}"), size: 2 };
    expect(manifest(digest)).toEqual({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      artifactType,
      config: empty,
      layers: [
        {
          mediaType: artifactType,
          digest: digestOf("{}\n"),
          size: 3,
          annotations: { "org.opencontainers.image.title": "app.spdx.json" },
        },
      ],
      subject: { mediaType: image.mediaType, digest: image.digest, size: image.bytes.length },
      annotations: { "org.opencontainers.image.created": "2024-01-02T03:04:05Z", k: "v" },
    });
    expect(fake.content.holes()).toEqual([]);
    expect(await referrers()).toEqual([expect.objectContaining({ digest, artifactType })]);
  });

  it("refers to what the registry itself has under the tag, whatever a mirror has", async () => {
    await using mirror = await startFakeRegistry();
    mirror.putImage("app", "1", await fakeImage({ layers: [{ old: "1" }] }));
    const hosts = { [fake.host]: { mirrors: [mirror.host] } };
    await using mirrored = openRegistry({ settings: { ...defaultRegistrySettings, hosts } });
    const { digest } = await attachArtifact(mirrored, parseReference(`${fake.host}/app:1`), { artifactType, files: [file()] });
    expect(manifest(digest).subject.digest).toBe(image.digest);
    expect(mirror.requests).toEqual([]);
  });

  it("is the same for the same files, and is there once", async () => {
    const first = await attach();
    expect(await attach()).toEqual(first);
    expect(await referrers()).toHaveLength(1);
  });

  it("may have several files, or none", async () => {
    writeFileSync(join(directory, "b"), "b");
    const several = await attach({ files: [file(), file("b")] });
    expect(manifest(several.digest).layers).toHaveLength(2);
    const none = await attach({ files: [] });
    expect(manifest(none.digest).layers).toEqual([manifest(none.digest).config]);
    expect(fake.content.holes()).toEqual([]);
  });

  it("is attached to what has a digest", async () => {
    const { digest } = await attach({}, `app@${image.digest}`);
    expect(manifest(digest).subject.digest).toBe(image.digest);
  });
});

describe("a registry without the referrers API", () => {
  beforeEach(() => {
    fake.behaviour.referrers = false;
  });
  const tag = () => fake.content.repository("app").tags.get(referrersTag(parseDigest(image.digest)));

  it("has the list under the subject's tag, and others stay in it", async () => {
    const first = await attach({ annotations: { n: "1" } });
    const second = await attach({ artifactType: "application/jose+json" });
    expect(manifest(tag() ?? "")).toEqual({
      schemaVersion: 2,
      mediaType: mediaTypes.index,
      manifests: [
        { ...first, artifactType, annotations: { n: "1" } },
        { ...second, artifactType: "application/jose+json" },
      ],
    });
    expect((await referrers()).map(({ digest }) => digest)).toEqual([first.digest, second.digest]);
  });

  it("keeps all that is in the list, also where an API is there that knows of nothing", async () => {
    await using forgetful = await startFakeRegistry({
      referrers: false,
      intercept: ({ path }, _request, response) => {
        if (!path.includes("/referrers/")) return false;
        response.writeHead(200, { "content-type": mediaTypes.index });
        response.end(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests: [] }));
        return true;
      },
    });
    const other = await fakeImage({ layers: [{ other: "" }] });
    forgetful.putImage("app", "1", image);
    forgetful.putImage("app", "2", other);
    const entry = { mediaType: other.mediaType, digest: other.digest, size: other.bytes.length };
    const bytes = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests: [entry], annotations: { a: "b" } }),
    );
    const { manifests, tags } = forgetful.content.repository("app");
    manifests.set(digestOf(bytes), { mediaType: mediaTypes.index, bytes });
    const listed = referrersTag(parseDigest(image.digest));
    tags.set(listed, digestOf(bytes));
    const added = await attachArtifact(registry, parseReference(`${forgetful.host}/app:1`), { artifactType, files: [file()] });
    expect(JSON.parse(String(manifests.get(tags.get(listed) ?? "")?.bytes))).toMatchObject({
      manifests: [entry, { digest: added.digest }],
      annotations: { a: "b" },
    });
  });

  it("is not written to when nothing changes", async () => {
    await attach();
    const before = tag();
    fake.takeLog();
    await attach();
    expect(tag()).toBe(before);
    expect(fake.takeLog().filter((line) => line.startsWith("PUT") && line.includes("/sha256-"))).toEqual([]);
  });
});

describe("what cannot be attached", () => {
  it.each<[name: string, artifact: () => Partial<Artifact>, code: string, message: () => string]>([
    [
      "a file that is not there",
      () => ({ files: [file("none")] }),
      "NOT_FOUND",
      () => `attaching ${directory}/none: there is no such file`,
    ],
    ["a directory", () => ({ files: [file("sub")] }), "NOT_A_FILE", () => `attaching ${directory}/sub: it is no regular file`],
    [
      "a FIFO that nobody writes to",
      () => ({ files: [file("fifo")] }),
      "NOT_A_FILE",
      () => `attaching ${directory}/fifo: it is no regular file`,
    ],
    [
      "a type that is none",
      () => ({ artifactType: "spdx" }),
      "INVALID_MEDIA_TYPE",
      () => `attaching to ${fake.host}/app:1: "spdx" is no media type`,
    ],
  ])("%s", async (_name, artifact, code, message) => {
    mkdirSync(join(directory, "sub"));
    execFileSync("mkfifo", [join(directory, "fifo")]);
    expect(await failureOf(attach(artifact()))).toMatchObject({ code, message: message() });
    expect(fake.takeLog()).toEqual([]);
  });

  it("to an image that is not there", async () => {
    expect(await failureOf(attach({}, "app:none"))).toMatchObject({
      code: "REGISTRY_NOT_FOUND",
      message: `attaching to ${fake.host}/app:none: the registry has no such image`,
    });
    expect(fake.content.repository("app").blobs.has(digestOf("{}\n"))).toBe(false);
  });

  it("a file that changes meanwhile", async () => {
    const change = ({ what, state }: TransferEvent) => what === "layer" && state === "start" && writeFileSync(file().path, "[]\n");
    expect(await failureOf(attach({}, "app:1", change))).toBeInstanceOf(IntegrityError);
    expect(await referrers()).toEqual([]);
    expect(fake.content.uploads.size).toBe(0);
  });
});

it.each<[text: string, is: boolean]>([
  ["application/spdx+json", true],
  ["application/vnd.example.sbom.v1+json", true],
  ["a/b", true],
  ["spdx", false],
  ["application/", false],
  ["/json", false],
  ["application/a b", false],
  ["application/a/b", false],
  ["application/a;q=1", false],
])("%s: a media type? %s", (text, is) => {
  expect(isMediaType(text)).toBe(is);
});
