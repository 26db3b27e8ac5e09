import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { createContainer } from "../../../store/containers.ts";
import { digestOf } from "../../../store/digest.ts";
import { keepLimits, type StoreLimits } from "../../../store/gc/limits.ts";
import { openStore } from "../../../store/store.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { addLayer, configOf, putImage } from "../sample-image.ts";

let root: string;
beforeEach(async () => {
  root = join(temporaryDirectory("limits"), "store");
  await using store = await openStore(root);
  await putImage(store, ["app"], [{ a: "a".repeat(50_000) }]);
});

const hour = 3_600_000;

async function keep(limits: StoreLimits, nowMs = Date.now()) {
  await using store = await openStore(root);
  return await keepLimits(store, limits, { nowMs });
}
async function addGarbage(text = "g"): Promise<void> {
  await using store = await openStore(root);
  await addLayer(store, { g: text.repeat(50_000) });
}
const blobs = () => readdirSync(join(root, "blobs/sha256")).length;

describe("the limits of a store", () => {
  it("are kept when something was added, and cost nothing when not", async () => {
    await addGarbage();
    const limits = { maxStoreBytes: 1_000_000 };
    expect((await keep(limits))?.count.layers).toBe(1);
    expect(blobs()).toBe(3);
    expect(await keep(limits)).toBeUndefined();
    await addGarbage("h");
    expect((await keep(limits))?.count.layers).toBe(1);
    expect(await keep(limits)).toBeUndefined();
  });

  it.each([
    ["a copy of a cache mount", "cache-mounts/copy"],
    ["a repository", "git/repository"],
    ["a download", "downloads/ab/content"],
    ["what a failed step left", "failed/step"],
  ])("are looked at again when %s was added", async (_, path) => {
    const limits = { maxStoreBytes: 1_000_000 };
    await keep(limits);
    expect(await keep(limits)).toBeUndefined();
    mkdirSync(join(root, "v1", path), { recursive: true });
    expect(await keep(limits)).toBeDefined();
    expect(await keep(limits)).toBeUndefined();
  });

  it("are looked at again when a kept container was added", async () => {
    const limits = { maxStoreBytes: 1_000_000 };
    await keep(limits);
    await using store = await openStore(root);
    const kept = { image: "app", manifestDigest: digestOf(""), created: "2026-01-01T00:00:00Z", args: [], owners: "exact" as const };
    await (await createContainer(store, "work", { ...kept, layers: [], config: configOf([]) }))[Symbol.asyncDispose]();
    expect(await keep(limits)).toBeDefined();
    expect(await keep(limits)).toBeUndefined();
  });

  it.each(["cache-mounts/copy", "git/repository"])("are looked at again when %s was used, and may have grown", async (path) => {
    const limits = { maxStoreBytes: 1_000_000 };
    mkdirSync(join(root, "v1", path), { recursive: true });
    await keep(limits);
    expect(await keep(limits)).toBeUndefined();
    utimesSync(join(root, "v1", path), 1, 1);
    expect(await keep(limits)).toBeDefined();
  });

  it("are looked at again when they change, when a day has passed, and when what was written down is torn", async () => {
    expect(await keep({ maxAgeSeconds: 60 })).toBeDefined();
    expect(await keep({ maxAgeSeconds: 60 })).toBeUndefined();
    expect(await keep({ maxAgeSeconds: 61 })).toBeDefined();
    expect(await keep({ maxAgeSeconds: 61 }, Date.now() + 25 * hour)).toBeDefined();
    writeFileSync(join(root, "v1/collected"), "17");
    expect(await keep({ maxAgeSeconds: 61 })).toBeDefined();
    rmSync(join(root, "v1/collected"));
    expect(await keep({ maxAgeSeconds: 61 })).toBeDefined();
  });

  it("for room on a full disk are looked at once an hour", async () => {
    const limits = { minFreeBytes: Number.MAX_SAFE_INTEGER };
    expect(await keep(limits)).toBeDefined();
    expect(await keep(limits)).toBeUndefined();
    expect(await keep(limits, Date.now() + hour)).toBeDefined();
    expect(await keep({ minFreeBytes: 1 })).toBeDefined();
    expect(await keep({ minFreeBytes: 1 }, Date.now() + hour)).toBeUndefined();
  });

  it("that images exceed are said to be so, and take no image", async () => {
    const freed = await keep({ maxStoreBytes: 1 });
    expect(freed?.storeBytes).toBe(freed?.heldBytes);
    expect(blobs()).toBe(3);
  });

  it("that are none touch nothing", async () => {
    const before = statSync(join(root, "v1")).mtimeMs;
    expect(await keep({})).toBeUndefined();
    expect([existsSync(join(root, "v1/collected")), statSync(join(root, "v1")).mtimeMs]).toEqual([false, before]);
  });
});
