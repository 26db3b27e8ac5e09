import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { build } from "../../builder/build.ts";
import type { BuildOptions } from "../../builder/options.ts";
import { bytesOf } from "../../runtime-addon/index.ts";
import { openRootfs } from "../../store/open-rootfs.ts";
import { openStore } from "../../store/store.ts";
import { verifyStore } from "../../store/verify.ts";
import { sparseTar } from "../support/sparse-tar.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const { tar, files } = sparseTar();

describe("sparse files of an archive", () => {
  it.each<[name: string, bytes: Buffer, squash: BuildOptions["squash"]]>([
    ["plain", tar, undefined],
    ["compressed", gzipSync(tar), undefined],
    ["in layers that are merged", tar, "all"],
  ])("are whole after ADD: %s", async (_name, bytes, squash) => {
    const directory = temporaryDirectory("add-sparse");
    const store = join(directory, "store");
    mkdirSync(join(directory, "context"));
    writeFileSync(join(directory, "context/files.tar"), bytes);
    const { imageId } = await build({
      context: join(directory, "context"),
      dockerfile: { text: "FROM scratch\nADD files.tar /to/\nADD files.tar /\n" },
      store,
      ...(squash === undefined ? {} : { squash }),
    });
    await using opened = await openStore(store);
    expect(await verifyStore(opened)).toEqual([]);
    const rootfs = await openRootfs(opened.layers, (await opened.images.open(imageId)).layers);
    for (const [name, content] of Object.entries(files)) {
      for (const path of [name, `to/${name}`]) expect((await rootfs.read(bytesOf(path), { limit: 2 ** 22 })).equals(content)).toBe(true);
    }
  });
});
