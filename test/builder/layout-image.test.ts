import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { layoutName } from "../../builder/context/layout-name.ts";
import { imageFinder } from "../../builder/find-image.ts";
import { findInLayout } from "../../builder/layout-image.ts";
import { saveImages } from "../../store/archive/save.ts";
import { type Digest, digestOf, hexOf } from "../../store/digest.ts";
import type { Image } from "../../store/images.ts";
import { openStore, type Store } from "../../store/store.ts";
import { putImage } from "../store/sample-image.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let store: Store;
let layout: string;
let image: Image;
const amd64 = { os: "linux", architecture: "amd64" };
beforeEach(async () => {
  const directory = temporaryDirectory("layout-image");
  store = await openStore(join(directory, "store"));
  layout = join(directory, "layout");
  await using other = await openStore(join(directory, "other"));
  image = await putImage(other, ["app:v1"], [{ a: "1" }, { b: "2" }], { ...amd64, config: { Env: ["A=1"] } });
  await saveImages(other, [{ image, names: ["app:v1"] }], { directory: layout });
  return () => store.close();
});

const blob = (digest: Digest) => join(layout, "blobs/sha256", hexOf(digest));
const names = () => ({
  tag: layoutName(layout, "app:v1"),
  only: layoutName(layout, undefined),
  digest: layoutName(layout, `@${image.descriptor.digest}`),
});

describe("an image of an image layout", () => {
  it.each(["tag", "only", "digest"] as const)("is found by its %s, and comes into the store unnamed", async (by) => {
    const found = await findInLayout(store, names()[by], amd64);
    expect(found.config.config?.Env).toEqual(["A=1"]);
    expect(found.descriptor.digest).toBe(image.descriptor.digest);
    expect(found.layers.map(({ diffId }) => diffId)).toEqual(image.layers.map(({ diffId }) => diffId));
    for (const { diffId } of found.layers) expect((await store.layers.tree(diffId)).entries).toHaveLength(1);
    expect(await store.images.list()).toEqual([]);
  });

  it("is taken whatever it is for where it is the only one", async () => {
    const found = await findInLayout(store, names().tag, { os: "linux", architecture: "riscv64" });
    expect(found.config.architecture).toBe("amd64");
  });

  it("is the platform's, of an index", async () => {
    const other = { ...image.descriptor, platform: { os: "linux", architecture: "arm64" } };
    const index = indexOf([{ ...image.descriptor, platform: amd64 }]);
    writeFileSync(blob(digestOf(index)), index);
    const name = layoutName(layout, `@${digestOf(index)}`);
    expect((await findInLayout(store, name, amd64)).descriptor.digest).toBe(image.descriptor.digest);
    await expect(findInLayout(store, name, other.platform)).rejects.toMatchObject({
      code: "PLATFORM_NOT_FOUND",
      message: `reading ${layout}: it has linux/amd64, not linux/arm64`,
    });
  });

  it("is latest where no name is given and there are several", async () => {
    const list = JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
    const [entry] = list.manifests;
    const second = { ...entry, digest: digestOf("gone"), annotations: { "org.opencontainers.image.ref.name": "other" } };
    writeFileSync(join(layout, "index.json"), JSON.stringify({ ...list, manifests: [entry, second] }));
    await expect(findInLayout(store, names().only, amd64)).rejects.toMatchObject({ code: "AMBIGUOUS_IMAGE" });
    const latest = { ...entry, annotations: { "org.opencontainers.image.ref.name": "latest" } };
    writeFileSync(join(layout, "index.json"), JSON.stringify({ ...list, manifests: [second, latest] }));
    expect((await findInLayout(store, names().only, amd64)).descriptor.digest).toBe(image.descriptor.digest);
  });

  it.each<[what: string, change: () => void, name: () => string, error: object]>([
    [
      "no such tag",
      () => {},
      () => layoutName(layout, "v9"),
      { code: "NOT_FOUND", message: expect.stringContaining('it has no image "v9"') },
    ],
    [
      "no such digest",
      () => {},
      () => layoutName(layout, `@${digestOf("x")}`),
      { code: "NOT_FOUND", message: expect.stringContaining(`blob ${digestOf("x")} is not in it`) },
    ],
    [
      "no layout",
      () => rmSync(join(layout, "oci-layout")),
      () => names().tag,
      { code: "NOT_FOUND", message: expect.stringContaining("it is missing, so this is no OCI image layout") },
    ],
    [
      "a layer with other bytes",
      () => writeFileSync(blob(image.manifest.layers[0]?.digest as Digest), Buffer.alloc(image.manifest.layers[0]?.size ?? 0)),
      () => names().tag,
      { code: "INTEGRITY" },
    ],
    [
      "a manifest with other bytes",
      () => writeFileSync(blob(image.descriptor.digest), Buffer.alloc(image.descriptor.size)),
      () => names().tag,
      { code: "INTEGRITY" },
    ],
    ["a layer that is gone", () => rmSync(blob(image.manifest.layers[1]?.digest as Digest)), () => names().tag, { code: "NOT_FOUND" }],
  ])("is refused: %s", async (_what, change, name, error) => {
    change();
    await expect(findInLayout(store, name(), amd64)).rejects.toMatchObject(error);
    expect(await store.images.list()).toEqual([]);
  });
});

describe("the image finder", () => {
  const finder = (layouts?: ReadonlySet<string>) =>
    imageFinder(store, {
      pull: "never",
      take: "lazily",
      registry: () => Promise.reject(new Error("no registry is asked")),
      onEvent: () => {},
      onNote: () => {},
      signal: new AbortController().signal,
      ...(layouts === undefined ? {} : { layouts }),
    });

  it("reads a layout that was handed in", async () => {
    const { tag } = names();
    expect((await finder(new Set([tag])).find(tag)).descriptor.digest).toBe(image.descriptor.digest);
  });

  it("reads no directory that only the Dockerfile names", async () => {
    await expect(finder().find(names().tag)).rejects.toMatchObject({ code: "INVALID_REFERENCE" });
    await expect(finder(new Set([names().only])).find(names().tag)).rejects.toMatchObject({ code: "INVALID_REFERENCE" });
  });
});

function indexOf(manifests: readonly object[]): Buffer {
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests }));
}
