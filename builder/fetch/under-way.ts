/** Work whose callers may have left: whoever closes what it works on waits for it. */
export interface UnderWay {
  /** The same promise. */
  watch<T>(work: Promise<T>): Promise<T>;
  /** Resolves when nothing is under way any more, however it ended. */
  over(): Promise<void>;
}

export function underWay(): UnderWay {
  const running = new Set<Promise<unknown>>();
  return {
    watch(work) {
      running.add(work);
      const end = () => void running.delete(work);
      work.then(end, end);
      return work;
    },
    async over() {
      await Promise.allSettled(running);
    },
  };
}
