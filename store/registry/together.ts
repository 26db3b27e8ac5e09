import { inParallel } from "../in-parallel.ts";

/**
 * Does the work for all items, at most `limit` at once, and gives the results in the items' order. The first failure aborts the signal of the others and is thrown when all of
 * them have ended.
 */
export async function together<T, R>(
  items: readonly T[],
  limit: number,
  outer: AbortSignal | undefined,
  work: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<R[]> {
  outer?.throwIfAborted();
  const giveUp = new AbortController();
  const signal = outer === undefined ? giveUp.signal : AbortSignal.any([outer, giveUp.signal]);
  return inParallel(items, limit, async (item) => {
    try {
      return await work(item, signal);
    } catch (error) {
      giveUp.abort();
      throw error;
    }
  });
}
