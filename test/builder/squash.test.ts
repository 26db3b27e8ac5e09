import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { build } from "../../builder/build.ts";
import type { BuildOptions } from "../../builder/options.ts";
import { collectGarbage } from "../../store/gc/collect.ts";
import type { Image } from "../../store/images.ts";
import { openRootfs } from "../../store/open-rootfs.ts";
import { openStore, type Store } from "../../store/store.ts";
import { verifyStore } from "../../store/verify.ts";
import { putImage } from "../store/sample-image.ts";
import { contextDirectory } from "../support/context.ts";
import { fakeImage } from "../support/registry/fake-image.ts";
import { startFakeRegistry } from "../support/registry/fake-registry.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let store: string;
beforeEach(async () => {
  store = join(temporaryDirectory("squash"), "store");
  await using opened = await openStore(store);
  await putBase(opened);
});

async function putBase(into: Store): Promise<void> {
  const history = [{ created_by: "one" }, { created_by: "env", empty_layer: true }, { created_by: "two" }];
  await putImage(into, ["base"], [{ "etc/": "", "etc/a": "base", kept: "1" }, { two: "2" }], { history });
}

const dockerfile = `FROM base AS first
COPY a /etc/a
ENV A=1
FROM first
COPY b /etc/b
COPY c /etc/b
LABEL l=1
`;

// One for all, with its times.
const context = contextDirectory({ a: "from the context", b: "2", c: "3" });

async function squashed(how: BuildOptions["squash"], text = dockerfile): Promise<{ image: Image; cachedSteps: number; files: string[] }> {
  const { imageId, cachedSteps } = await build({ context, dockerfile: { text }, store, ...(how === undefined ? {} : { squash: how }) });
  await using opened = await openStore(store);
  expect(await verifyStore(opened)).toEqual([]);
  const image = await opened.images.open(imageId);
  const rootfs = await openRootfs(opened.layers, image.layers);
  const files = [...rootfs.walk("" as never)].map((entry) =>
    entry.kind === "file" ? `${entry.path} ${rootfs.digest(entry)} ${entry.mtime}` : `${entry.path} ${entry.kind} ${entry.mtime}`,
  );
  return { image, cachedSteps, files };
}

const rowsOf = ({ config: { history = [] } }: Image) =>
  history.map(({ created_by, comment, empty_layer }) => `${empty_layer === true ? "-" : "L"} ${created_by ?? comment}`);

describe("squashing", () => {
  it("makes one layer of those of the build, over the base's", async () => {
    const whole = await squashed(undefined);
    const { image, files, cachedSteps } = await squashed("build");
    expect(cachedSteps).toBe(3);
    expect(files).toEqual(whole.files);
    expect(image.layers.slice(0, 2).map(({ diffId }) => diffId)).toEqual(whole.image.layers.slice(0, 2).map(({ diffId }) => diffId));
    expect([whole.image.layers.length, image.layers.length]).toEqual([5, 3]);
    expect(image.config.rootfs.diff_ids).toEqual(image.layers.map(({ diffId }) => diffId));
    expect(rowsOf(image)).toEqual([
      "L one",
      "- env",
      "L two",
      "- COPY a /etc/a # buildkit",
      "- ENV A=1",
      "- COPY b /etc/b # buildkit",
      "- COPY c /etc/b # buildkit",
      "- LABEL l=1",
      "L 3 layers merged into one",
    ]);
    expect(image.config.config).toEqual(whole.image.config.config);
    expect(image.config.created).toBe(whole.image.config.created);
  });

  it("makes one layer of all, in which nothing is that was replaced", async () => {
    const whole = await squashed(undefined);
    const { image, files } = await squashed("all");
    expect(files).toEqual(whole.files);
    expect(rowsOf(image).filter((row) => row.startsWith("L"))).toEqual(["L 5 layers merged into one"]);
    const [layer = expect.fail("no layer"), ...others] = image.layers;
    expect(others).toEqual([]);
    expect(readFileSync(join(store, "blobs/sha256", layer.diffId.slice(7)), "latin1")).not.toMatch(/base/);
  });

  it("comes to the same image every time, and leaves the cache alone", async () => {
    const first = await squashed("build");
    const second = await squashed("build");
    expect([second.image.imageId, second.cachedSteps]).toEqual([first.image.imageId, 3]);
    expect((await squashed(undefined)).cachedSteps).toBe(3);
  });

  it.each([
    ["build", 2],
    ["all", 1],
  ] as const)("takes what was merged before, without a look at the layers: %s", async (how, count) => {
    const whole = await squashed(undefined);
    const first = await squashed(how);
    const own = whole.image.layers.slice(count - 1).map(({ diffId }) => join(store, "v1/layers", diffId.slice(7)));
    for (const layer of own) rmSync(layer, { recursive: true });
    const { imageId } = await build({ context, dockerfile: { text: dockerfile }, store, squash: how });
    expect(imageId).toBe(first.image.imageId);
    expect(own.filter((layer) => existsSync(layer))).toEqual([]);
  });

  it("keeps what was merged as long as its record, and merges again where it is gone", async () => {
    const { image } = await squashed("build");
    const merged = image.layers.at(-1)?.diffId ?? expect.fail("no layer");
    const blob = join(store, "blobs/sha256", merged.slice(7));
    await using opened = await openStore(store);
    await opened.images.remove(image);
    await collectGarbage(opened, {});
    expect(existsSync(blob)).toBe(true);
    await collectGarbage(opened, { all: true });
    expect(existsSync(blob)).toBe(false);
    expect(await verifyStore(opened)).toEqual([]);
    await putBase(opened);
    expect((await squashed("build")).image.layers.at(-1)?.diffId).toBe(merged);
    expect(existsSync(blob)).toBe(true);
  });

  it.each(["build", "all"] as const)("leaves one layer what it is: %s", async (how) => {
    const text = how === "all" ? "FROM scratch\nCOPY a /a\n" : "FROM base\nCOPY a /a\n";
    expect((await squashed(how, text)).image.imageId).toBe((await squashed(undefined, text)).image.imageId);
  });

  it("fetches the base that it needs to see", async () => {
    await using registry = await startFakeRegistry();
    registry.putImage("base", "1", await fakeImage({ layers: [{ "etc/a": "base" }, { other: "1" }] }));
    const text = `FROM ${registry.host}/base:1\nCOPY a /etc/a\nCOPY b /b\n`;
    const whole = await squashed(undefined, text);
    store = join(temporaryDirectory("squash"), "other");
    for (const [how, count] of [
      ["build", 3],
      ["all", 1],
    ] as const) {
      const { image, files } = await squashed(how, text);
      expect([image.layers.length, files]).toEqual([count, whole.files]);
    }
  });
});
