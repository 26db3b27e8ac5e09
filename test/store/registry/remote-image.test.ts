import { beforeEach, describe, expect, it } from "vitest";
import { digestOf } from "../../../store/digest.ts";
import { type Descriptor, mediaTypes, type Platform } from "../../../store/oci.ts";
import { maxConfigBytes } from "../../../store/oci-parse.ts";
import { parseReference } from "../../../store/reference.ts";
import { currentDigest, type ResolveOptions, resolveRemote } from "../../../store/registry/remote-image.ts";
import type { TransferEvent } from "../../../store/registry/transfer-event.ts";
import { type MemoryRepository, memoryRegistry, memoryRepository, putRemote } from "./memory-repository.ts";

const amd64: Platform = { os: "linux", architecture: "amd64" };
const arm64: Platform = { os: "linux", architecture: "arm64" };

let repository: MemoryRepository;
beforeEach(() => {
  repository = memoryRepository();
});

const resolve = (text = "app", platform = amd64, options: ResolveOptions = {}) =>
  resolveRemote(memoryRegistry(repository), parseReference(text), platform, options);

/** An index of an amd64 and an arm64 image with an attestation each. */
async function putIndex(mediaType: string = mediaTypes.index, ...tags: string[]) {
  const one = await putRemote(repository, [{ f: "amd64" }], { platform: amd64 });
  const two = await putRemote(repository, [{ f: "arm64" }], { platform: arm64 });
  const attestation = {
    ...repository.putDocument(mediaTypes.manifest, { config: repository.putBlob(mediaTypes.config, Buffer.from("{}")), layers: [] }),
    platform: { os: "unknown", architecture: "unknown" },
    annotations: { "vnd.docker.reference.type": "attestation-manifest" },
  };
  const index = repository.putDocument(mediaType, { manifests: [attestation, one.descriptor, two.descriptor] }, ...tags);
  return { index, amd64: one, arm64: two };
}

describe("an image of a registry", () => {
  it("is a manifest and its config, and no layer", async () => {
    const { descriptor, layers } = await putRemote(repository, [{ a: "1" }, { b: "2" }], {
      tags: ["latest"],
      config: { history: [{ created_by: "one" }, { empty_layer: true }, { created_by: "two" }] },
    });
    const image = await resolve();
    expect(image).toMatchObject({
      reference: { registry: "docker.io", repository: "library/app", tag: "latest" },
      platform: amd64,
      listed: { descriptor: { digest: descriptor.digest } },
      indexes: [],
      descriptor: { digest: descriptor.digest },
      layers: [
        { ...layers[0], history: { created_by: "one" } },
        { ...layers[1], history: { created_by: "two" } },
      ],
    });
    expect(digestOf(image?.rawManifest ?? "")).toBe(descriptor.digest);
    expect(digestOf(image?.rawConfig ?? "")).toBe(image?.manifest.config.digest);
    expect(repository.asked).toEqual(["manifest latest", `download ${image?.manifest.config.digest}`]);
  });

  it("is undefined when the registry has no such reference", async () => {
    expect(await resolve("app:gone")).toBeUndefined();
    expect(await resolve(`app@${digestOf("gone")}`)).toBeUndefined();
  });

  it("is asked for by its digest where one is given, whatever tag stands before it", async () => {
    const { descriptor } = await putRemote(repository, [{}], { tags: ["latest"] });
    expect((await resolve(`app:other@${descriptor.digest}`))?.descriptor.digest).toBe(descriptor.digest);
    expect(repository.asked[0]).toBe(`manifest ${descriptor.digest}`);
  });

  it("is taken whatever it is for where it is named itself", async () => {
    await putRemote(repository, [{}], { tags: ["latest"], platform: arm64 });
    expect((await resolve())?.config.architecture).toBe("arm64");
  });

  it.each([
    ["an OCI index", mediaTypes.index],
    ["a Docker manifest list", mediaTypes.dockerManifestList],
  ])("is chosen by platform from %s, attestations aside", async (_, mediaType) => {
    const put = await putIndex(mediaType, "latest");
    const image = await resolve("app", arm64);
    expect(image).toMatchObject({ config: arm64, descriptor: put.arm64.descriptor, layers: put.arm64.layers });
    expect(image?.listed.descriptor).toEqual(put.index);
    expect(image?.indexes.map(({ descriptor }) => descriptor.digest)).toEqual([put.index.digest]);
  });

  it("is found in an index inside an index, and both are kept", async () => {
    const inner = await putIndex();
    const outer = repository.putDocument(mediaTypes.index, { manifests: [inner.index] }, "latest");
    const image = await resolve("app", arm64);
    expect(image?.descriptor).toEqual(inner.arm64.descriptor);
    expect(image?.indexes.map(({ descriptor }) => descriptor.digest)).toEqual([outer.digest, inner.index.digest]);
  });

  it("is asked for once, however often an index is listed", async () => {
    const inner = await putIndex();
    const outer = repository.putDocument(mediaTypes.index, { manifests: Array(10).fill(inner.index) }, "latest");
    const image = await resolve("app", arm64);
    expect(image?.indexes.map(({ descriptor }) => descriptor.digest)).toEqual([outer.digest, inner.index.digest]);
    expect(repository.asked.filter((line) => line === `manifest ${inner.index.digest}`)).toHaveLength(1);
  });

  it("is the only one of an index that does not say what it is for", async () => {
    const { descriptor } = await putRemote(repository, [{}]);
    const { platform: _, ...unnamed } = descriptor;
    repository.putDocument(mediaTypes.index, { manifests: [unnamed] }, "latest");
    expect((await resolve("app", arm64))?.descriptor.digest).toBe(descriptor.digest);
  });

  it("tells what becomes of its config", async () => {
    await putRemote(repository, [{}], { tags: ["latest"] });
    const events: TransferEvent[] = [];
    const image = await resolve("app", amd64, { onEvent: (event) => events.push(event) });
    const size = image?.rawConfig.length ?? 0;
    const about = {
      type: "transfer",
      direction: "pull",
      what: "config",
      digest: image?.manifest.config.digest,
      repository: "docker.io/library/app",
    };
    expect(events).toEqual([
      { ...about, state: "start", doneBytes: 0, sizeBytes: size },
      { ...about, state: "done", doneBytes: size, sizeBytes: size },
    ]);
  });
});

describe("what was known before", () => {
  it("is taken for one small request while the reference still means it", async () => {
    await putIndex(mediaTypes.index, "latest");
    const known = await resolve();
    repository.asked.length = 0;
    expect(await resolve("app", amd64, { known })).toBe(known);
    expect(repository.asked).toEqual(["resolve latest"]);
  });

  it("is left when the reference means something else", async () => {
    await putIndex(mediaTypes.index, "latest");
    const known = await resolve();
    const { descriptor } = await putRemote(repository, [{ f: "newer" }], { tags: ["latest"] });
    expect((await resolve("app", amd64, { known }))?.descriptor.digest).toBe(descriptor.digest);
  });

  it("needs no request where a digest names it", async () => {
    const { index } = await putIndex();
    expect(await currentDigest(repository, parseReference(`app@${index.digest}`), {})).toBe(index.digest);
    expect(repository.asked).toEqual([]);
  });
});

describe("is refused", () => {
  let listed: Descriptor | undefined;
  const nested = (levels: number): Descriptor => {
    let inner = repository.putDocument(mediaTypes.index, { manifests: [] });
    for (let i = 1; i < levels; i++) inner = repository.putDocument(mediaTypes.index, { manifests: [inner] }, "latest");
    return inner;
  };

  it.each<[name: string, put: () => Promise<unknown> | unknown, code: string, message: () => string]>([
    [
      "an index without the platform",
      () => putIndex(mediaTypes.index, "latest"),
      "PLATFORM_NOT_FOUND",
      () => "reading image docker.io/library/app:latest: it has linux/amd64, linux/arm64, not linux/s390x",
    ],
    [
      "an index of one other platform",
      async () => repository.putDocument(mediaTypes.index, { manifests: [(await putRemote(repository, [{}])).descriptor] }, "latest"),
      "PLATFORM_NOT_FOUND",
      () => "reading image docker.io/library/app:latest: it has linux/amd64, not linux/s390x",
    ],
    [
      "an empty index",
      () => repository.putDocument(mediaTypes.index, { manifests: [] }, "latest"),
      "PLATFORM_NOT_FOUND",
      () => "reading image docker.io/library/app:latest: it has no platforms, not linux/s390x",
    ],
    [
      "four levels of indexes",
      () => nested(4),
      "INVALID_DOCUMENT",
      () => `reading the index ${repository.tagged.get("latest")}: more than 3 levels of indexes`,
    ],
    [
      "an index of very many indexes",
      () => {
        const inner = Array.from({ length: 70 }, (_, i) =>
          repository.putDocument(mediaTypes.index, { manifests: [], annotations: { i: String(i) } }),
        );
        repository.putDocument(mediaTypes.index, { manifests: inner }, "latest");
      },
      "INVALID_DOCUMENT",
      () => `reading the index ${repository.tagged.get("latest")}: more than 64 indexes`,
    ],
    [
      "an attack: an index of very many entries",
      () => {
        const one = { mediaType: mediaTypes.manifest, digest: digestOf("x"), size: 1 };
        repository.putDocument(mediaTypes.index, { manifests: Array(10_001).fill(one) }, "latest");
      },
      "INVALID_DOCUMENT",
      () => `reading the index ${repository.tagged.get("latest")}: more than 10000 entries`,
    ],
    [
      "an attack: platforms that flood the terminal",
      () => {
        const manifests = Array.from({ length: 9000 }, (_, i) => ({
          mediaType: mediaTypes.manifest,
          digest: digestOf(String(i)),
          size: 1,
          platform: { os: `${i}${"x".repeat(100)}`, architecture: "a" },
        }));
        repository.putDocument(mediaTypes.index, { manifests }, "latest");
      },
      "PLATFORM_NOT_FOUND",
      () => {
        const platforms = Array.from({ length: 20 }, (_, i) => `${`${i}${"x".repeat(100)}`.slice(0, 80)}…`);
        return `reading image docker.io/library/app:latest: it has ${platforms.join(", ")} and 8980 more, not linux/s390x`;
      },
    ],
    [
      "an attack: an entry that lies about its manifest's size",
      async () => {
        const { descriptor } = await putRemote(repository, [{}], { platform: { os: "linux", architecture: "s390x" } });
        listed = descriptor;
        repository.putDocument(mediaTypes.index, { manifests: [{ ...descriptor, size: descriptor.size + 1 }] }, "latest");
      },
      "INTEGRITY",
      () =>
        `reading image docker.io/library/app:latest: manifest ${listed?.digest}: expected ${(listed?.size ?? 0) + 1} bytes, got ${listed?.size}`,
    ],
    [
      "an attack: an entry that lies about its index's size",
      () => {
        listed = repository.putDocument(mediaTypes.index, { manifests: [] });
        repository.putDocument(mediaTypes.index, { manifests: [{ ...listed, size: 1 }] }, "latest");
      },
      "INTEGRITY",
      () => `reading image docker.io/library/app:latest: manifest ${listed?.digest}: expected 1 bytes, got ${listed?.size}`,
    ],
    [
      "an artifact that says its type itself",
      () =>
        repository.putDocument(
          mediaTypes.manifest,
          {
            artifactType: "application/spdx+json",
            config: { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf("{}"), size: 2 },
            layers: [],
          },
          "latest",
        ),
      "NOT_AN_IMAGE",
      () => "reading image docker.io/library/app:latest: it is an artifact of type application/spdx+json, no image",
    ],
    [
      "an artifact",
      () => {
        const config = repository.putBlob("application/vnd.cncf.helm.config.v1+json", Buffer.from("{}"));
        repository.putDocument(mediaTypes.manifest, { config, layers: [] }, "latest");
      },
      "NOT_AN_IMAGE",
      () => "reading image docker.io/library/app:latest: it is an artifact of type application/vnd.cncf.helm.config.v1+json, no image",
    ],
    [
      "a layer that is no tar",
      () => putRemote(repository, [{}], { tags: ["latest"], layerType: "application/vnd.in-toto+json" }),
      "UNSUPPORTED_LAYER",
      () =>
        `reading image docker.io/library/app:latest: layer ${layerDigest()} is of type application/vnd.in-toto+json, which is no tar of files`,
    ],
    [
      "an encrypted layer",
      () => putRemote(repository, [{}], { tags: ["latest"], layerType: `${mediaTypes.layerGzip}+encrypted` }),
      "UNSUPPORTED_LAYER",
      () =>
        `reading image docker.io/library/app:latest: layer ${layerDigest()} is of type ${mediaTypes.layerGzip}+encrypted, which is no tar of files`,
    ],
    [
      "more layers than diffIds",
      () => putRemote(repository, [{}], { tags: ["latest"], config: { rootfs: { type: "layers", diff_ids: [] } } }),
      "INVALID_DOCUMENT",
      () => `reading the image ${repository.tagged.get("latest")}: its manifest has 1 layers, its config 0`,
    ],
    [
      "a config that fills the memory",
      () => {
        const config = { mediaType: mediaTypes.config, digest: digestOf("x"), size: maxConfigBytes + 1 };
        repository.putDocument(mediaTypes.manifest, { config, layers: [] }, "latest");
      },
      "TOO_LARGE",
      () => `reading config ${digestOf("x")}: it is longer than the 8388608 bytes allowed here`,
    ],
    [
      "a manifest that is listed but not there",
      () => {
        const gone = {
          mediaType: mediaTypes.manifest,
          digest: digestOf("gone"),
          size: 4,
          platform: { os: "linux", architecture: "s390x" },
        };
        repository.putDocument(mediaTypes.index, { manifests: [gone] }, "latest");
      },
      "REGISTRY_NOT_FOUND",
      () => `reading image docker.io/library/app:latest: its index lists ${digestOf("gone")}, which the registry does not have`,
    ],
  ])("%s", async (_, put, code, message) => {
    await put();
    await expect(resolve("app", { os: "linux", architecture: "s390x" })).rejects.toMatchObject({ code, message: message() });
  });

  function layerDigest(): string {
    const manifest = repository.manifests.get(repository.tagged.get("latest") ?? digestOf(""))?.bytes.toString() ?? "";
    return JSON.parse(manifest).layers[0].digest;
  }

  it("a config of other bytes", async () => {
    await putRemote(repository, [{}], { tags: ["latest"] });
    repository.intercept = async function* ({ size }) {
      yield Buffer.alloc(size);
    };
    await expect(resolve()).rejects.toMatchObject({ code: "INTEGRITY" });
  });
});
