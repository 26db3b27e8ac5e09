import { describe, expect, it } from "vitest";
import { digestOf } from "../../../store/digest.ts";
import type { TreeEntry } from "../../../store/layer/entry.ts";
import { unpackedBytes } from "../../../store/layer/layer-size.ts";
import { attributes, directoryEntry, whiteout } from "./samples.ts";

const file = (path: string, size: number, offset: number) =>
  ({ ...attributes, kind: "file", path, size, offset, digest: digestOf(path) }) as TreeEntry;

describe("what a layer takes unpacked", () => {
  it.each<[name: string, entries: readonly TreeEntry[], size: number, expected: number]>([
    ["nothing", [], 1024, 0],
    ["whole blocks", [file("a", 1, 512), file("b", 4096, 1536), file("c", 4097, 6144)], 12_288, 4096 + 4096 + 8192],
    [
      "a block a directory, and none for what has no content",
      [directoryEntry("d"), whiteout("e") as TreeEntry, file("f", 0, 512)],
      2048,
      4096,
    ],
    ["of sparse files what the tar has of them", [file("a", 4096, 512), file("sparse", 2 ** 40, 20_480)], 20_480, 4096 + (20_480 - 4096)],
  ])("is %s", (_name, entries, size, expected) => {
    expect(unpackedBytes({ size, entries })).toBe(expected);
  });
});
