import { beforeEach, describe, expect, it, vi } from "vitest";
import { checkStore } from "../../store/check/check-store.ts";
import { repairStore } from "../../store/check/repair-store.ts";
import type { Image } from "../../store/images.ts";
import { updateStoreIndex } from "../../store/layout.ts";
import { type Descriptor, mediaTypes } from "../../store/oci.ts";
import { openStore, type Store } from "../../store/store.ts";
import { verifyStore } from "../../store/verify.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { putImage } from "./sample-image.ts";

let store: Store;
let image: Image;
beforeEach(async () => {
  store = await openStore(temporaryDirectory("verify"));
  image = await putImage(store, ["app"], [{ a: "1" }]);
  return () => store.close();
});

/** An index that lists these, under no name yet. */
async function indexOf(manifests: readonly Descriptor[]): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }));
  return store.blobs.putBytes(mediaTypes.index, bytes);
}

const times = (descriptor: Descriptor) => Array.from({ length: 40 }, () => descriptor);

/** 40³ ways to one manifest. */
async function nestedIndex(): Promise<Descriptor> {
  let listed = image.descriptor;
  for (let level = 0; level < 3; level++) listed = await indexOf(times(listed));
  return listed;
}

async function list(entry: Descriptor): Promise<void> {
  await updateStoreIndex(
    store.root,
    () => store.tempFile("index"),
    (known) => [...known, entry],
  );
}

/** Documents and layers that are read while this runs. */
async function reads(work: () => Promise<unknown>): Promise<{ readonly documents: number; readonly layers: number }> {
  const documents = vi.spyOn(store.blobs, "readBytes");
  const layers = vi.spyOn(store.blobs, "open");
  try {
    await work();
    return { documents: documents.mock.calls.length, layers: layers.mock.calls.length };
  } finally {
    documents.mockRestore();
    layers.mockRestore();
  }
}

describe("an index that lists the same over and over", () => {
  it("has each document and layer read once", async () => {
    await list(await nestedIndex());
    const found = await reads(async () => expect(await verifyStore(store)).toEqual([]));
    // Three indexes, a manifest and its config.
    expect(found).toEqual({ documents: 5, layers: 1 });
  });

  it("ends the check and the repair", async () => {
    await list(await nestedIndex());
    const problems = await checkStore(store);
    expect(problems).toEqual([]);
    const { layers } = await reads(() => repairStore(store, problems));
    expect(layers).toBe(1);
  });

  it("is left at the signal", async () => {
    await list(await indexOf(Array.from({ length: 40 }, (_, size) => ({ ...image.descriptor, size }))));
    const problems = await checkStore(store);
    const abort = new AbortController();
    const has = vi.spyOn(store.blobs, "has").mockImplementation(async () => {
      // As a signal of the system does: between two turns of the event loop.
      setImmediate(() => abort.abort(new Error("stopped")));
      return false;
    });
    await expect(repairStore(store, problems, { signal: abort.signal })).rejects.toThrow("stopped");
    expect(has.mock.calls.length).toBeLessThan(5);
  });
});

it("reads one blob once, however many layers it is said to be", async () => {
  const blob = image.layers[0]?.blob as Descriptor;
  const diffIds = Array.from({ length: 20 }, (_, i) => `sha256:${String(i).padStart(64, "0")}`);
  const config = Buffer.from(JSON.stringify({ os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: diffIds } }));
  const configBlob = await store.blobs.putBytes(mediaTypes.config, config);
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.manifest, config: configBlob, layers: diffIds.map(() => blob) };
  await list(await store.blobs.putBytes(mediaTypes.manifest, Buffer.from(JSON.stringify(manifest))));
  let problems = 0;
  const { layers } = await reads(async () => {
    problems = (await verifyStore(store)).length;
  });
  expect({ problems, layers }).toEqual({ problems: 20, layers: 1 });
});

it("says of an index beyond all bounds that it was not checked, and leaves it", async () => {
  let listed = image.descriptor;
  for (let level = 0; level < 5; level++) listed = await indexOf([listed]);
  await list(listed);
  const problems = await checkStore(store);
  expect(problems).toMatchObject([
    { kind: "image", problem: `reading the index ${listed.digest}: more than 3 levels of indexes`, remedy: { do: "nothing" } },
  ]);
  expect(await repairStore(store, problems)).toEqual([]);
});
