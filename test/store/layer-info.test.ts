import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { canonicalJson } from "../../store/canonical-json.ts";
import { digestOf } from "../../store/digest.ts";
import { encodeLayerInfo, readLayerInfo, type StoredLayerInfo } from "../../store/layer-info.ts";
import { mediaTypes } from "../../store/oci.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const diffId = digestOf("layer");
const info: StoredLayerInfo = {
  diffId,
  contentId: digestOf("content"),
  blobs: [{ mediaType: mediaTypes.layer, digest: diffId, size: 5 }],
  treeSize: 7,
  contentsBytes: 9,
};

function read(bytes: Uint8Array): StoredLayerInfo | undefined {
  const path = join(temporaryDirectory("info"), "info");
  writeFileSync(path, bytes);
  return readLayerInfo(path, diffId);
}

describe("what is written down about a layer", () => {
  it("is read as it was written", () => {
    expect(read(encodeLayerInfo(info))).toEqual(info);
    expect(Object.keys(JSON.parse(encodeLayerInfo(info).toString("utf8")))).toContain("checksum");
  });

  it("is read without a checksum, too, as it was written before", () => {
    expect(read(canonicalJson(info))).toEqual(info);
  });

  it("counts as not there with any byte changed", () => {
    const bytes = encodeLayerInfo(info);
    const believed = [...bytes.keys()].filter((at) => {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      return read(damaged) !== undefined;
    });
    expect(believed).toEqual([]);
  });

  it.each([
    ["is missing", () => readLayerInfo(join(temporaryDirectory("info"), "info"), diffId)],
    ["is empty", () => read(Buffer.alloc(0))],
    ["is cut short", () => read(encodeLayerInfo(info).subarray(0, -1))],
    ["is no object", () => read(Buffer.from("null"))],
    ["is of another layer", () => read(encodeLayerInfo({ ...info, diffId: digestOf("other") }))],
    ["is continued", () => read(Buffer.concat([encodeLayerInfo(info), Buffer.from(" ")]))],
  ])("counts as not there where it %s", (_name, found) => {
    expect(found()).toBeUndefined();
  });
});
