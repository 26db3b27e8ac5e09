import { execFileSync } from "node:child_process";
import { gzipSync } from "node:zlib";
import { plainBytes } from "../../../store/compression.ts";
import { readLayer } from "../../../store/layer/tar-read.ts";
import { describeLayerCodec, type LayerCodec } from "../../conformance/layer-codec.suite.ts";
import { chunked } from "./samples.ts";

const reading = (encode: (tar: Buffer) => Buffer, chunkBytes?: number): (() => LayerCodec) => {
  return () => ({ read: async (tar) => (await readLayer(plainBytes(chunked(encode(tar), chunkBytes)))).tree });
};

/** A member for each so many bytes, some of them empty, as parallel compressors and appending tools write. */
function gzipMembersOf(tar: Buffer): Buffer {
  const members = [gzipSync("")];
  for (let at = 0; at < tar.length; at += 700) members.push(gzipSync(tar.subarray(at, at + 700)), gzipSync(""));
  return Buffer.concat(members);
}

const zstd = (tar: Buffer): Buffer => execFileSync("zstd", ["-qc"], { input: tar });

describeLayerCodec(
  "a plain tar",
  reading((tar) => tar),
);
describeLayerCodec(
  "a plain tar, byte by byte",
  reading((tar) => tar, 1),
);
describeLayerCodec("gzip", reading(gzipSync));
describeLayerCodec("gzip of many members", reading(gzipMembersOf, 100));
describeLayerCodec("zstd", reading(zstd), "zstd");
describeLayerCodec(
  "zstd of two frames with a skippable one",
  reading((tar) => Buffer.concat([zstd(tar.subarray(0, 600)), Buffer.from("502a4d1803000000616263", "hex"), zstd(tar.subarray(600))])),
  "zstd",
);
