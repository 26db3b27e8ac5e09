import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { digestOf } from "../../store/digest.ts";
import { openStore } from "../../store/index.ts";
import { updateStoreIndex } from "../../store/layout.ts";
import type { Descriptor } from "../../store/oci.ts";
import { storePaths } from "../../store/store-paths.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const entry = (name: string): Descriptor => ({
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  digest: digestOf("{}"),
  size: 2,
  annotations: { "org.opencontainers.image.ref.name": name },
});

const noRoom = () =>
  Promise.reject(Object.assign(new Error("ENOSPC: no space left on device, mkdir"), { code: "ENOSPC", errno: -28, syscall: "mkdir" }));

/** A store whose list has two names. */
async function listed(): Promise<string> {
  const root = join(temporaryDirectory("spare"), "store");
  await using store = await openStore(root);
  await updateStoreIndex(
    root,
    () => store.tempFile("index"),
    () => [entry("a"), entry("b")],
  );
  return root;
}

const namesIn = (root: string) =>
  JSON.parse(readFileSync(storePaths.index(root), "utf8")).manifests.map(
    ({ annotations }: Descriptor) => annotations?.["org.opencontainers.image.ref.name"],
  );

describe("where nothing can be written, the list of images", () => {
  it("becomes shorter by the spare file, readable to others, and there is a new one", async () => {
    const root = await listed();
    expect(statSync(storePaths.spare(root))).toMatchObject({ size: 4096, mode: 0o100600 });
    await updateStoreIndex(root, noRoom, (entries) => entries.slice(1));
    expect(namesIn(root)).toEqual(["b"]);
    expect(statSync(storePaths.index(root)).mode).toBe(0o100644);
    expect(statSync(storePaths.spare(root)).size).toBe(4096);
  });

  it("becomes shorter although somebody was killed while the spare file was written", async () => {
    const root = await listed();
    writeFileSync(storePaths.spare(root), '{"schemaVersion":2,"manif');
    await updateStoreIndex(root, noRoom, () => []);
    expect(namesIn(root)).toEqual([]);
  });

  it.each<[name: string, change: (entries: readonly Descriptor[]) => readonly Descriptor[], hasSpare: boolean]>([
    ["does not become longer", (entries) => [...entries, entry("c")], true],
    ["stays as it is without a spare file", () => [], false],
  ])("%s", async (_name, change, hasSpare) => {
    const root = await listed();
    if (!hasSpare) rmSync(storePaths.spare(root));
    await expect(updateStoreIndex(root, noRoom, change)).rejects.toMatchObject({ code: "ENOSPC" });
    expect(namesIn(root)).toEqual(["a", "b"]);
  });
});
