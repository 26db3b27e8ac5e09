import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { directoryBlobs } from "../../store/blobs.ts";
import { allOf, chunked, describeBlobStore, descriptorOf } from "../conformance/blob-store.suite.ts";
import { temporaryDirectory } from "../support/temporary.ts";

function make(directory: string) {
  const blobs = join(directory, "blobs");
  const tmp = join(directory, "tmp");
  mkdirSync(blobs);
  mkdirSync(tmp);
  let count = 0;
  const tempPath = () => join(tmp, String(++count));
  const store = directoryBlobs(blobs, async () => tempPath());
  return {
    store,
    tempPath,
    corrupt: (digest: Parameters<typeof store.path>[0], bytes: Uint8Array) => writeFileSync(store.path(digest), bytes),
    leftovers: () => [...readdirSync(blobs), ...readdirSync(tmp)],
  };
}

describeBlobStore("a directory", make);

it("lets other users' tools read blobs whatever the umask", async () => {
  const before = process.umask(0o077);
  try {
    const { store } = make(temporaryDirectory("blobs"));
    const bytes = Buffer.from("x");
    await store.put(descriptorOf(bytes), chunked(bytes));
    expect(statSync(store.path(descriptorOf(bytes).digest)).mode & 0o777).toBe(0o644);
    expect(await allOf(store.open(descriptorOf(bytes)))).toEqual(bytes);
  } finally {
    process.umask(before);
  }
});

it("lists blobs only, not what else lies in the directory", async () => {
  const directory = temporaryDirectory("blobs");
  const { store } = make(directory);
  writeFileSync(join(directory, "blobs", "README"), "not a blob");
  writeFileSync(join(directory, "blobs", "A".repeat(64)), "upper case is no digest");
  const found = [];
  for await (const blob of store.list()) found.push(blob);
  expect(found).toEqual([]);
});

it("puts a finished file and small bytes in the place of a damaged blob of the same size", async () => {
  const directory = temporaryDirectory("blobs");
  const { store } = make(directory);
  const bytes = Buffer.from("content");
  const target = await store.putBytes("text/plain", bytes);
  const damage = () => writeFileSync(store.path(target.digest), "CONTENT");
  damage();
  await store.putBytes("text/plain", bytes);
  expect(await allOf(store.open(target))).toEqual(bytes);
  damage();
  const file = join(directory, "finished");
  writeFileSync(file, bytes);
  await store.adopt(file, target);
  expect(await allOf(store.open(target))).toEqual(bytes);
});
