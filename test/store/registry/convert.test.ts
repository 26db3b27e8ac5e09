import { describe, expect, it } from "vitest";
import { canonicalJson } from "../../../store/canonical-json.ts";
import { digestOf } from "../../../store/digest.ts";
import { type Descriptor, mediaTypes } from "../../../store/oci.ts";
import { convertIndex, convertLayer, convertManifest, type Document } from "../../../store/registry/convert.ts";
import { convertGraph } from "../../../store/registry/convert-graph.ts";
import { graphOf } from "../../../store/registry/image-graph.ts";
import type { RemoteManifest } from "../../../store/registry/repository.ts";

const blob = (mediaType: string, text = mediaType): Descriptor => ({ mediaType, digest: digestOf(text), size: text.length });
const documentOf = (value: { readonly mediaType: string; readonly [key: string]: unknown }): Document => ({
  mediaType: value.mediaType,
  bytes: canonicalJson({ schemaVersion: 2, ...value }),
});
const parsed = ({ bytes }: { readonly bytes: Buffer }) => JSON.parse(bytes.toString());

const config = blob("application/vnd.oci.image.config.v1+json", "config");
const manifest = (more: object = {}) =>
  documentOf({ mediaType: mediaTypes.manifest, config, layers: [blob(mediaTypes.layerGzip)], ...more });
const platform = { os: "linux", architecture: "amd64" };

const types: readonly (readonly [oci: string, docker: string])[] = [
  ["application/vnd.oci.image.layer.v1.tar", "application/vnd.docker.image.rootfs.diff.tar"],
  ["application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.docker.image.rootfs.diff.tar.gzip"],
  ["application/vnd.oci.image.layer.nondistributable.v1.tar", "application/vnd.docker.image.rootfs.foreign.diff.tar"],
  ["application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"],
];

describe("a layer's type", () => {
  it.each(types)("%s is %s", (oci, docker) => {
    expect(convertLayer(blob(oci, "layer"), "docker")).toEqual(blob(docker, "layer"));
    expect(convertLayer(blob(docker, "layer"), "oci")).toEqual(blob(oci, "layer"));
    expect(convertLayer(blob(oci, "layer"), "oci")).toEqual(blob(oci, "layer"));
    expect(convertLayer(blob(docker, "layer"), "docker")).toEqual(blob(docker, "layer"));
  });

  it("zstd can only come from Docker's form", () => {
    const docker = blob("application/vnd.docker.image.rootfs.diff.tar.zstd", "layer");
    expect(convertLayer(docker, "oci")).toEqual(blob(mediaTypes.layerZstd, "layer"));
    expect(() => convertLayer(docker, "docker")).toThrow(`layer ${docker.digest} is compressed with zstd, which the format cannot express`);
  });
});

describe("a manifest", () => {
  it("is OCI's, then Docker's, then the same again", () => {
    const oci = documentOf({ mediaType: mediaTypes.manifest, config, layers: types.map(([type]) => blob(type)) });
    const docker = convertManifest(oci, "docker");
    expect({ ...docker, bytes: parsed(docker) }).toEqual({
      mediaType: mediaTypes.dockerManifest,
      notes: [],
      bytes: {
        schemaVersion: 2,
        mediaType: mediaTypes.dockerManifest,
        config: { ...config, mediaType: mediaTypes.dockerConfig },
        layers: types.map(([oci, type]) => ({ ...blob(oci), mediaType: type })),
      },
    });
    expect(convertManifest(docker, "oci")).toEqual({ ...oci, notes: [] });
  });

  it.each([["oci", manifest()] as const, ["docker", convertManifest(manifest(), "docker")] as const])(
    "that is %s's already keeps its bytes",
    (format, document) => {
      const spaced = { mediaType: document.mediaType, bytes: Buffer.from(JSON.stringify(parsed(document), null, 3)) };
      expect(convertManifest(spaced, format).bytes).toBe(spaced.bytes);
    },
  );

  it("loses its annotations in Docker's format, and says so", () => {
    const document = manifest({ annotations: { b: "2", a: "1" }, layers: [{ ...blob(mediaTypes.layerGzip), annotations: { c: "3" } }] });
    const { notes, ...docker } = convertManifest(document, "docker");
    expect(notes).toEqual([`${digestOf(document.bytes)}: Docker's format has no annotations; left out: a, b, c`]);
    expect(docker.bytes.toString()).not.toContain("annotations");
  });

  it.each<[name: string, more: object, problem: (digest: string) => string]>([
    ["a zstd layer", { layers: [blob(mediaTypes.layerZstd)] }, () => `layer ${blob(mediaTypes.layerZstd).digest} is compressed with zstd`],
    [
      "a layer that is none",
      { layers: [blob("application/vnd.in-toto+json")] },
      () => `layer ${blob("application/vnd.in-toto+json").digest} is of type application/vnd.in-toto+json`,
    ],
    ["a subject", { subject: blob(mediaTypes.manifest) }, (digest) => `${digest} refers to another manifest (subject)`],
    ["a type of artifact", { artifactType: "a/b" }, (digest) => `${digest} is an artifact of type a/b`],
    [
      "another config",
      { config: blob("application/vnd.cncf.helm.config.v1+json") },
      (digest) => `${digest} is an artifact of type application/vnd.cncf.helm.config.v1+json`,
    ],
  ])("with %s is none of Docker's", (_name, more, problem) => {
    const document = manifest(more);
    expect(() => convertManifest(document, "docker")).toThrow(
      expect.objectContaining({
        code: "NOT_CONVERTIBLE",
        message: `converting to Docker's format: ${problem(digestOf(document.bytes))}, which the format cannot express`,
      }),
    );
  });
});

describe("an index", () => {
  const entry = { ...blob(mediaTypes.dockerManifest), platform };
  const index = (manifests: readonly object[], more: object = {}) => documentOf({ mediaType: mediaTypes.index, manifests, ...more });

  it("is OCI's, then Docker's list, then the same again", () => {
    const oci = index([entry]);
    const docker = convertIndex(oci, "docker");
    expect(parsed(docker)).toEqual({ schemaVersion: 2, mediaType: mediaTypes.dockerManifestList, manifests: [entry] });
    expect(convertIndex(docker, "oci")).toEqual({ ...oci, notes: [] });
  });

  it("names what its manifests have become", () => {
    const became = documentOf({ mediaType: mediaTypes.dockerManifest, config });
    const docker = convertIndex(
      index([{ ...blob(mediaTypes.manifest), platform }]),
      "docker",
      new Map([[blob(mediaTypes.manifest).digest, became]]),
    );
    expect(parsed(docker).manifests).toEqual([
      { mediaType: mediaTypes.dockerManifest, digest: digestOf(became.bytes), size: became.bytes.length, platform },
    ]);
  });

  it("keeps its bytes where nothing in it changed", () => {
    const spaced = { mediaType: mediaTypes.index, bytes: Buffer.from(JSON.stringify(parsed(index([entry])), null, 3)) };
    const elsewhere = new Map([[digestOf("another image's"), manifest()]]);
    expect(convertIndex(spaced, "oci", elsewhere).bytes).toBe(spaced.bytes);
  });

  it("loses its annotations in Docker's format, and says so", () => {
    const document = index([{ ...entry, annotations: { b: "2" } }], { annotations: { a: "1" } });
    const { notes, bytes } = convertIndex(document, "docker");
    expect(notes).toEqual([`${digestOf(document.bytes)}: Docker's format has no annotations; left out: a, b`]);
    expect(bytes.toString()).not.toContain("annotations");
  });

  it.each<[name: string, document: Document, problem: string]>([
    ["an index in it", index([blob(mediaTypes.index)]), `holds another one, ${blob(mediaTypes.index).digest}`],
    [
      "a manifest of OCI's in it",
      index([{ ...blob(mediaTypes.manifest), platform }]),
      `lists ${blob(mediaTypes.manifest).digest}, which is of type ${mediaTypes.manifest}`,
    ],
    ["an entry for no platform", index([blob(mediaTypes.dockerManifest)]), `does not say what platform ${entry.digest} is for`],
  ])("with %s is no list of Docker's", (_name, document, problem) => {
    expect(() => convertIndex(document, "docker")).toThrow(
      `converting to Docker's format: index ${digestOf(document.bytes)} ${problem}, which the format cannot express`,
    );
  });
});

it("an image is converted with all its platforms", () => {
  const remote = ({ mediaType, bytes }: Document): RemoteManifest => ({
    descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length },
    bytes,
  });
  const one = remote(manifest());
  const two = remote(convertManifest(manifest({ layers: [] }), "docker"));
  const index = remote(
    documentOf({ mediaType: mediaTypes.index, manifests: [one, two].map(({ descriptor }) => ({ ...descriptor, platform })) }),
  );
  const { graph } = convertGraph(graphOf(index, [one, two, index]), "docker");
  expect(graph.documents.map(({ descriptor }) => descriptor.mediaType)).toEqual([
    mediaTypes.dockerManifest,
    mediaTypes.dockerManifest,
    mediaTypes.dockerManifestList,
  ]);
  expect(graph.documents[1]?.bytes).toBe(two.bytes);
  expect(parsed(graph.root).manifests.map(({ digest }: Descriptor) => digest)).toEqual(
    graph.documents.slice(0, 2).map(({ descriptor }) => descriptor.digest),
  );
  expect(graph.root).toBe(graph.documents[2]);
  expect(graph.blobs.map(({ mediaType }) => mediaType).sort()).toEqual([mediaTypes.dockerConfig, mediaTypes.dockerLayerGzip]);
});
