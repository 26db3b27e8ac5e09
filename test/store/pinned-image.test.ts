import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { writeLayer } from "../../store/layer/tar-write.ts";
import { openPinned } from "../../store/pinned-image.ts";
import { openStore, type Store } from "../../store/store.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { fileEntry } from "./layer/samples.ts";

async function putImage(store: Store, name: string, content: string) {
  const tempTar = await store.tempFile("test");
  const tree = await writeLayer([fileEntry("f", content)], tempTar, { sync: false, ignoreMtime: () => false });
  const { diffId, blob } = await store.layers.add(tree, { tempTar });
  const config = { os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [diffId] } } as const;
  return store.images.put({ config, layers: [blob], names: [name] });
}

function pinnedIn(root: string): string[] {
  const leases = join(root, "v1/leases");
  return readdirSync(leases).flatMap((name) =>
    readFileSync(join(leases, name), "utf8")
      .split("\n")
      .filter((line) => line !== ""),
  );
}

it("pins all that an image is made of, until the store is closed", async () => {
  const root = join(temporaryDirectory("store"), "store");
  const store = await openStore(root);
  const image = await putImage(store, "a", "1");
  const opened = await openPinned(store, "a");
  expect(opened.imageId).toBe(image.imageId);
  const [layer] = image.layers;
  expect(pinnedIn(root)).toEqual(expect.arrayContaining([image.descriptor.digest, image.imageId, layer?.diffId, layer?.blob.digest]));
  await store.close();
  expect(pinnedIn(root)).toEqual([]);
});

it("follows a name that moves while its image is being pinned", async () => {
  await using store = await openStore(join(temporaryDirectory("store"), "store"));
  await putImage(store, "a", "1");
  let next: Promise<unknown> | undefined;
  const moving: Store = {
    ...store,
    pin: async (...digests) => {
      next ??= putImage(store, "a", "2");
      await next;
      await store.pin(...digests);
    },
  };
  const opened = await openPinned(moving, "a");
  expect(opened.imageId).toBe((await store.images.open("a")).imageId);
});
