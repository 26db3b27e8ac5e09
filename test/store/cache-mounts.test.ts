import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { removeTree } from "../../runtime-addon/index.ts";
import { type CacheRequest, type HeldCache, holdCache } from "../../store/cache-mounts.ts";
import { digestOf, hexOf } from "../../store/digest.ts";
import { collectGarbage } from "../../store/gc/collect.ts";
import { storeUsage } from "../../store/gc/usage.ts";
import { openStore } from "../../store/store.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let root: string;
beforeEach(async () => {
  root = join(temporaryDirectory("cache-mounts"), "store");
  await (await openStore(root)).close();
});

const name = digestOf("a cache");
const copy = (number: number) => join(root, "v1/cache-mounts", `${hexOf(name)}-${number}`);
const copies = () => readdirSync(join(root, "v1/cache-mounts")).map((found) => Number(found.split("-")[1]));

/** Everything of `use` is done by a process that has ended when it is over. */
async function asProcess<T>(use: (hold: (change?: Partial<CacheRequest>) => Promise<HeldCache>) => Promise<T>): Promise<T> {
  await using store = await openStore(root);
  return await use((change = {}) =>
    holdCache(store, {
      name,
      sharing: "shared",
      make: async (directory) => mkdirSync(join(directory, "data")),
      remove: removeTree,
      onWait: () => undefined,
      onDiscard: () => undefined,
      ...change,
    }),
  );
}

const write = (change: Partial<CacheRequest>, file: string) =>
  asProcess(async (hold) => {
    const cache = await hold(change);
    writeFileSync(join(cache.directory, file), file);
    cache.release();
    return cache.directory;
  });

describe("a copy of a cache", () => {
  it.each(["shared", "private", "locked"] as const)("%s, has what it had when it was last used", async (sharing) => {
    expect(await write({ sharing }, "a")).toBe(join(copy(0), "data"));
    await write({ sharing }, "b");
    expect(readdirSync(join(copy(0), "data")).sort()).toEqual(["a", "b"]);
    expect(copies()).toEqual([0]);
  });

  it("shared, is one for all at the same time", async () => {
    await asProcess(async (first) => {
      const one = await first();
      const other = await asProcess(async (second) => (await second()).directory);
      expect(other).toBe(one.directory);
    });
  });

  it("private, is another one while others use it, and is used again later", async () => {
    await asProcess(async (hold) => {
      const [a, b, c] = [await hold({ sharing: "private" }), await hold({ sharing: "private" }), await hold({ sharing: "private" })];
      expect([a, b, c].map(({ directory }) => directory)).toEqual([0, 1, 2].map((number) => join(copy(number), "data")));
      b?.release();
      const again = await hold({ sharing: "private" });
      expect(again.directory).toBe(b?.directory);
      expect(copies()).toEqual([0, 1, 2]);
    });
  });

  it("locked, is waited for, by who says for whom", async () => {
    await asProcess(async (hold) => {
      const order: string[] = [];
      const first = await hold({ sharing: "locked" });
      let waits: (pids: readonly number[]) => void = () => undefined;
      const waiting = new Promise<readonly number[]>((resolve) => {
        waits = resolve;
      });
      const second = hold({ sharing: "locked", onWait: (pids) => waits(pids) }).then((cache) => {
        order.push("second");
        return cache;
      });
      expect(await waiting).toEqual([process.pid]);
      order.push("first ends");
      first.release();
      expect((await second).directory).toBe(first.directory);
      expect(order).toEqual(["first ends", "second"]);
    });
  });

  it("locked, is not waited for once the build is cancelled", async () => {
    await asProcess(async (hold) => {
      const first = await hold({ sharing: "locked" });
      const cancel = new AbortController();
      const second = hold({ sharing: "locked", signal: cancel.signal, onWait: () => cancel.abort(new Error("cancelled")) });
      await expect(second).rejects.toThrow("cancelled");
      first.release();
    });
  });

  it("whose user ended before it was searched is thrown away, and said to be", async () => {
    await asProcess(async (hold) => {
      const [killed, other] = [await hold(), await hold()];
      await killed.mark();
      writeFileSync(join(killed.directory, "secret"), "");
      // What it finds clean is its own.
      (await other.mark())();
      other.release();
      killed.release();
    });
    let discarded = 0;
    const onDiscard = () => void discarded++;
    await asProcess(async (hold) => {
      const [first, second] = [await hold({ onDiscard }), await hold({ onDiscard })];
      expect([readdirSync(first.directory), second.directory, discarded]).toEqual([[], first.directory, 1]);
      const clear = await first.mark();
      writeFileSync(join(first.directory, "clean"), "");
      clear();
      first.release();
      second.release();
    });
    expect(await asProcess(async (hold) => readdirSync((await hold({ onDiscard })).directory))).toEqual(["clean"]);
    expect(discarded).toBe(1);
  });

  it.each(["shared", "private", "locked"] as const)(
    "that was not searched is no one's, %s, and stays with who has it still",
    async (sharing) => {
      await asProcess(async (hold) => {
        const living = await hold();
        const dead = await hold();
        await dead.mark();
        dead.release();
        const wanted = hold({ sharing, onWait: () => living.release() });
        const next = await wanted;
        const own = sharing === "locked" ? 0 : 1;
        expect([next.directory, existsSync(living.directory)]).toEqual([join(copy(own), "data"), true]);
        next.release();
        living.release();
      });
    },
  );

  it("is made once by those who want it at the same time", async () => {
    await asProcess(async (hold) => {
      const all = await Promise.all([1, 2, 3, 4].map(() => hold()));
      expect(new Set(all.map(({ directory }) => directory)).size).toBe(1);
    });
    expect(copies()).toEqual([0]);
  });

  it("begins anew where that is asked for, unless others use it", async () => {
    await write({}, "old");
    await asProcess(async (user) => {
      const used = await user();
      await write({ fresh: true }, "new");
      used.release();
    });
    expect(readdirSync(join(copy(0), "data")).sort()).toEqual(["new", "old"]);
    await write({ fresh: true }, "newer");
    expect(readdirSync(join(copy(0), "data"))).toEqual(["newer"]);
  });

  it("that could not be made is none", async () => {
    const failing = asProcess((hold) => hold({ make: () => Promise.reject(new Error("no room")) }));
    await expect(failing).rejects.toThrow("no room");
    expect(copies()).toEqual([]);
    expect(readdirSync(join(root, "v1/tmp"))).toEqual([]);
  });
});

describe("garbage collection of cache mounts", () => {
  const collect = (policy: Parameters<typeof collectGarbage>[1]) => asProcess(async () => collectGarbage(await openStore(root), policy));
  const age = (path: string, days: number) => {
    const seconds = Date.now() / 1000 - days * 86_400;
    utimesSync(path, seconds, seconds);
  };

  it("keeps them where nothing is asked for, and takes them by age, by size and by kind", async () => {
    await write({}, "file");
    expect((await collect({})).count["cache-mounts"]).toBe(0);
    age(copy(0), 10);
    expect((await collect({ maxAgeSeconds: 11 * 86_400 })).count["cache-mounts"]).toBe(0);
    expect((await collect({ maxAgeSeconds: 9 * 86_400 })).count["cache-mounts"]).toBe(1);
    expect(copies()).toEqual([]);
    await write({}, "file");
    const freed = await collect({ kinds: ["cache-mounts"] });
    expect(freed.bytes["cache-mounts"]).toBeGreaterThan(0);
    expect(copies()).toEqual([]);
    await write({}, "file");
    expect((await collect({ keepBytes: 0 })).count["cache-mounts"]).toBe(1);
  });

  it("never takes one that a process uses", async () => {
    await asProcess(async (hold) => {
      const { directory, release } = await hold();
      age(copy(0), 10);
      expect((await collect({ all: true })).count["cache-mounts"]).toBe(0);
      release();
      expect((await collect({ all: true })).count["cache-mounts"]).toBe(0);
      expect(existsSync(directory)).toBe(true);
    });
    expect((await collect({ all: true })).count["cache-mounts"]).toBe(1);
  });

  it("lists them, and follows no symlink of theirs", async () => {
    const outside = join(temporaryDirectory("outside"), "file");
    writeFileSync(outside, "x".repeat(100_000));
    await write({}, "file");
    symlinkSync(outside, join(copy(0), "data/link"));
    await using store = await openStore(root);
    const row = (await storeUsage(store)).find(({ kind }) => kind === "cache-mounts");
    expect(row).toMatchObject({ count: 1, reclaimableBytes: row?.bytes });
    expect(row?.bytes).toBeLessThan(100_000);
    await collect({ all: true });
    expect(readFileSync(outside, "utf8")).toHaveLength(100_000);
  });
});
