import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { archiveTime } from "../../../builder/context/archive-time.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { tarOf } from "./tars.ts";

const archive = tarOf([
  { name: "d/", mtime: 90 },
  { name: "a", mtime: 20, content: "a" },
  { name: ".wh.b", mtime: 30 },
  { name: "l", type: "2", link: "a", mtime: 80 },
]);

describe("the time of an archive", () => {
  it.each<[name: string, bytes: Uint8Array, time: number | undefined]>([
    ["of a tar is its newest file's", archive, 30],
    ["of a compressed tar is the same", gzipSync(archive), 30],
    ["of a tar without files is none", tarOf([{ name: "d/" }]), undefined],
    ["of no tar is none", Buffer.from("text"), undefined],
    ["of nothing is none", Buffer.alloc(0), undefined],
    ["of a tar that breaks off is none", archive.subarray(0, 1100), undefined],
    ["of a compressed file that breaks off is none", gzipSync(archive).subarray(0, 60), undefined],
  ])("%s", async (_name, bytes, time) => {
    const path = join(temporaryDirectory("archive"), "archive");
    writeFileSync(path, bytes);
    expect(await archiveTime(path)).toBe(time);
  });

  it("is not looked for when the build has ended", async () => {
    const path = join(temporaryDirectory("archive"), "archive");
    writeFileSync(path, archive);
    const reason = new Error("enough");
    await expect(archiveTime(path, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});
