/**
 * Does the work for all items, at most `limit` at once, and gives the results in the items' order. After a failure no more work begins; it is thrown when
 * what runs has ended, so that nothing goes on behind it.
 */
export async function inParallel<T, R>(items: readonly T[], limit: number, work: (item: T, index: number) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  let failure: { readonly error: unknown } | undefined;
  const lane = async () => {
    for (const [i, item] of queue) {
      try {
        results[i] = await work(item, i);
      } catch (error) {
        failure ??= { error };
      }
      if (failure !== undefined) return;
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
  if (failure !== undefined) throw failure.error;
  return results;
}
