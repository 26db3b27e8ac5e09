import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { loadImages } from "../../store/archive/load.ts";
import { checkStore } from "../../store/check/check-store.ts";
import { repairStore } from "../../store/check/repair-store.ts";
import { createContainer, holdContainer, listContainers } from "../../store/containers.ts";
import { collectGarbage } from "../../store/gc/collect.ts";
import { withLock } from "../../store/lock.ts";
import { openStore, type Store } from "../../store/store.ts";
import { storePaths } from "../../store/store-paths.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { addLayer, configOf } from "./sample-image.ts";

let directory: string;
let store: Store;
let outside: string;
beforeEach(async () => {
  directory = temporaryDirectory("irregular");
  outside = join(directory, "outside");
  store = await openStore(join(directory, "store"));
  return () => store.close();
});

async function keep(name: string): Promise<string> {
  const layer = await addLayer(store, { a: "1" });
  const kept = { image: "app", manifestDigest: layer.diffId, created: "2026-01-01T00:00:00Z", args: [], owners: "exact" as const };
  await using held = await createContainer(store, name, { ...kept, layers: [layer], config: configOf([layer]) });
  return held.directory;
}

const lay = {
  "a directory": (path: string) => mkdirSync(join(path, "x"), { recursive: true }),
  "a FIFO": (path: string) => void execFileSync("mkfifo", [path]),
  "a link to nothing": (path: string) => symlinkSync(outside, path),
  "a link to a file": (path: string) => {
    writeFileSync(outside, "precious");
    symlinkSync(outside, path);
  },
};

describe.each(Object.entries(lay))("%s of a kept container", (_, put) => {
  it.each([
    ["container.json", "its record is "],
    ["lock", "its lock is no file"],
  ])("in place of its %s is damage, led nowhere, and repaired", async (file, problem) => {
    const container = await keep("kept");
    rmSync(join(container, file));
    put(join(container, file));
    await expect(holdContainer(store, "kept")).rejects.toMatchObject({ code: "INVALID_DOCUMENT" });
    const problems = await checkStore(store);
    expect(problems).toMatchObject([
      { kind: "container", subject: "kept", problem: expect.stringContaining(problem), remedy: { do: "salvage" } },
    ]);
    await repairStore(store, problems);
    expect(await checkStore(store)).toEqual([]);
    await (await holdContainer(store, "kept"))[Symbol.asyncDispose]();
    expect(existsSync(outside) ? readFileSync(outside, "utf8") : undefined).toBe(_ === "a link to a file" ? "precious" : undefined);
  });
});

it("creates no file outside the store where a container has neither record nor lock of its own", async () => {
  const container = await keep("kept");
  for (const file of ["container.json", "lock"]) rmSync(join(container, file));
  symlinkSync(outside, join(container, "lock"));
  await repairStore(store, await checkStore(store));
  expect(existsSync(outside)).toBe(false);
});

it.each([
  ["args of no texts", { args: [{ toString: 1 }] }],
  ["a digest that has no text", { manifestDigest: { toString: 1 } }],
  ["a layer's digest that has no text", { layers: [{ diffId: { toString: 1 } }] }],
])("repairs a container whose record has %s, and those after it", async (_, change) => {
  const [first, second] = [await keep("a"), await keep("b")];
  const record = JSON.parse(readFileSync(join(first, "container.json"), "utf8"));
  writeFileSync(join(first, "container.json"), JSON.stringify({ ...record, ...change }));
  truncateSync(join(second, "container.json"), 20);
  await repairStore(store, await checkStore(store));
  expect(await listContainers(store.root)).toMatchObject([
    { name: "a", image: "app", state: { kind: "damaged" } },
    { name: "b", state: { kind: "damaged" } },
  ]);
});

it("goes on with the repair where one container cannot be mended", async () => {
  const [first, second] = [await keep("a"), await keep("b")];
  for (const container of [first, second]) truncateSync(join(container, "container.json"), 20);
  const problems = await checkStore(store);
  const notes: string[] = [];
  const broken = Object.assign(new Error("EIO: i/o error, open"), { code: "EIO", syscall: "open" });
  vi.spyOn(store, "tempFile").mockRejectedValueOnce(broken);
  await repairStore(store, problems, { onStays: (container, { message }) => notes.push(`${container}: ${message}`) });
  expect(notes).toEqual([expect.stringMatching(/^a: EIO/)]);
  const found = await listContainers(store.root, () => undefined);
  expect(found.map(({ name }) => name)).toEqual(["b"]);
});

describe("a link in place of a lock of the store", () => {
  it("is not followed", async () => {
    const lock = storePaths.lock(store.root);
    rmSync(lock);
    symlinkSync(outside, lock);
    await expect(withLock(lock, "shared", () => "locked")).rejects.toMatchObject({
      code: "UNSAFE_PATH",
      message: `reading ${lock}: it is no regular file`,
    });
    expect(existsSync(outside)).toBe(false);
  });

  it.each(Object.entries(lay))("is no lease: %s", async (_, put) => {
    put(join(storePaths.leases(store.root), "0123456789abcdef"));
    await collectGarbage(store);
    await using again = await openStore(store.root);
    expect(await checkStore(again)).toEqual([]);
  });
});

describe("a layout in a directory", () => {
  it.each<[string, (path: string) => void, string]>([
    ["a hole of 5 GB", (path: string) => truncateSync(path, 5 * 2 ** 30), "TOO_LARGE"],
    ...Object.entries(lay).map(([name, put]): [string, (path: string) => void, string] => [
      name,
      (path) => {
        rmSync(path);
        put(path);
      },
      "UNSAFE_PATH",
    ]),
  ])("whose index.json is %s is refused unread", async (_, put, code) => {
    writeFileSync(join(directory, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
    writeFileSync(join(directory, "index.json"), "{}");
    put(join(directory, "index.json"));
    await expect(loadImages(store, { directory })).rejects.toMatchObject({ code });
  });
});
