import { describe, expect, it } from "vitest";
import { mediaTypes } from "../../../store/oci.ts";
import { manifestTypeOf } from "../../../store/registry/manifest-type.ts";

const digest = `sha256:${"a".repeat(64)}`;
const config = (mediaType: string) => ({ mediaType, digest, size: 2 });
const manifest = { schemaVersion: 2, config: config(mediaTypes.config), layers: [] };
const dockerManifest = { schemaVersion: 2, config: config(mediaTypes.dockerConfig), layers: [] };
const index = { schemaVersion: 2, manifests: [] };

function typeOf(json: unknown, contentType?: string): string {
  return manifestTypeOf(Buffer.from(JSON.stringify(json)), contentType, "pulling manifest app");
}

describe("the type of a manifest", () => {
  it.each<[name: string, json: object, contentType: string | undefined, expected: string]>([
    ["its own field", { ...manifest, mediaType: mediaTypes.manifest }, undefined, mediaTypes.manifest],
    ["its own field before a wrong header", { ...index, mediaType: mediaTypes.index }, mediaTypes.manifest, mediaTypes.index],
    [
      "its own field before text/plain",
      { ...dockerManifest, mediaType: mediaTypes.dockerManifest },
      "text/plain",
      mediaTypes.dockerManifest,
    ],
    ["the header with a parameter", manifest, `${mediaTypes.manifest}; charset=utf-8`, mediaTypes.manifest],
    ["the header in capitals", index, mediaTypes.dockerManifestList.toUpperCase(), mediaTypes.dockerManifestList],
    ["the shape of an index", index, undefined, mediaTypes.index],
    ["the shape of a manifest whose header says index", manifest, mediaTypes.index, mediaTypes.manifest],
    ["the shape of Docker's manifest", dockerManifest, "application/json", mediaTypes.dockerManifest],
  ])("is %s", (_name, json, contentType, expected) => {
    expect(typeOf(json, contentType)).toBe(expected);
  });

  it.each<[name: string, json: unknown, contentType: string | undefined, code: string, message: string]>([
    [
      "schema 1",
      { schemaVersion: 1, fsLayers: [] },
      undefined,
      "UNSUPPORTED_MANIFEST",
      "pulling manifest app: it has image manifest schema 1, which is no longer read",
    ],
    [
      "schema 1 by header",
      { name: "x" },
      "application/vnd.docker.distribution.manifest.v1+prettyjws",
      "UNSUPPORTED_MANIFEST",
      "pulling manifest app: it has image manifest schema 1, which is no longer read",
    ],
    [
      "another kind of document",
      { schemaVersion: 2, mediaType: "application/vnd.oci.artifact.manifest.v1+json" },
      undefined,
      "UNSUPPORTED_MANIFEST",
      'pulling manifest app: the media type "application/vnd.oci.artifact.manifest.v1+json" is not one of images',
    ],
    [
      "an index that is a manifest too (CVE-2021-41190)",
      { ...manifest, ...index },
      mediaTypes.index,
      "INVALID_DOCUMENT",
      "pulling manifest app: it is an index and a manifest at once",
    ],
    [
      "a manifest by name, an index by shape",
      { ...index, mediaType: mediaTypes.manifest },
      undefined,
      "INVALID_DOCUMENT",
      "reading the manifest pulling manifest app: it is a manifest and something else at once",
    ],
    ["a text", "hello", undefined, "INVALID_DOCUMENT", "pulling manifest app: the answer is no JSON object"],
    [
      "nothing in particular",
      {},
      undefined,
      "INVALID_DOCUMENT",
      "reading the manifest pulling manifest app: schemaVersion is undefined, not 2",
    ],
  ])("is not found in %s", (_name, json, contentType, code, message) => {
    expect(() => typeOf(json, contentType)).toThrow(expect.objectContaining({ code, message }));
  });

  it("is not found in a web page", () => {
    expect(() => manifestTypeOf(Buffer.from("<!doctype html>"), "text/html", "pulling manifest app")).toThrow(
      expect.objectContaining({
        code: "INVALID_DOCUMENT",
        message: "pulling manifest app: the answer is no JSON",
        hint: "is it a registry that answers there?",
      }),
    );
  });
});
