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
  ])("is refused: %s", (_, read, input, message) => {
    expect(() => read(input, "X")).toThrow(expect.objectContaining({ code: "INVALID_DOCUMENT", message }));
  });
});

it("keeps what it does not know, and reads null as absent", () => {
  expect(parseManifest(bytes({ ...manifest, subject: descriptor }), "X")).toEqual({ ...manifest, subject: descriptor });
  const read = parseConfig(bytes({ ...config, "os.version": "10", history: null, config: { Cmd: null, User: "u", Odd: [1] } }), "X");
  expect(read).toEqual({ ...config, "os.version": "10", config: { User: "u", Odd: [1] } });
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
