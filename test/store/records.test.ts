import { existsSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, it } from "vitest";
import { readRecord, writeRecord } from "../../store/records.ts";
import { openStore, type Store } from "../../store/store.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let store: Store;
beforeEach(async () => {
  store = await openStore(join(temporaryDirectory("records"), "store"));
  return () => store.close();
});

const key = "ab".repeat(32);

it.each([
  ["steps", `v1/steps/ab/${key}`],
  ["by-op", `v1/steps/by-op/ab/${key}`],
  ["by-content", `v1/steps/by-content/ab/${key}`],
  ["nodes", `v1/steps/nodes/ab/${key}`],
] as const)("keeps a record of the area %s as %s", async (area, path) => {
  expect(await readRecord(store, area, key)).toBeUndefined();
  await writeRecord(store, area, key, Buffer.from('{"a":1}'));
  expect(existsSync(join(store.root, path))).toBe(true);
  expect(String(await readRecord(store, area, key))).toBe('{"a":1}');
  await writeRecord(store, area, key, Buffer.alloc(0));
  expect(String(await readRecord(store, area, key))).toBe("");
});

it.each<[string, (path: string) => void]>([
  ["empty", (path) => truncateSync(path, 0)],
  ["cut short", (path) => truncateSync(path, 80)],
  ["full of zeros", (path) => writeFileSync(path, Buffer.alloc(readFileSync(path).length))],
  ["changed in one byte", (path) => writeFileSync(path, readFileSync(path, "latin1").replace("long", "LONG"))],
])("takes a record that a power cut left %s for none", async (_, damage) => {
  await writeRecord(store, "steps", key, Buffer.from("a long enough record body"));
  damage(join(store.root, "v1/steps/ab", key));
  expect(await readRecord(store, "steps", key)).toBeUndefined();
});

it.each(["../../../../etc/passwd", "", "ab", `${"ab".repeat(31)}/x`, "AB".repeat(32), `${key}\n`])(
  "refuses the key %j, which could leave its folder",
  async (bad) => {
    await expect(readRecord(store, "steps", bad)).rejects.toThrow("is not 64 hex digits");
    await expect(writeRecord(store, "steps", bad, Buffer.alloc(1))).rejects.toThrow("is not 64 hex digits");
  },
);

it("reads whole records while another writes them", async () => {
  const bodies = ["a", "b"].map((char) => Buffer.from(char.repeat(5000)));
  await writeRecord(store, "steps", key, bodies[0] as Buffer);
  let reads = 0;
  const writing = (async () => {
    for (let i = 0; i < 100; i++) await writeRecord(store, "steps", key, bodies[i % 2] as Buffer);
  })();
  for (let done = false; !done; reads++) {
    const body = await readRecord(store, "steps", key);
    expect(body?.length).toBe(5000);
    done = await Promise.race([writing.then(() => true), new Promise<boolean>((resolve) => setImmediate(() => resolve(false)))]);
  }
  expect(reads).toBeGreaterThan(1);
});
