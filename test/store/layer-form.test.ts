import { describe, expect, it } from "vitest";
import { digestOf } from "../../store/digest.ts";
import { type FormChange, formChange, type LayerForm } from "../../store/layer-form.ts";
import { mediaTypes } from "../../store/oci.ts";

const diffId = digestOf("plain");
const plain = { diffId, blob: { mediaType: mediaTypes.layer, digest: diffId, size: 1 } };
const gzip = { diffId, blob: { mediaType: mediaTypes.dockerLayerGzip, digest: digestOf("gzip"), size: 1 } };
const zstd = { diffId, blob: { mediaType: mediaTypes.layerZstd, digest: digestOf("zstd"), size: 1 } };
const forced = { forceCompression: true } as const;

describe("what becomes of a layer", () => {
  it.each<[name: string, layer: Parameters<typeof formChange>[0], isOurs: boolean, form: LayerForm, change: FormChange]>([
    ["a plain one of ours is compressed", plain, true, { compression: "gzip" }, { kind: "gzip", level: undefined }],
    ["with the level", plain, true, { compression: "zstd", compressionLevel: 19 }, { kind: "zstd", level: 19 }],
    ["or stays plain", plain, true, { compression: "none" }, "none"],
    ["a plain one of a registry stays", plain, false, { compression: "gzip" }, "none"],
    ["a compressed one stays", gzip, true, { compression: "zstd" }, "none"],
    ["unless another form is forced", gzip, false, { compression: "zstd", ...forced }, { kind: "zstd", level: undefined }],
    [
      "one in the form stays though it is forced, whatever its level is",
      gzip,
      true,
      { compression: "gzip", compressionLevel: 9, ...forced },
      "none",
    ],
    [
      "a plain one of a registry is compressed by force",
      plain,
      false,
      { compression: "gzip", ...forced },
      { kind: "gzip", level: undefined },
    ],
    ["a compressed one is made plain by force", zstd, false, { compression: "none", ...forced }, "plain"],
  ])("%s", (_name, layer, isOurs, form, change) => {
    expect(formChange(layer, isOurs, form)).toEqual(change);
  });
});
