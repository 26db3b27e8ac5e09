/** What must be moved to count as progress, bytes: less is no transfer but a drip. The rest of a transfer counts however little it is. */
export const progressBytes = 64 * 1024;

/** Makes of what came, bytes, and how long it was waited for, milliseconds, the error that ends it. */
export type TooSlow = (bytes: number, waitedMs: number) => Error;

/**
 * The same bytes, as long as in `windowMs` of waiting at least 64 KiB of them or the rest come. What the reader takes for itself is not counted. The source must
 * allow `return` while its `next` is under way.
 */
export function paced(source: AsyncIterable<Uint8Array>, windowMs: number, tooSlow: TooSlow): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => pacedIterator(source[Symbol.asyncIterator](), windowMs, tooSlow) };
}

// Not a generator: leaving one has to wait for what it waits for.
function pacedIterator(iterator: AsyncIterator<Uint8Array>, windowMs: number, tooSlow: TooSlow): AsyncIterator<Uint8Array> {
  let bytes = 0;
  let waitedMs = 0;
  return {
    next: async () => {
      const began = performance.now();
      let over: Error | undefined;
      const timer = setTimeout(() => {
        over = tooSlow(bytes, windowMs);
        void iterator.return?.();
      }, windowMs - waitedMs);
      const result = await iterator.next().finally(() => clearTimeout(timer));
      if (over !== undefined) throw over;
      waitedMs += performance.now() - began;
      bytes += result.value?.length ?? 0;
      if (bytes >= progressBytes) {
        bytes = 0;
        waitedMs = 0;
      }
      return result;
    },
    return: async () => (await iterator.return?.()) ?? { done: true, value: undefined },
  };
}
