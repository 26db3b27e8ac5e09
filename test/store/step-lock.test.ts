import { describe, expect, it } from "vitest";
import { digestOf } from "../../store/digest.ts";
import { withStepLock } from "../../store/step-lock.ts";
import { openStore, type Store } from "../../store/store.ts";
import { temporaryDirectory } from "../support/temporary.ts";

async function withStore(body: (store: Store) => Promise<void>): Promise<void> {
  await using store = await openStore(`${temporaryDirectory("store")}/store`);
  await body(store);
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

describe("the lock of a step", () => {
  it("lets equal keys in one after the other, and different ones at once", () =>
    withStore(async (store) => {
      const log: string[] = [];
      const work = (name: string) => async () => {
        log.push(`${name} begins`);
        await turn();
        await turn();
        log.push(`${name} ends`);
      };
      await Promise.all([
        withStepLock(store, digestOf("x"), work("first")),
        turn().then(() => withStepLock(store, digestOf("x"), work("second"))),
      ]);
      expect(log).toEqual(["first begins", "first ends", "second begins", "second ends"]);
      let met = false;
      let release = () => {};
      const held = withStepLock(store, digestOf("a"), () => new Promise<void>((resolve) => (release = resolve)));
      await withStepLock(store, digestOf("b"), async () => {
        met = true;
      });
      release();
      await held;
      expect(met).toBe(true);
    }));

  it("is given up when its holder fails", () =>
    withStore(async (store) => {
      const failure = new Error("no");
      await expect(withStepLock(store, digestOf("x"), () => Promise.reject(failure))).rejects.toBe(failure);
      expect(await withStepLock(store, digestOf("x"), async () => "free")).toBe("free");
    }));

  it("is waited for only until the wait is aborted", () =>
    withStore(async (store) => {
      let release = () => {};
      const held = withStepLock(store, digestOf("x"), () => new Promise<void>((resolve) => (release = resolve)));
      await turn();
      const stop = new AbortController();
      const waiting = withStepLock(store, digestOf("x"), async () => "never", { signal: stop.signal });
      stop.abort(new Error("enough"));
      await expect(waiting).rejects.toThrow("enough");
      release();
      await held;
    }));
});
