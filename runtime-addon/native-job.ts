/** Work on the addon's threads that can be given up. */
export interface NativeJob<T> {
  readonly done: Promise<T>;
  /** `done` then rejects within about a piece's time. */
  cancel(): void;
}

/** Starts it and waits for its end, also when aborted: afterwards nothing is at work. Rejects with the signal's reason then. */
export async function finishJob<T>(start: () => NativeJob<T>, signal: AbortSignal | undefined): Promise<T> {
  signal?.throwIfAborted();
  const { done, cancel } = start();
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    return await done;
  } catch (error) {
    // Cancelled work fails as such.
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}
