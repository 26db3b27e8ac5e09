import { existsSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, it } from "vitest";
import { readRecord, writeRecord } from "../../store/records.ts";
import { openStore, type Store } from "../../store/store.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { ended, storeProgram } from "./store-process.ts";

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

it("reads whole records while other processes write them", async () => {
  const program = storeProgram(
    temporaryDirectory("program"),
    `import { openStore } from "store/store.ts";
     import { writeRecord } from "store/records.ts";
     const store = await openStore(process.argv[2]);
     for (let i = 0; i < 300; i++) await writeRecord(store, "steps", process.argv[3], Buffer.from(process.argv[4].repeat(5000)));
     await store.close();`,
  );
  await writeRecord(store, "steps", key, Buffer.from("a".repeat(5000)));
  let running = 2;
  const ends = ["b", "c"].map(async (char) => {
    const end = await ended(program.start(store.root, key, char));
    running -= 1;
    return end;
  });
  const seen = new Set<string>();
  while (running > 0) {
    const body = String(await readRecord(store, "steps", key));
    expect(body).toMatch(/^(a{5000}|b{5000}|c{5000})$/);
    seen.add(body[0] ?? "");
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (const end of ends) expect(await end).toMatchObject({ code: 0, stderr: "" });
  expect(seen.size).toBeGreaterThan(1);
});
