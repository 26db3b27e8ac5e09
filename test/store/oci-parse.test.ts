import { describe, expect, it } from "vitest";
import { canonicalJson } from "../../store/canonical-json.ts";
import { digestOf } from "../../store/digest.ts";
import { isLayerType, parseConfig, parseIndex, parseManifest } from "../../store/oci-parse.ts";

const digest = digestOf("x");
const descriptor = { mediaType: "m", digest, size: 1 };
const manifest = { schemaVersion: 2, mediaType: "m", config: descriptor, layers: [descriptor] };
const config = { os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [digest] } };
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));

describe("a hostile or broken document", () => {
  it.each<[name: string, read: (input: Uint8Array, where: string) => unknown, input: Buffer, message: string]>([
    ["no JSON", parseManifest, Buffer.from("{"), "reading the manifest X: it is not JSON"],
    ["no UTF-8", parseManifest, Buffer.from([0x22, 0xff, 0x22]), "reading the manifest X: it is not UTF-8"],
    ["a list", parseManifest, bytes([]), "reading the manifest X: it is no JSON object"],
    ["null", parseIndex, bytes(null), "reading the index X: it is no JSON object"],
    ["schema 1", parseManifest, bytes({ ...manifest, schemaVersion: 1 }), "reading the manifest X: schemaVersion is 1, not 2"],
    [
      "a manifest that is an index too",
      parseManifest,
      bytes({ ...manifest, manifests: [] }),
      "reading the manifest X: it is a manifest and something else at once",
    ],
    [
      "an index that is a manifest too",
      parseIndex,
      bytes({ schemaVersion: 2, manifests: [], layers: [] }),
      "reading the index X: it is a manifest and something else at once",
    ],
    [
      "a subject without a digest",
      parseManifest,
      bytes({ ...manifest, subject: { mediaType: "m", size: 1 } }),
      "reading the manifest X: subject.digest undefined is not sha256:<64 hex digits>",
    ],
    [
      "URLs that are no list",
      parseManifest,
      bytes({ ...manifest, layers: [{ ...descriptor, urls: "https://x" }] }),
      "reading the manifest X: urls is no list of strings",
    ],
    [
      "features that are no texts",
      parseIndex,
      bytes({ schemaVersion: 2, manifests: [{ ...descriptor, platform: { os: "windows", architecture: "amd64", "os.features": [1] } }] }),
      "reading the index X: os.features is no list of strings",
    ],
    ["no config", parseManifest, bytes({ ...manifest, config: null }), "reading the manifest X: config is no descriptor"],
    ["no layers", parseManifest, bytes({ ...manifest, layers: {} }), "reading the manifest X: it has no layers"],
    [
      "a digest that leaves the store",
      parseManifest,
      bytes({ ...manifest, layers: [{ ...descriptor, digest: "sha256:../../../etc/passwd" }] }),
      'reading the manifest X: layers[0].digest "sha256:../../../etc/passwd" is not sha256:<64 hex digits>',
    ],
    [
      "an upper-case digest",
      parseManifest,
      bytes({ ...manifest, config: { ...descriptor, digest: digest.toUpperCase() } }),
      `reading the manifest X: config.digest "${digest.toUpperCase()}" is not sha256:<64 hex digits>`,
    ],
    [
      "a negative size",
      parseManifest,
      bytes({ ...manifest, layers: [{ ...descriptor, size: -1 }] }),
      "reading the manifest X: layers[0].size -1 is no size",
    ],
    [
      "a size beyond numbers",
      parseManifest,
      bytes({ ...manifest, layers: [{ ...descriptor, size: 1e300 }] }),
      "reading the manifest X: layers[0].size 1e+300 is no size",
    ],
    [
      "no media type",
      parseIndex,
      bytes({ schemaVersion: 2, manifests: [{ digest, size: 1 }] }),
      "reading the index X: manifests[0].mediaType is missing",
    ],
    [
      "annotations that are no texts",
      parseIndex,
      bytes({ schemaVersion: 2, manifests: [{ ...descriptor, annotations: { a: 1 } }] }),
      "reading the index X: manifests[0].annotations is no object of strings",
    ],
    [
      "half a platform",
      parseIndex,
      bytes({ schemaVersion: 2, manifests: [{ ...descriptor, platform: { os: "linux" } }] }),
      "reading the index X: manifests[0].platform is incomplete",
    ],
    ["a config without os", parseConfig, bytes({ ...config, os: undefined }), "reading the image config X: os is missing"],
    [
      "a config without rootfs",
      parseConfig,
      bytes({ ...config, rootfs: undefined }),
      "reading the image config X: rootfs.diff_ids is missing",
    ],
    [
      "a diffId that is none",
      parseConfig,
      bytes({ ...config, rootfs: { diff_ids: ["x"] } }),
      "reading the image config X: rootfs.diff_ids[0] is no sha256 digest",
    ],
    [
      "Env that is a text",
      parseConfig,
      bytes({ ...config, config: { Env: "PATH=/" } }),
      "reading the image config X: config.Env is no list of strings",
    ],
    [
      "Cmd with a number in it",
      parseConfig,
      bytes({ ...config, config: { Cmd: ["a", 1] } }),
      "reading the image config X: config.Cmd is no list of strings",
    ],
    [
      "Labels that are no texts",
      parseConfig,
      bytes({ ...config, config: { Labels: { a: {} } } }),
      'reading the image config X: config.Labels: "a" is no string',
    ],
    [
      "history that is no list",
      parseConfig,
      bytes({ ...config, history: {} }),
      "reading the image config X: history is no list of objects",
    ],
    [
      "an attack: layers that another program reads from another key",
      parseManifest,
      bytes({ ...manifest, Layers: [] }),
      'reading the manifest X: its key "Layers" means another one to readers that pass over case',
    ],
    [
      "an attack: the same with a letter that folds to an s",
      parseManifest,
      bytes({ ...manifest, "layer\u017f": [] }),
      'reading the manifest X: its key "layer\u017f" means another one to readers that pass over case',
    ],
    [
      "an attack: an index of an unknown key in two cases",
      parseIndex,
      bytes({ schemaVersion: 2, manifests: [], odd: 1, Odd: 2 }),
      'reading the index X: its key "Odd" means another one to readers that pass over case',
    ],
    [
      "an attack: manifests in capitals alone",
      parseIndex,
      bytes({ schemaVersion: 2, manifests: [], MANIFESTS: [] }),
      'reading the index X: its key "MANIFESTS" means another one to readers that pass over case',
    ],
    [
      "an attack: a descriptor of two digests",
      parseManifest,
      bytes({ ...manifest, layers: [{ ...descriptor, Digest: digest }] }),
      'reading the manifest X: layers[0]: its key "Digest" means another one to readers that pass over case',
    ],
    [
      "an attack: a platform of two systems",
      parseIndex,
      bytes({ schemaVersion: 2, manifests: [{ ...descriptor, platform: { os: "linux", architecture: "amd64", OS: "windows" } }] }),
      'reading the index X: manifests[0].platform: its key "OS" means another one to readers that pass over case',
    ],
    [
      "an attack: a config of two root file systems",
      parseConfig,
      bytes({ ...config, RootFS: {} }),
      'reading the image config X: its key "RootFS" means another one to readers that pass over case',
    ],
    [
      "an attack: diffIds of two kinds",
      parseConfig,
      bytes({ ...config, rootfs: { diff_ids: [digest], Diff_IDs: [] } }),
      'reading the image config X: rootfs: its key "Diff_IDs" means another one to readers that pass over case',
    ],
    [
      "an attack: a user that only others see",
      parseConfig,
      bytes({ ...config, config: { user: "root" } }),
      'reading the image config X: config: its key "user" means another one to readers that pass over case',
    ],
    [
      "an attack: a history that counts other layers",
      parseConfig,
      bytes({ ...config, history: [{}, { Empty_Layer: true }] }),
      'reading the image config X: history[1]: its key "Empty_Layer" means another one to readers that pass over case',
    ],
    [
      "an attack: a layer of two sizes",
      parseManifest,
      bytes({ ...manifest, layers: [descriptor, { ...descriptor, size: 2 }] }),
      `reading the manifest X: it gives ${digest} two sizes: 1 and 2 bytes`,
    ],
    [
      "an attack: a manifest of two sizes",
      parseIndex,
      bytes({ schemaVersion: 2, manifests: [descriptor, { ...descriptor, size: 2 }] }),
      `reading the index X: it gives ${digest} two sizes: 1 and 2 bytes`,
    ],
    [
      "an attack: lists that are nested beyond the stack",
      parseManifest,
      Buffer.from(`{"schemaVersion":${"[".repeat(500_000)}${"]".repeat(500_000)}}`),
      "reading the manifest X: it is nested deeper than 200 levels",
    ],
    [
      "an attack: a digest that floods the terminal",
      parseManifest,
      bytes({ ...manifest, config: { ...descriptor, digest: "x".repeat(3_000_000) } }),
      `reading the manifest X: config.digest "${"x".repeat(79)}… is not sha256:<64 hex digits>`,
    ],
    [
      "an attack: a schema version that floods the terminal",
      parseIndex,
      bytes({ schemaVersion: Array(1000).fill("x"), manifests: [] }),
      "reading the index X: schemaVersion is a list, not 2",
    ],
    [
      "an attack: a media type that floods the terminal",
      parseIndex,
      bytes({ schemaVersion: 2, manifests: [{ ...descriptor, mediaType: "m".repeat(3_000_000) }] }),
      `reading the index X: manifests[0].mediaType "${"m".repeat(79)}… is longer than 255 characters`,
    ],
  ])("is refused: %s", (_, read, input, message) => {
    expect(() => read(input, "X")).toThrow(expect.objectContaining({ code: "INVALID_DOCUMENT", message }));
  });
});

it("keeps what it does not know, and reads null as absent", () => {
  expect(parseManifest(bytes({ ...manifest, subject: descriptor }), "X")).toEqual({ ...manifest, subject: descriptor });
  const read = parseConfig(bytes({ ...config, "os.version": "10", history: null, config: { Cmd: null, User: "u", Odd: [1] } }), "X");
  expect(read).toEqual({ ...config, "os.version": "10", config: { User: "u", Odd: [1] } });
});

it("takes labels, annotations and unknown keys that hold brackets or differ in case", () => {
  const labels = { version: '[{"\\'.repeat(300), Version: "2" };
  expect(parseConfig(bytes({ ...config, config: { Labels: labels } }), "X").config?.Labels).toEqual(labels);
  const annotations = { a: "1", A: "2" };
  expect(parseManifest(bytes({ ...manifest, annotations }), "X").annotations).toEqual(annotations);
});

it("writes the same JSON whatever the order of keys", () => {
  expect(canonicalJson({ b: 1, a: { d: [{ z: 1, y: undefined }], c: null } }).toString()).toBe('{"a":{"c":null,"d":[{"z":1}]},"b":1}');
  expect(canonicalJson(JSON.parse('{"__proto__":{"b":1,"a":2}}')).toString()).toBe('{"__proto__":{"a":2,"b":1}}');
});

describe("a layer's type", () => {
  it.each([
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    "application/x-tar",
  ])("may be %s", (type) => {
    expect(isLayerType(type)).toBe(true);
  });

  it.each([
    "application/vnd.in-toto+json",
    "application/vnd.oci.image.layer.v1.tar+gzip+encrypted",
    "application/vnd.cncf.helm.chart.content.v1.tar+gzip;x",
    "application/octet-stream",
    "application/vnd.oci.empty.v1+json",
    "",
  ])("may not be %s", (type) => {
    expect(isLayerType(type)).toBe(false);
  });
});
