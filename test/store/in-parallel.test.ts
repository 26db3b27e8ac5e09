import { describe, expect, it } from "vitest";
import { inParallel } from "../../store/in-parallel.ts";

const turns = async (count: number) => {
  for (let i = 0; i < count; i++) await new Promise(setImmediate);
};

describe("work in parallel", () => {
  it("gives its results in the items' order, whichever ends first", async () => {
    const ended: number[] = [];
    const results = await inParallel([5, 1, 3], 3, async (item, index) => {
      await turns(item);
      ended.push(item);
      return `${index}: ${item}`;
    });
    expect(results).toEqual(["0: 5", "1: 1", "2: 3"]);
    expect(ended).toEqual([1, 3, 5]);
  });

  it("has no more at once than allowed", async () => {
    let running = 0;
    let most = 0;
    await inParallel(Array.from({ length: 20 }), 3, async () => {
      running += 1;
      most = Math.max(most, running);
      await turns(2);
      running -= 1;
    });
    expect(most).toBe(3);
  });

  it("does nothing for nothing", async () => {
    expect(await inParallel([], 4, async () => 1)).toEqual([]);
  });

  it("begins nothing after a failure, and throws the first one when what runs has ended", async () => {
    const began: number[] = [];
    const ended: number[] = [];
    const work = inParallel([1, 2, 3, 4], 2, async (item) => {
      began.push(item);
      await turns(item * 3);
      ended.push(item);
      throw new Error(`${item}`);
    });
    await expect(work).rejects.toThrow("1");
    expect([began, ended]).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });
});
