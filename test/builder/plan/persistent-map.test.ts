import { describe, expect, it } from "vitest";
import { PersistentMap } from "../../../builder/plan/persistent-map.ts";
import { random } from "../dockerfile/random.ts";

const entriesOf = (map: PersistentMap<number>): readonly (readonly [string, number])[] => [...map];

describe("a persistent map", () => {
  it.each([1, 2, 3])("says what a Map says that is changed the same way, also of earlier states: seed %i", (seed) => {
    const draw = random(seed);
    let map = PersistentMap.of<number>();
    let reference = new Map<string, number>();
    const states = [{ map, reference }];
    for (let i = 0; i < 300; i++) {
      const key = `k${draw(100)}`;
      const isLast = draw(2) === 0;
      map = isLast ? map.withLast(key, i) : map.with(key, i);
      reference = new Map(reference);
      if (isLast) reference.delete(key);
      reference.set(key, i);
      states.push({ map, reference });
    }
    const names = Array.from({ length: 100 }, (_, i) => `k${i}`);
    const told = (from: PersistentMap<number> | Map<string, number>) => ({
      entries: [...from],
      keys: [...from.keys()],
      size: from.size,
      values: names.map((name) => from.get(name)),
      has: names.map((name) => from.has(name)),
    });
    for (const state of states) expect(told(state.map)).toEqual(told(state.reference));
  });

  it("tells keys of one hash apart", () => {
    // FNV-1a of both is 3779146471.
    const map = PersistentMap.of<number>([
      ["k4uzx", 1],
      ["kf2ad", 2],
    ]);
    expect(entriesOf(map)).toEqual([
      ["k4uzx", 1],
      ["kf2ad", 2],
    ]);
    expect(entriesOf(map.with("k4uzx", 3))).toEqual([
      ["k4uzx", 3],
      ["kf2ad", 2],
    ]);
    expect(map.get("kf2ad")).toBe(2);
    expect(map.has("k4uzy")).toBe(false);
  });

  it("has the names of every object's properties like any other", () => {
    const map = PersistentMap.of<number>([["__proto__", 1]]);
    expect([map.get("__proto__"), map.get("constructor")]).toEqual([1, undefined]);
    expect(Object.entries(map.record())).toEqual([["__proto__", 1]]);
  });

  it("has records that later entries leave alone", () => {
    const map = PersistentMap.of<number>([["a", 1]]);
    expect(map.with("b", 2).record()).toEqual({ a: 1, b: 2 });
    expect(map.record()).toEqual({ a: 1 });
  });
});
