import { readdirSync, statSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { type Digest, digestOf } from "../../store/digest.ts";
import { withStepLock } from "../../store/step-lock.ts";
import { openStore, type Store } from "../../store/store.ts";
import { storePaths } from "../../store/store-paths.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { ended, type StoreProcess, type StoreProgram, storeProgram } from "./store-process.ts";

async function withStore(body: (store: Store) => Promise<void>): Promise<void> {
  await using store = await openStore(`${temporaryDirectory("store")}/store`);
  await body(store);
}

/** A key in the middle of others: they differ in the byte before it, at its end, or behind what tells locks apart. */
const key = `sha256:ab${"1".repeat(62)}` as Digest;
const sameFirstByte = `sha256:ab${"2".repeat(62)}` as Digest;
const nextNumber = `sha256:ab${"1".repeat(13)}8${"1".repeat(48)}` as Digest;

/** Holds the lock of a key from the promise's end until `release`. */
async function hold(store: Store, held: Digest): Promise<{ release: () => Promise<void> }> {
  let release = () => {};
  let done: Promise<void> = Promise.resolve();
  await new Promise<void>((holding, failed) => {
    done = withStepLock(store, held, () => {
      holding();
      return new Promise<void>((resolve) => {
        release = resolve;
      });
    });
    done.catch(failed);
  });
  return {
    release: async () => {
      release();
      await done;
    },
  };
}

/** Whether the lock can be had at once: a wait that need not be is over before anything of another process can be. */
async function isFree(store: Store, wanted: Digest): Promise<boolean> {
  const stop = new AbortController();
  const free = withStepLock(store, wanted, async () => true, { signal: stop.signal });
  // What waits does so on a thread; what does not has had its turn after a few turns of the loop.
  for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
  stop.abort(new Error("held"));
  return free.catch((error: Error) => {
    expect(error.message).toBe("held");
    return false;
  });
}

describe("the lock of a step", () => {
  it("lets equal keys in one after the other", () =>
    withStore(async (store) => {
      const log: string[] = [];
      const { release } = await hold(store, key);
      const second = withStepLock(store, key, async () => log.push("second"));
      expect(await isFree(store, key)).toBe(false);
      log.push("first ends");
      await release();
      await second;
      expect(log).toEqual(["first ends", "second"]);
      expect(await isFree(store, key)).toBe(true);
    }));

  it.each<[name: string, other: Digest]>([
    ["begins with the same byte", sameFirstByte],
    ["differs in the last bit that counts", nextNumber],
    ["has the greatest number", `sha256:${"f".repeat(64)}` as Digest],
    ["has the least", `sha256:${"0".repeat(64)}` as Digest],
  ])("is a key's own: no other waits for it that %s", (_name, other) =>
    withStore(async (store) => {
      const { release } = await hold(store, key);
      const { release: releaseOther } = await hold(store, other);
      expect([await isFree(store, key), await isFree(store, other)]).toEqual([false, false]);
      await releaseOther();
      expect([await isFree(store, key), await isFree(store, other)]).toEqual([false, true]);
      await release();
    }),
  );

  it("is given up when its holder fails", () =>
    withStore(async (store) => {
      const failure = new Error("no");
      await expect(withStepLock(store, digestOf("x"), () => Promise.reject(failure))).rejects.toBe(failure);
      expect(await withStepLock(store, digestOf("x"), async () => "free")).toBe("free");
    }));

  it("is its holder's still when a wait for it is aborted, and another's when the holder ends", () =>
    withStore(async (store) => {
      const { release } = await hold(store, key);
      const stop = new AbortController();
      const waiting = withStepLock(store, key, async () => "never", { signal: stop.signal });
      const patient = withStepLock(store, key, async () => "patient");
      stop.abort(new Error("enough"));
      await expect(waiting).rejects.toThrow("enough");
      expect(await isFree(store, key)).toBe(false);
      await release();
      expect(await patient).toBe("patient");
    }));

  it("leaves nothing that grows", () =>
    withStore(async (store) => {
      for (const name of ["a", "b", "c"]) await withStepLock(store, digestOf(name), async () => {});
      const path = storePaths.stepLocks(store.root);
      expect([readdirSync(storePaths.locks(store.root)), statSync(path).size]).toEqual([["steps"], 0]);
    }));
});

describe("the lock of a step of another process", () => {
  let program: StoreProgram;
  beforeAll(() => {
    program = storeProgram(
      temporaryDirectory("program"),
      `import { openStore } from "store/store.ts";
       import { withStepLock } from "store/step-lock.ts";
       const [root, key] = process.argv.slice(2);
       await using store = await openStore(root);
       await withStepLock(store, key, () => {
         process.stdout.write("held\\n");
         return new Promise((resolve) => { process.once("SIGTERM", resolve); setInterval(() => {}, 1000); });
       });
       process.exit(0);`,
    );
  });

  async function holder(store: Store, held: Digest): Promise<StoreProcess> {
    const child = program.start(store.root, held);
    await new Promise((resolve, reject) => {
      child.stdout.once("data", resolve);
      child.once("exit", () => reject(new Error("the holder has ended")));
    });
    return child;
  }

  it.each<[name: string, signal: NodeJS.Signals]>([
    ["ends", "SIGTERM"],
    ["is killed", "SIGKILL"],
  ])("is waited for until it %s, by its own key only", (_name, signal) =>
    withStore(async (store) => {
      const child = await holder(store, key);
      expect([await isFree(store, sameFirstByte), await isFree(store, key)]).toEqual([true, false]);
      const next = withStepLock(store, key, async () => "next");
      const over = ended(child);
      child.kill(signal);
      expect(await next).toBe("next");
      await over;
    }),
  );

  it("is not waited for without a word, though its holder was stopped for good", () =>
    withStore(async (store) => {
      const child = await holder(store, key);
      child.kill("SIGSTOP");
      let heard = 0;
      let next: Promise<string> | undefined;
      await new Promise<void>((resolve) => {
        const onWait = () => {
          heard++;
          resolve();
        };
        next = withStepLock(store, key, async () => "next", { onWait });
      });
      const over = ended(child);
      child.kill("SIGKILL");
      expect(await next).toBe("next");
      await withStepLock(store, key, async () => "free", { onWait: () => heard++ });
      expect(heard).toBe(1);
      await over;
    }));
});
