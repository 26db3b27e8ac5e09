import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { removeTree } from "../../runtime-addon/index.ts";
import { holdCacheAt } from "../../store/cache-mounts.ts";
import { digestOf, hexOf } from "../../store/digest.ts";
import { failedSteps, forgetFailedSteps, holdLastFailedStep, keepFailedStep } from "../../store/failed-steps.ts";
import { collectGarbage } from "../../store/gc/collect.ts";
import { keepLimits } from "../../store/gc/limits.ts";
import { openStore, type Store } from "../../store/store.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let root: string;
beforeEach(() => {
  root = join(temporaryDirectory("failed-steps"), "store");
});

const build = (name: string) => digestOf(name);
const kept = () => readdirSync(join(root, "v1/failed")).length;

async function keep(store: Store, name: string): Promise<void> {
  const directory = await store.temp("build");
  mkdirSync(join(directory, "upper"));
  await keepFailedStep(root, directory, { title: name, build: build(name), layers: [], container: {} });
}

/** What another process does, which ends with it. */
async function elsewhere(work: (store: Store) => Promise<unknown>): Promise<void> {
  await using store = await openStore(root);
  await work(store);
}

describe("a failed step that a shell has open", () => {
  it.each([
    ["prune --all", (store: Store) => collectGarbage(store, { all: true })],
    [
      "a limit of the store",
      (store: Store) => {
        // Else it is not looked at again before something changes.
        rmSync(join(root, "v1/collected"), { force: true });
        return keepLimits(store, { maxStoreBytes: 1 });
      },
    ],
    ["the next build of the name, which succeeds", () => forgetFailedSteps(root, build("first"))],
    ["the next build of the name, which fails", (store: Store) => keep(store, "first")],
    [
      "three younger ones",
      async (store: Store) => {
        for (const name of ["second", "third", "fourth"]) await keep(store, name);
      },
    ],
  ])("stays where it is during %s, and goes after it", async (_, work) => {
    await elsewhere((store) => keep(store, "first"));
    let directory = "";
    await elsewhere(async (shell) => {
      const held = await holdLastFailedStep(shell);
      directory = held?.directory ?? "";
      expect(held?.state.title).toBe("first");
      await elsewhere(work);
      expect(existsSync(join(directory, "upper"))).toBe(true);
    });
    await elsewhere(work);
    expect(existsSync(directory)).toBe(false);
  });

  it("that goes while it is looked at is not taken: the one before it is", async () => {
    await elsewhere(async (store) => {
      await keep(store, "first");
      await keep(store, "second");
      let pins = 0;
      const slow: Store = {
        ...store,
        async pin(...digests) {
          if (pins++ === 0) rmSync(failedSteps(root).at(-1)?.directory ?? "", { recursive: true });
          await store.pin(...digests);
        },
      };
      expect((await holdLastFailedStep(slow))?.state.title).toBe("first");
    });
  });
});

describe("failed steps", () => {
  it("are the three youngest, and one for each build", async () => {
    await elsewhere(async (store) => {
      expect(await holdLastFailedStep(store)).toBeUndefined();
      for (const name of ["a", "b", "c", "d", "d"]) await keep(store, name);
    });
    expect(failedSteps(root).map(({ state }) => state?.title)).toEqual(["b", "c", "d"]);
    await forgetFailedSteps(root, build("c"));
    expect(kept()).toBe(2);
  });

  it("have their caches pinned by a path in them", async () => {
    await elsewhere(async (store) => {
      const copy = join(root, "v1/cache-mounts", `${hexOf(digestOf("cache"))}-0`);
      mkdirSync(join(copy, "data"), { recursive: true });
      writeFileSync(join(copy, "lock"), "");
      const use = { sharing: "shared", remove: removeTree, onWait: () => undefined, onDiscard: () => undefined } as const;
      await expect(holdCacheAt(store, "/etc/passwd", use)).rejects.toThrow("/etc/passwd is no copy of a cache");
      (await holdCacheAt(store, join(copy, "data"), use))?.release();
      await elsewhere((other) => collectGarbage(other, { all: true }));
      expect(readdirSync(join(root, "v1/cache-mounts"))).toEqual([basename(copy)]);
    });
    await elsewhere((other) => collectGarbage(other, { all: true }));
    expect(readdirSync(join(root, "v1/cache-mounts"))).toEqual([]);
  });
});
